"""Read a timeline from the last position, page by page, without losing or repeating a post."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from aggregator.domain.errors import SourceError
from aggregator.sources.twitter import errors
from aggregator.sources.twitter.normalise import moment_of, normalise_page

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from aggregator.domain.activity import Actor, NewActivity
    from aggregator.domain.polling.results import UnreadEntry
    from aggregator.sources.twitter.read_budget import ReadQuota


class PageFetcher(Protocol):
    """Fetches one page, newest first."""

    async def __call__(self, **parameters: Any) -> Mapping[str, Any]:  # noqa: ANN401  # X's own parameters
        """Fetch a page with `max_results`, `since_id`, `until_id`, `pagination_token`.

        Raises:
            SourceError: there was no usable response.
        """
        ...


@dataclass(frozen=True, slots=True)
class Watermark:
    """The position up to which a timeline is read. Ids are compared as numbers.

    All posts up to `since` were read. If a poll ended early, the posts between `since` and `until` are still missing,
    and all posts from `until` to `high` were read.
    """

    since: int | None = None
    until: int | None = None
    high: int | None = None

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Watermark:
        """Load it from a fetch state; invalid ids are ignored."""
        return cls(*(_id(state.get(name)) for name in ("since_id", "until_id", "high_id")))

    def state(self) -> dict[str, str]:
        """Return the JSON fields for the fetch state."""
        pairs = (("since_id", self.since), ("until_id", self.until), ("high_id", self.high))
        return {name: str(value) for name, value in pairs if value is not None}

    @property
    def is_first(self) -> bool:
        """Return whether the timeline was never read."""
        return self.since is None and self.until is None

    def read(self, ids: list[int], *, more: bool) -> Watermark:
        """Return the position after a page with these ids; `more` means that older posts of the same range follow."""
        known = [value for value in (self.high, *ids) if value is not None]
        high = max(known, default=None)
        if more and not self.is_first:
            until = min([value for value in (self.until, *ids) if value is not None], default=None)
            return replace(self, until=until, high=high)
        return Watermark(since=max([value for value in (self.since, high) if value is not None], default=None))


@dataclass
class ReadResult:
    """The result of a read; `error` is the reason for an early end after at least one page."""

    mark: Watermark
    activities: list[NewActivity] = field(default_factory=list)
    error: SourceError | None = None
    posts: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    editable: datetime | None = None  # end of the edit window of the newest post
    whole: bool = True  # False: posts remain, or were left out
    skipped: bool = False  # posts were left out permanently
    unread: list[UnreadEntry] = field(default_factory=list)

    def add_page(self, payload: Mapping[str, Any], account: Actor | None) -> None:
        """Add a page."""
        content = normalise_page(payload, account=account)
        self.activities += content.activities
        self.unread += content.unread
        found = [post for post in payload.get("data") or [] if isinstance(post, dict)]
        times = [moment for post in found if (moment := moment_of(post.get("created_at")))]
        editable = [moment for post in found if (moment := _editable(post))]
        self.posts += len(found)
        self.oldest = _first([self.oldest, *times])
        self.newest = _last([self.newest, *times])
        self.editable = _last([self.editable, *editable])


async def read(fetch: PageFetcher, who: str, mark: Watermark, account: Actor | None, quota: ReadQuota) -> ReadResult:
    """Read new posts within the quota: first the gap of an earlier poll, then from the newest down.

    Args:
        fetch: fetches a page.
        who: the account's name for people.
        mark: the last position.
        account: the author of posts without an author in the response; None for any author.
        quota: the limits. If it skips, only the newest posts are read, and those between them and the last poll are
            left out.

    Raises:
        SourceError: the first page could not be fetched.
    """
    if quota.skipping and mark.until is not None:
        mark = Watermark(since=max(value for value in (mark.since, mark.high, mark.until) if value is not None))
    reading = ReadResult(mark)
    token: str | None = None
    bounds = reading.mark  # since and until stay constant while a token is followed
    for number in range(quota.pages):
        try:
            payload = await fetch(**_question(bounds, token, quota))
            _check(payload, who)
            reading.add_page(payload, account)
        except SourceError as error:
            if number == 0:
                raise
            reading.error = error
            break
        token = _token(payload)
        reading.skipped = token is not None and quota.skipping and not bounds.is_first
        reading.mark = reading.mark.read(_ids(payload), more=token is not None and not quota.skipping)
        if token is None or bounds.is_first or quota.skipping:
            if bounds.until is None:
                break
            token, bounds = None, reading.mark  # the gap is closed; continue with newer posts
    reading.whole = token is None and reading.mark.until is None
    newest_first = {activity.key: activity for activity in reversed(reading.activities)}  # edited during the read
    reading.activities = sorted(newest_first.values(), key=lambda activity: int(activity.native_id))
    return reading


def _question(mark: Watermark, token: str | None, quota: ReadQuota) -> dict[str, object]:
    parameters = {
        "max_results": quota.first if mark.is_first else quota.page,
        "since_id": mark.since,
        "until_id": mark.until,
        "pagination_token": token,
    }
    return {name: value for name, value in parameters.items() if value is not None}


def _check(payload: Mapping[str, Any], who: str) -> None:
    """Raise an error if a response has errors and no posts, so that it does not count as an empty timeline."""
    if not payload.get("data") and payload.get("errors"):
        raise errors.from_errors(payload["errors"], who)


def _token(payload: Mapping[str, Any]) -> str | None:
    meta = payload.get("meta")
    token = meta.get("next_token") if isinstance(meta, dict) else None
    return str(token) if token else None


def _ids(payload: Mapping[str, Any]) -> list[int]:
    found = [_id(post.get("id")) for post in payload.get("data") or [] if isinstance(post, dict)]
    return [id_ for id_ in found if id_ is not None]


def _id(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len("9223372036854775807") else None


def _editable(post: Mapping[str, Any]) -> datetime | None:
    controls = post.get("edit_controls")
    if not isinstance(controls, dict) or controls.get("is_edit_eligible") is False:
        return None
    return moment_of(controls.get("editable_until"))


def _first(moments: Iterable[datetime | None]) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _last(moments: Iterable[datetime | None]) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)
