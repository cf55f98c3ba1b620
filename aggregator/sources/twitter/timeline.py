"""Reading an account's timeline from where we left it, page by page, without losing or repeating a post."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from aggregator.errors import SourceError
from aggregator.sources.twitter import problems
from aggregator.sources.twitter.normalise import actor_of, normalise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.activity import Actor, NewActivity

PAGES = 5  # at most, in one poll
FIRST_RUN = 40  # posts; the past of an account may be 3,200 posts long, and each is billed
PAGE = 100  # posts


class Pages(Protocol):
    """Where pages come from."""

    async def timeline(self, user_id: str, **asked: object) -> Mapping[str, Any]:
        """Return one page, newest first."""
        ...


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a timeline is read. Ids are compared as numbers.

    Everything up to `since` was read. Where a poll ended before it got down to there, posts between `since` and
    `until` are missing, and everything from there up to `high` was read.
    """

    since: int | None = None
    until: int | None = None
    high: int | None = None

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Watermark:
        """Read it from a fetch state; what is no id counts as not there."""
        return cls(*(_id(state.get(name)) for name in ("since_id", "until_id", "high_id")))

    def state(self) -> dict[str, str]:
        """Return it for a fetch state."""
        pairs = (("since_id", self.since), ("until_id", self.until), ("high_id", self.high))
        return {name: str(value) for name, value in pairs if value is not None}

    @property
    def is_first(self) -> bool:
        """Whether nothing was ever read."""
        return self.since is None and self.until is None

    def read(self, ids: list[int], *, more: bool) -> Watermark:
        """Return it after a page with these ids; `more` says that older ones of the same span follow."""
        known = [value for value in (self.high, *ids) if value is not None]
        high = max(known, default=None)
        if more and not self.is_first:
            until = min([value for value in (self.until, *ids) if value is not None], default=None)
            return replace(self, until=until, high=high)
        return Watermark(since=max([value for value in (self.since, high) if value is not None], default=None))


@dataclass
class Reading:
    """What reading brought; `error` is why it ended early, when something had been read by then."""

    mark: Watermark
    activities: list[NewActivity] = field(default_factory=list)
    account: Actor | None = None
    error: SourceError | None = None


async def read(pages: Pages, user_id: str, mark: Watermark, account: Actor) -> Reading:
    """Read what is new: first what an earlier poll left out, then from the newest down, within `PAGES`.

    Raises:
        SourceError: the first page could not be had.
    """
    reading = Reading(mark)
    token: str | None = None
    asked = reading.mark  # since and until stay the same while a token is followed
    for number in range(PAGES):
        try:
            payload = await pages.timeline(user_id, **_question(asked, token))
            _check(payload, account)
            found = normalise(payload, account=account)
        except SourceError as error:
            if number == 0:
                raise
            reading.error = error
            break
        reading.activities += found
        reading.account = _described(payload, user_id) or reading.account
        token = _token(payload)
        reading.mark = reading.mark.read(_ids(payload), more=token is not None)
        if token is None or asked.is_first:
            if asked.until is None:
                break
            token, asked = None, reading.mark  # the gap is filled; now what came since
    newest_first = {activity.key: activity for activity in reversed(reading.activities)}  # an edit while we read
    reading.activities = sorted(newest_first.values(), key=lambda activity: int(activity.native_id))
    return reading


def _question(mark: Watermark, token: str | None) -> dict[str, object]:
    asked = {
        "max_results": FIRST_RUN if mark.is_first else PAGE,
        "since_id": mark.since,
        "until_id": mark.until,
        "pagination_token": token,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _check(payload: Mapping[str, Any], account: Actor) -> None:
    """Raise where an answer has errors instead of posts: that is no empty timeline."""
    if not payload.get("data") and payload.get("errors"):
        raise problems.from_errors(payload["errors"], f"@{account.handle or account.native_id}")


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


def _described(payload: Mapping[str, Any], user_id: str) -> Actor | None:
    includes = payload.get("includes") or {}
    for user in includes.get("users") or []:
        if isinstance(user, dict) and str(user.get("id")) == user_id:
            return actor_of(user)
    return None
