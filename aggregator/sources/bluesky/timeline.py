"""Compare a timeline with the known entries: new and edited posts, gaps, and removals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.domain.errors import SourceError
from aggregator.sources.bluesky.client import MOST_URIS, AppView
from aggregator.sources.bluesky.labels import Hidden
from aggregator.sources.bluesky.network import NETWORK
from aggregator.sources.bluesky.normalise import NOWHERE, Entry, Reading, read_page, read_posts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.polling.results import UnreadEntry
    from aggregator.source_api.kind import PollContext

_MOST_PAGES = 5  # read to fill a gap
_MOST_MISSING = 4 * MOST_URIS  # posts missing from a page that are looked up in a poll
_DIGEST = 16  # hexadecimal digits


class Timeline:
    """The entries of a source: those known from earlier polls, and those that this poll reads.

    Args:
        known: digest, place and reposted post by native id, as stored.
        api: of the AppView.
        context: clients, clock and settings.
        no_reposts: whether reposts are left out.
        complete: whether a page has all entries between its first and last, so that a missing one was removed.
    """

    def __init__(
        self, known: Mapping[str, Any], api: AppView, context: PollContext, *, no_reposts: bool, complete: bool
    ) -> None:
        self._known = {id_: entry for id_, kept in known.items() if (entry := _entry(kept)) is not None}
        self._api, self._context = api, context
        self._no_reposts, self._complete = no_reposts, complete
        self._found: dict[str, NewActivity] = {}
        self._current: dict[str, Entry] = {}  # as `known`, of this poll
        self._hidden: dict[str, Hidden] = {}
        self._first = Reading()
        self._gone: dict[str, None] = {}  # native ids
        self.unfinished = False  # entries are missing that were not looked up yet
        self.unread: list[UnreadEntry] = []

    @property
    def gone(self) -> list[str]:
        """The keys of known entries that were removed."""
        return [f"{NETWORK}:{id_}" for id_ in self._gone]

    @property
    def unchanged(self) -> list[str]:
        """The native ids of entries that this poll read and that are as before."""
        return [id_ for id_, entry in self._current.items() if self._is_known(id_, entry)]

    def activities(self) -> list[NewActivity]:
        """Return new and edited entries, oldest first."""
        before = set(self.unchanged)
        changed = [found for id_, found in self._found.items() if id_ not in before]
        return sorted(changed, key=lambda found: found.content.published or self._context.clock())

    def newest(self, number: int) -> dict[str, list[Any]]:
        """Return the newest entries for the next poll."""
        entries = {**self._known, **self._current}
        ids = sorted((id_ for id_ in entries if id_ not in self._gone), key=lambda id_: entries[id_].placed)
        return {id_: [entries[id_].digest, entries[id_].placed, entries[id_].subject] for id_ in ids[-number:]}

    def note(self) -> str | None:
        """Return a note about posts that were left out."""
        reasons = set(self._hidden.values())
        notes = {
            Hidden.SIGNED_IN_ONLY: "Posts whose authors want no signed-out readers are left out.",
            Hidden.MODERATED: "Posts that moderators hide are left out.",
        }
        return " ".join(note for reason, note in notes.items() if reason in reasons) or None

    async def read(self, body: bytes) -> None:
        """Read the first page.

        Raises:
            UnreadableError: it is no list of posts.
        """
        self._first = await self._read(body)

    async def fill_gap(self, address: Callable[[str], str]) -> None:
        """Read the entries between the first page and those that are known.

        Args:
            address: of the page at a cursor.
        """
        page, cursors, seen = self._first, set[str](), set(self._first.ids)
        if not self._known:
            return
        for _ in range(_MOST_PAGES):
            if page.cursor is None or page.cursor in cursors or not self._known.keys().isdisjoint(page.ids):
                return
            cursors.add(page.cursor)
            response = await self._api.page(address(page.cursor))
            page = await self._read(response.body)
            if seen.issuperset(page.ids):
                return
            seen.update(page.ids)

    async def look_for_removals(self, older: int, last: str = "") -> str:
        """Look up known posts that are missing where they should be, and some older ones.

        Args:
            older: how many posts from before the first page to look up.
            last: the native id at which the last poll ended.

        Returns:
            the native id at which the next poll goes on.
        """
        self._withdraw(self._first.hidden)  # also unknown ones: an announced post was stored without a poll
        missing = [id_ for id_ in self._known if id_ not in self._current and id_ not in self._gone]
        within = self._within_first_page(missing) if self._complete else []
        if self._first.entries:
            # Reposts can't be looked up, but a page that lacks them shows that they were taken back.
            self._withdraw(id_ for id_ in within if self._known[id_].subject)
            within = [id_ for id_ in within if id_ not in self._gone]
        self.unfinished = len(within) > _MOST_MISSING
        others = sorted(set(missing).difference(within, self._gone))
        before = [*(id_ for id_ in others if id_ > last), *(id_ for id_ in others if id_ <= last)][:older]
        try:
            await self._look_up([*within[:_MOST_MISSING], *before])
        except SourceError:
            self.unfinished = bool(within)
            return last  # the service is busy, or answers something else; the next poll goes on
        return before[-1] if before else last

    async def has_posts(self) -> bool:
        """Look the known posts up, apart from reposts, and return whether there still is one.

        Raises:
            SourceError: a response was not usable.
        """
        await self._look_up([id_ for id_, entry in self._known.items() if not entry.subject])
        return bool(self._current)

    async def _look_up(self, ids: Sequence[str]) -> None:
        """Look known entries up by the ids of their posts; a repost is gone with the post."""
        subjects: dict[str, list[str]] = {}
        for id_ in ids:
            subjects.setdefault(self._known[id_].subject or id_, []).append(id_)
        uris = list(subjects)
        for start in range(0, len(uris), MOST_URIS):
            some = uris[start : start + MOST_URIS]
            page = await self._context.parser.run(read_posts, await self._api.posts(some))
            there = set(page.ids).difference(page.hidden)
            self._withdraw(id_ for uri in some if uri not in there for id_ in subjects[uri])
            self._keep(page, {uri for uri in some if uri in self._known and uri in there})

    def _within_first_page(self, missing: Iterable[str]) -> list[str]:
        entries = self._first.entries
        if not entries:
            all_hidden = set(self._first.ids) == set(self._first.hidden)  # or everything was removed
            return list(missing) if all_hidden else []
        start = min(entry.placed for entry in entries.values())
        return [id_ for id_ in missing if start < self._known[id_].placed < NOWHERE]

    def _withdraw(self, ids: Iterable[str]) -> None:
        self._gone.update(dict.fromkeys(ids))

    async def _read(self, body: bytes) -> Reading:
        page = await self._context.parser.run(read_page, body, self._no_reposts)
        self._keep(page, set(page.entries))
        self._hidden |= page.hidden
        self.unread += page.unread
        return page

    def _keep(self, page: Reading, ids: set[str]) -> None:
        for activity in page.activities:
            if activity.native_id in ids:
                self._found[activity.native_id] = activity
                entry = page.entries[activity.native_id]
                placed = min(entry.placed, self._known.get(activity.native_id, entry).placed)
                self._current[activity.native_id] = entry._replace(digest=entry.digest[:_DIGEST], placed=placed)

    def _is_known(self, id_: str, entry: Entry) -> bool:
        known = self._known.get(id_)
        return known is not None and known.digest == entry.digest


def _entry(kept: object) -> Entry | None:
    """Return an entry as it was stored."""
    match kept:
        case [str(digest), int() | float() as placed, str(subject)]:
            return Entry(digest, placed, subject)
    return None
