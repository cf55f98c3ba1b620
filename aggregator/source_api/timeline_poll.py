"""Poll a timeline of an API, and compare it with the entries that are known from earlier polls.

A poll requests the first page. If that is as before, nothing more is read; else the kind's `Timeline` reads it, fills a
gap to the known entries, and looks up entries that may have been removed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from aggregator.domain.polling.results import Discovery, FetchResult, PublisherHints
from aggregator.domain.polling.schedule import DOCUMENT_FLOOR, PRIVATE_FLOOR
from aggregator.source_api.documents import facts_of
from aggregator.text.urls import slug

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.polling.results import UnreadEntry
    from aggregator.domain.source import Json
    from aggregator.fetching.response import Response
    from aggregator.source_api.kind import SourceKind

CHECK_EVERY = timedelta(hours=1)


class Timeline(Protocol):
    """The entries of a source: those known from earlier polls, and those that this poll reads."""

    unread: list[UnreadEntry]
    unfinished: bool  # entries are missing that were not looked up yet, so the next poll reads the same page again

    @property
    def gone(self) -> Sequence[str]:
        """The keys of known entries that were removed."""
        ...

    @property
    def unchanged(self) -> Collection[str]:
        """The native ids of entries that this poll read and that are as before."""
        ...

    def activities(self) -> Sequence[NewActivity]:
        """Return new and edited entries, oldest first."""
        ...

    def newest(self, number: int) -> Mapping[str, Json]:
        """Return the newest entries for the next poll."""
        ...

    def note(self) -> str | None:
        """Return a note about entries that were left out."""
        ...

    async def read(self, body: bytes) -> None:
        """Read the first page.

        Raises:
            UnreadableError: it is no list of entries.
        """
        ...

    async def fill_gap(self, address: Callable[[str], str]) -> None:
        """Read the entries between the first page and those that are known.

        Args:
            address: of the page at a cursor.
        """
        ...

    async def look_for_removals(self, older: int, last: str = "") -> str:
        """Look up known entries that are missing where they should be, and some older ones.

        Args:
            older: how many entries from before the first page to look up.
            last: the entry at which the last poll ended.

        Returns:
            the entry at which the next poll goes on.
        """
        ...


@dataclass(frozen=True, slots=True)
class TimelinePoll:
    """A poll of one timeline.

    Attributes:
        url: of the first page.
        basis: what else the known entries depend on, such as the version of the reader: if it changed, all are read.
        state: as the last poll stored it.
        now: the time.
        most_known: entries whose removal is noticed.
        most_checks: entries from before the first page that are looked up every hour.
    """

    url: str
    basis: Mapping[str, Json]
    state: Mapping[str, Any]
    now: datetime
    most_known: int
    most_checks: int

    @property
    def known(self) -> Mapping[str, Any]:
        """The state of the last poll if it is about the same entries, else an empty one."""
        expected = {"url": self.url, **self.basis}
        return self.state if all(self.state.get(name) == value for name, value in expected.items()) else {}

    @property
    def check_due(self) -> bool:
        """Whether entries that left the first page are looked up again."""
        last = self.known.get("checked")
        return last is None or not timedelta() <= self.now - datetime.fromisoformat(last) < CHECK_EVERY

    @property
    def etag(self) -> str | None:
        """The validator for a request of the first page; None if it must be read."""
        return None if self.check_due else self.known.get("etag")

    async def result(
        self,
        response: Response,
        timeline: Callable[[Mapping[str, Any]], Timeline],
        gap: Callable[[str], str] | None,
        hints: PublisherHints,
    ) -> FetchResult:
        """Return new, edited and removed entries since the last poll.

        Args:
            response: the first page.
            timeline: makes the timeline from the known entries.
            gap: the address of the page at a cursor; None: pages have no order, so there are no gaps.
            hints: of the response.

        Raises:
            SourceError: a response was not usable.
        """
        known, check_due, facts = self.known, self.check_due, facts_of(response)
        digest = hashlib.sha256(response.body).hexdigest()
        if response.status == 304 or (digest == known.get("digest") and not check_due):  # noqa: PLR2004
            return FetchResult(state=known, unchanged=True, hints=hints, facts=facts)
        entries = timeline(known.get("known") or {})
        await entries.read(response.body)
        if gap is not None:
            await entries.fill_gap(gap)
        last = str(known.get("looked_up") or "")
        looked_up = await entries.look_for_removals(self.most_checks if check_due else 0, last)
        return FetchResult(
            entries.activities(),
            self._state(entries, response.headers.get("ETag"), digest, looked_up),
            gone=entries.gone,
            hints=hints,
            skipped=len(entries.unchanged),
            present=entries.unchanged,
            note=entries.note(),
            facts=facts,
            unread=entries.unread,
        )

    def _state(self, entries: Timeline, etag: str | None, digest: str, looked_up: str) -> dict[str, Json]:
        """Return the state for the next poll, which reads an unfinished page again."""
        return {
            "url": self.url,
            **self.basis,
            "etag": None if entries.unfinished else etag,
            "digest": None if entries.unfinished else digest,
            "known": entries.newest(self.most_known),
            "checked": self.now.isoformat() if self.check_due else self.known.get("checked"),
            "looked_up": looked_up,
            "note": entries.note(),
        }

    def account_gone(self, note: str) -> FetchResult:
        """Return that the account doesn't exist any more, so that all items of the source are removed."""
        state = {**self.state, "known": {}, "digest": None, "etag": None, "note": note}
        return FetchResult(state=state, account_gone=True, note=note)


def hints_until(until: datetime | None, now: datetime, header: str) -> PublisherHints:
    """Return hints to send no request before a time, with the header that has it."""
    return PublisherHints() if until is None else PublisherHints(at_least=until - now, why=header)


def discovered(
    kind: SourceKind,
    host: str,
    address: str,
    name: str,
    response: Response,
    result: FetchResult,
    options: Mapping[str, Json],
    notes: Sequence[str] = (),
) -> Discovery:
    """Return a timeline as a source.

    Args:
        kind: of source.
        host: that serves it.
        address: of the source.
        name: for people.
        response: the first page.
        result: of the first poll.
        options: of the source.
        notes: for people.
    """
    return Discovery(
        kind=kind.name,
        address=address,
        host=host,
        name=name[:200],
        slug=slug(name) or slug(address) or kind.name,
        every=None,
        floor=PRIVATE_FLOOR if response.private else DOCUMENT_FLOOR,
        options=options,
        first_result=result,
        notes=notes,
    )
