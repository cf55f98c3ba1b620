"""Compare a page of videos with the known ones: new and edited videos, their details, and removals.

A video is removed only if a lookup by its id shows that the API doesn't have it. A feed lists the newest 15, so that a
video missing from it may still exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aggregator.domain.errors import SourceError
from aggregator.sources.youtube.api import in_words
from aggregator.sources.youtube.normalise import activity_of, digest_of, keys_of, native_id
from aggregator.sources.youtube.videos import MOST_VIDEOS, Page, Sort, Video, read_feed, read_playlist

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.polling.results import UnreadEntry
    from aggregator.source_api.kind import PollContext
    from aggregator.sources.youtube.api import DataApi

_DIGEST = 16  # hexadecimal digits
_FROM_API = "The feeds of YouTube do not answer; the API is read instead."
_CONTRADICTION = "The API has none of the listed videos, which is not believed."
# Values of the option `exclude`, and the sorts that they leave out.
EXCLUDABLE: Mapping[str, frozenset[Sort]] = {
    "live": frozenset({Sort.LIVE, Sort.PLANNED}),
    "premieres": frozenset({Sort.PREMIERE}),
    "recordings": frozenset({Sort.RECORDING}),
    "shorts": frozenset({Sort.SHORT}),
}


class Known(NamedTuple):
    """The state of a video between polls."""

    listed: str  # digest of the entry in the feed or playlist
    placed: float  # when it was published
    stored: str  # digest of the activity; "": it was left out
    short: bool
    detailed: bool


class VideoTimeline:
    """The videos of a source: those known from earlier polls, and those that this poll reads.

    Args:
        known: as stored, by id.
        api: the API; None: there is no key.
        context: clients, clock and settings.
        excluded: values of `EXCLUDABLE`.
        from_api: whether the page is one of the API, and not a feed.
    """

    def __init__(
        self,
        known: Mapping[str, Any],
        api: DataApi | None,
        context: PollContext,
        excluded: Collection[str],
        *,
        from_api: bool,
    ) -> None:
        self._known = {id_: entry for id_, kept in known.items() if (entry := _known(kept)) is not None}
        self._api, self._context, self._from_api = api, context, from_api
        self._left_out = frozenset(sort for name in excluded for sort in EXCLUDABLE.get(name, ()))
        self._page = Page({})
        self._current: dict[str, Known] = {}
        self._activities: dict[str, NewActivity] = {}
        self._removed: list[str] = []
        self._notes: list[str] = [_FROM_API] if from_api else []
        self.unfinished = from_api  # the next poll reads the feed in any case
        self.unread: list[UnreadEntry] = []

    @property
    def title(self) -> str:
        """The title of the feed or, from the API, of the channel."""
        return self._page.title

    @property
    def gone(self) -> list[str]:
        """The keys of known videos that were removed."""
        return [key for id_ in self._removed for key in keys_of(id_)]

    @property
    def unchanged(self) -> list[str]:
        """The native ids of videos that this poll read and that are as before."""
        return [native_id(id_) for id_ in self._current if id_ not in self._activities]

    def activities(self) -> list[NewActivity]:
        """Return new and edited videos, oldest first."""
        return sorted(self._activities.values(), key=lambda found: found.content.published or self._context.clock())

    def newest(self, number: int) -> dict[str, list[Any]]:
        """Return the newest videos for the next poll."""
        entries = {**self._known, **self._current}
        ids = sorted(entries.keys() - set(self._removed), key=lambda id_: (entries[id_].placed, id_))
        return {id_: [*entries[id_]] for id_ in ids[-number:]}

    def note(self) -> str | None:
        """Return notes for people."""
        return " ".join(self._notes) or None

    async def read(self, body: bytes) -> None:
        """Read the page.

        Raises:
            UnreadableError: it is none.
        """
        self._page = await self._context.parser.run(read_playlist if self._from_api else read_feed, body)

    async def fill_gap(self, address: Callable[[str], str]) -> None:
        """Do nothing: feeds have one page."""

    async def look_for_removals(self, older: int, last: str = "") -> str:
        """Request details of new videos from the API and, if `older` isn't 0, the state of known ones.

        Args:
            older: how many videos that left the page to ask for.
            last: the video at which the last poll ended.

        Returns:
            the video at which the next poll goes on.
        """
        ids, following = self._to_ask(older, last)
        details: Mapping[str, Video | None] = {}
        requested: Sequence[str] = ()
        if self._api is not None and ids:
            try:
                details, requested = await self._api.videos(ids), ids
            except SourceError as problem:
                self._notes.append(in_words(problem))
                self.unfinished = self.unfinished or any(self._needs_details(id_) for id_ in self._page.videos)
                following = last
        if requested and not details and self._page.videos.keys() & set(requested) and len(requested) > 1:
            self._notes.append(_CONTRADICTION)
            requested, following = (), last
        self._take(details, requested)
        return following

    def _to_ask(self, older: int, last: str) -> tuple[list[str], str]:
        """Return the ids of videos to ask for, those that lack details first, and the last of the older ones."""
        listed = list(self._page.videos)
        lacking = [id_ for id_ in listed if self._needs_details(id_)]
        if not older:
            return lacking[:MOST_VIDEOS], last
        again = [*lacking, *(id_ for id_ in listed if id_ not in lacking)]
        others = sorted(self._known.keys() - set(listed))
        room = max(min(older, MOST_VIDEOS - len(again)), 0)
        rota = [*(id_ for id_ in others if id_ > last), *(id_ for id_ in others if id_ <= last)][:room]
        return [*again, *rota][:MOST_VIDEOS], rota[-1] if rota else last

    def _needs_details(self, id_: str) -> bool:
        known, listed = self._known.get(id_), _listed(self._page.videos[id_])
        return known is None or not known.detailed or (known.listed != listed and not self._from_api)

    def _take(self, details: Mapping[str, Video | None], requested: Collection[str]) -> None:
        for id_ in requested:
            found, known = details.get(id_), self._known.get(id_)
            if found is not None:
                entry = self._page.videos.get(id_)
                self._keep(found.with_short(short=self._is_short(entry, known)), entry)
            elif known is not None:
                self._removed.append(id_)
        for id_, entry in self._page.videos.items():
            if id_ not in requested:
                self._keep_listed(id_, entry)

    def _is_short(self, entry: Video | None, known: Known | None) -> bool:
        """Return whether a video is a short, which only the feed shows."""
        if entry is not None and not self._from_api:
            return entry.short
        return known is not None and known.short

    def _keep_listed(self, id_: str, entry: Video) -> None:
        """Keep a video of which there are no details now; those from before stay until there are newer ones."""
        known = self._known.get(id_)
        same = known is not None and (known.listed == _listed(entry) or self._from_api)
        if known is not None and (same or (known.detailed and self._api is not None)):
            self._current[id_] = known
        else:
            self._keep(entry.with_short(short=self._is_short(entry, known)), entry)

    def _keep(self, video: Video, entry: Video | None) -> None:
        known = self._known.get(video.id)
        digest = "" if video.sort in self._left_out else digest_of(video)[:_DIGEST]
        listed = _listed(entry) if entry is not None and not self._from_api else known.listed if known else ""
        placed = video.published.timestamp() if video.published else self._context.clock().timestamp()
        self._current[video.id] = Known(listed, placed, digest, video.short, video.detailed)
        if digest and (known is None or known.stored != digest):
            self._activities[video.id] = activity_of(video)


def _listed(entry: Video) -> str:
    return digest_of(entry)[:_DIGEST]


def _known(kept: object) -> Known | None:
    """Return an entry as it was stored."""
    match kept:
        case [str(listed), int() | float() as placed, str(stored), bool(short), bool(detailed)]:
            return Known(listed, placed, stored, short, detailed)
    return None
