"""Read a timeline from the last position, page by page, without losing or repeating a post."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from aggregator.domain.errors import SourceError
from aggregator.sources.twitter import errors
from aggregator.sources.twitter.normalise import moment_of, normalise_page
from aggregator.sources.twitter.read_budget import PAGES
from aggregator.sources.twitter.references import editable_until, with_edit_windows
from aggregator.sources.twitter.snowflakes import id_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from aggregator.domain.activity import Actor, NewActivity
    from aggregator.domain.polling.results import UnreadEntry
    from aggregator.sources.twitter.read_budget import ReadQuota

CLOCK_MARGIN = timedelta(hours=1)  # by which our clock may be ahead of X's
LONGEST_TOKEN = 500  # characters


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
    and all posts from `until` to `high` were read. If it ended on pages without posts, `token` leads to the page after
    them, in the pages below `below`.
    """

    since: int | None = None
    until: int | None = None
    high: int | None = None
    token: str | None = None
    below: int | None = None

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Watermark:
        """Load it from a fetch state; invalid ids and tokens are ignored."""
        token = str(state.get("page_token") or "")
        usable = token if len(token) <= LONGEST_TOKEN and token.isprintable() else ""
        since, until, high, below = (
            _id(state.get(name)) for name in ("since_id", "until_id", "high_id", "page_until_id")
        )
        return cls(since, until, high, usable or None, below if usable else None)

    def state(self) -> dict[str, str]:
        """Return the JSON fields for the fetch state."""
        pairs = (
            ("since_id", self.since),
            ("until_id", self.until),
            ("high_id", self.high),
            ("page_token", self.token),
            ("page_until_id", self.below),
        )
        return {name: str(value) for name, value in pairs if value is not None}

    @property
    def is_first(self) -> bool:
        """Return whether no post of the timeline was ever read."""
        return self.since is None and self.until is None

    def read(self, ids: list[int], *, more: bool) -> Watermark:
        """Return the position after a page with these ids; `more` means that older posts of the same range follow."""
        known = [value for value in (self.high, *ids) if value is not None]
        high = max(known, default=None)
        if more and not self.is_first:
            until = min([value for value in (self.until, *ids) if value is not None], default=None)
            return Watermark(self.since, until, high)
        return Watermark(since=max([value for value in (self.since, high) if value is not None], default=None))

    def without_gap(self) -> Watermark:
        """Return the position after the posts that an early end left out, which are given up."""
        return Watermark(since=max((v for v in (self.since, self.high, self.until) if v is not None), default=None))

    def passed(self, boundary: int) -> Watermark:
        """Return the position if all posts up to a boundary were read or left out by X."""
        return replace(self, high=max(boundary, self.high or 0))


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
    lost: bool = False  # posts of an earlier gap can't be read any more
    empty_pages: int = 0  # pages without posts at the end of the poll, although older pages followed

    def add_page(self, payload: Mapping[str, Any], account: Actor | None) -> None:
        """Add a page."""
        content = normalise_page(payload, account=account)
        self.activities += with_edit_windows(content.activities, payload)
        self.unread += content.unread
        found = [post for post in payload.get("data") or [] if isinstance(post, dict)]
        times = [moment for post in found if (moment := moment_of(post.get("created_at")))]
        editable = [moment for post in found if (moment := editable_until(post))]
        self.posts += len(found)
        self.oldest = _first([self.oldest, *times])
        self.newest = _last([self.newest, *times])
        self.editable = _last([self.editable, *editable])


async def read(
    fetch: PageFetcher, who: str, mark: Watermark, account: Actor | None, quota: ReadQuota, now: datetime
) -> ReadResult:
    """Read new posts within the quota: first the gap of an earlier poll, then from the newest down.

    Pages without posts are free and don't count against the quota: X cuts the pages before it leaves posts out.

    Args:
        fetch: fetches a page.
        who: the account's name for people.
        mark: the last position.
        account: the author of posts without an author in the response; None for any author.
        quota: the limits. If it skips, only the newest posts are read, and those between them and the last poll are
            left out.
        now: the present time.

    Raises:
        SourceError: the first page could not be fetched.
    """
    given_up = quota.skipping and mark.until is not None
    reader = _Reader(fetch, quota, ReadResult(mark.without_gap() if given_up else mark), id_at(now - CLOCK_MARGIN))
    result = reader.result
    for number in range(max(quota.pages, PAGES)):
        try:
            payload = await reader.fetch()
            _check(payload, who)
            result.add_page(payload, account)
        except SourceError as error:
            if number == 0:
                raise
            result.error = error
            break
        if not reader.goes_on(_ids(payload), _token(payload)):
            break
    reader.finish()
    newest_first = {activity.key: activity for activity in reversed(result.activities)}  # edited during the read
    result.activities = sorted(newest_first.values(), key=lambda activity: int(activity.native_id))
    return result


