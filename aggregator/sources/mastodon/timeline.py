"""Compare a timeline with the known entries: new and edited statuses, gaps, and removals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.domain.errors import FetchError, UnreadableError
from aggregator.fetching.response import TransferStats
from aggregator.sources.mastodon import client
from aggregator.sources.mastodon.network import NETWORK
from aggregator.sources.mastodon.normalise import Reading, read_statuses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.polling.results import UnreadEntry
    from aggregator.source_api.kind import PollContext

_MOST_PAGES = 5  # read to fill a gap
_MOST_MISSING = 8  # statuses missing from a page that are looked up in a poll
_DIGEST = 16  # hexadecimal digits


class Timeline:
    """The statuses of a source: those known from earlier polls, and those that this poll reads.

    Args:
        known: uri and digest by id on the server, as stored.
        server: the base URL.
        unlisted: whether unlisted statuses are wanted.
        context: clients, clock and settings.
        tally: counts requests and bytes.
    """

    def __init__(
        self, known: Mapping[str, Any], server: str, unlisted: bool, context: PollContext, tally: TransferStats | None
    ) -> None:
        self._known: dict[str, list[str]] = {
            id_: [str(part) for part in kept] for id_, kept in known.items() if isinstance(kept, list) and len(kept) > 1
        }
        self._server, self._unlisted = server, unlisted
        self._context = context
        self._tally = TransferStats() if tally is None else tally
        self._found: dict[str, NewActivity] = {}  # by uri
        self._current: dict[str, list[str]] = {}  # as `known`, of this poll
        self._first: Reading = Reading()
        self._left_out = 0
        self.gone: list[str] = []
        self.unfinished = False  # statuses are missing that were not looked up yet
        self.unread: list[UnreadEntry] = []

    @property
    def unchanged(self) -> list[str]:
        """The native ids of statuses that this poll read and that are as before."""
        return [uri for id_, (uri, digest) in self._current.items() if self._known.get(id_) == [uri, digest]]

    def activities(self) -> list[NewActivity]:
        """Return new and edited statuses, oldest first."""
        before = set(self.unchanged)
        changed = [found for uri, found in self._found.items() if uri not in before]
        return sorted(changed, key=lambda found: found.content.published or self._context.clock())

    def newest(self, number: int) -> dict[str, list[str]]:
        """Return the newest statuses for the next poll."""
        remaining = {**self._known, **self._current}
        removed = {key.removeprefix(f"{NETWORK}:") for key in self.gone}
        ids = sorted((id_ for id_, kept in remaining.items() if kept[0] not in removed), key=_age, reverse=True)
        return {id_: remaining[id_] for id_ in ids[:number]}

    def note(self) -> str | None:
        """Return a note about statuses that were left out."""
        if not self._left_out:
            return None
        return "Posts that are not public are left out." if self._unlisted else "Unlisted posts are left out."

    async def read(self, body: bytes) -> None:
        """Read the first page.

        Raises:
            UnreadableError: it is no list of statuses.
        """
        self._first = await self._read(body)

    async def fill_gap(self, address: Callable[[str], str]) -> None:
        """Read the statuses between the newest known one and the first page, oldest first.

        Args:
            address: of the page after a given id.
        """
        ids = self._first.all_ids
        if not self._known or not ids or len(ids) < client.PAGE // 2 or self._known.keys() & set(ids):
            return
        newest, seen = max(self._known, key=_age), set(ids)
        for _ in range(_MOST_PAGES):
            response = await client.statuses(address(newest), self._context.http, self._tally)
            page = await self._read(response.body)
            fresh = [id_ for id_ in page.all_ids if id_ not in seen and id_ not in self._known]
            if not fresh or seen.intersection(page.all_ids):
                return
            seen.update(fresh)
            newest = max(fresh, key=_age)

    async def look_for_removals(self, older: int, last: str = "") -> str:
        """Look up known statuses that are missing where they should be, and some older ones, one after the other.

        Args:
            older: how many statuses from before the first page to look up.
            last: the id at which the last poll ended.

        Returns:
            the id at which the next poll goes on.
        """
        page = self._first.all_ids
        hidden = set(self._first.left_out)  # their authors changed who may see them
        self.gone += [f"{NETWORK}:{self._known[id_][0]}" for id_ in hidden if id_ in self._known]
        start = min(page, key=_age) if page else ""
        missing = [id_ for id_ in self._known if id_ not in self._current and id_ not in hidden]
        within = [id_ for id_ in missing if not page or _age(id_) >= _age(start)]
        others = sorted((id_ for id_ in missing if id_ not in within[:_MOST_MISSING]), key=_age)
        before = [*(id_ for id_ in others if _age(id_) > _age(last)), *others][:older]
        self.unfinished = len(within) > _MOST_MISSING
        for id_ in (*within[:_MOST_MISSING], *before):
            try:
                found = await client.status(self._server, id_, self._context.http, self._tally)
            except FetchError:
                self.unfinished = bool(within)
                return last  # the server is busy; the next poll goes on
            if found is None:
                self.gone.append(f"{NETWORK}:{self._known[id_][0]}")
            else:
                await self._refresh(id_, found)
        return before[-1] if before else last

    async def _refresh(self, id_: str, body: bytes) -> None:
        try:
            page = await self._read(b"[" + body + b"]")
        except UnreadableError:
            return
        if id_ in page.left_out:
            self.gone.append(f"{NETWORK}:{self._known[id_][0]}")

    async def _read(self, body: bytes) -> Reading:
        page = await self._context.parser.run(read_statuses, body, self._server, self._unlisted)
        for activity in page.activities:
            self._found[activity.native_id] = activity
        for id_, key in page.ids.items():
            uri = key.removeprefix(f"{NETWORK}:")
            self._current[id_] = [uri, self._found[uri].entry_digest[:_DIGEST]]
        self._left_out += len(page.left_out)
        self.unread += page.unread
        return page


def _age(id_: str) -> tuple[int, str]:
    """Return a sort key: ids are numbers or begin with their time, so later ones are greater."""
    return len(id_), id_