class _Reader:
    """The position within one poll: the range that is read, and the token of its next page."""

    def __init__(self, fetch: PageFetcher, quota: ReadQuota, result: ReadResult, boundary: int) -> None:
        self.result = result
        self._fetch = fetch
        self._quota = quota
        self._boundary = boundary
        self._full_pages = 0
        self._tokens: set[str] = set()  # sent in this poll
        self._dropped: set[str] = set()  # parameters that X refused
        self._more = False  # older pages of the range follow
        self._begin()

    def _begin(self) -> None:
        """Begin to read the range that the mark leaves open."""
        mark = self.result.mark
        self._token = mark.token
        self._since, self._until = mark.since, mark.below if mark.token else mark.until
        self._from_top = mark.until is None and mark.token is None
        self._is_silent = True  # no page of the range had posts

    async def fetch(self) -> Mapping[str, Any]:
        """Fetch the next page; without a position that X refuses, once each.

        Raises:
            SourceError: there was no usable response.
        """
        while True:
            parameters = self._parameters()
            try:
                return await self._fetch(**parameters)
            except errors.CursorError as error:
                refused = (error.cursors & parameters.keys()) - self._dropped
                if not refused:
                    raise
                self._drop(refused)

    def _parameters(self) -> dict[str, object]:
        parameters = {
            "max_results": self._quota.first if self.result.mark.is_first else self._quota.page,
            "since_id": None if "since_id" in self._dropped else self._since,
            "until_id": self._until,
            "pagination_token": self._token,
        }
        return {name: value for name, value in parameters.items() if value is not None}

    def _drop(self, refused: AbstractSet[str]) -> None:
        """Continue without positions that X no longer accepts."""
        self._dropped |= refused
        mark = self.result.mark
        if "until_id" in refused:
            self.result.lost = True
            self.result.mark = mark.without_gap()
        elif "pagination_token" in refused:
            self.result.mark = replace(mark, token=None, below=None)
        self._begin()

    def goes_on(self, ids: list[int], token: str | None) -> bool:
        """Note a page; return whether to fetch another one."""
        result, quota = self.result, self._quota
        reached = self._since is not None and any(id_ <= self._since for id_ in ids)  # where `since_id` was not sent
        more = token is not None and not reached
        looping = token in self._tokens
        self._token = None if looping else token
        self._tokens.add(token or "")
        self._full_pages += bool(ids)
        is_last = bool(ids) and (result.mark.is_first or (quota.skipping and self._full_pages >= quota.pages))
        self._is_silent &= not ids
        if self._is_silent and more and self._from_top:
            result.mark = result.mark.passed(self._boundary)
        result.empty_pages = 0 if ids else result.empty_pages + more
        result.skipped = more and is_last and not result.mark.is_first
        self._more = more and not is_last
        result.whole = not more
        self._move(ids)
        if self._more:
            return not looping and self._full_pages < quota.pages
        if self._from_top or self._full_pages >= quota.pages:
            return False
        self._begin()  # the gap is closed; continue with newer posts
        return True

    def _move(self, ids: list[int]) -> None:
        """Move the mark past a page."""
        mark = self.result.mark
        if self._more and mark.is_first:  # no posts yet
            return
        self.result.mark = mark.read(ids, more=self._more)

    def finish(self) -> None:
        """Keep the place behind pages without posts, which no id describes."""
        result = self.result
        if self._more and result.empty_pages and self._token is not None:
            result.mark = replace(result.mark, token=self._token, below=self._until)
        result.whole = result.whole and result.mark.until is None


def _check(payload: Mapping[str, Any], who: str) -> None:
    """Raise an error if a response has errors and no posts, so that it does not count as an empty timeline."""
    if not payload.get("data") and payload.get("errors") and _token(payload) is None:
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


def _first(moments: Iterable[datetime | None]) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _last(moments: Iterable[datetime | None]) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)
