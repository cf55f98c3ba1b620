"""Translate X's error responses into the project's errors. Pure."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aggregator.domain.errors import (
    ApiChangedError,
    CapReachedError,
    CredentialsError,
    CreditsError,
    MissingAccountError,
    NotAllowedError,
    PausedError,
    ProtectedAccountError,
    SlowError,
    SourceError,
    StatusError,
    SuspendedAccountError,
    UnreachableError,
    UnreadableError,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from aggregator.sources.twitter.tokens import ReadToken

_LONGEST_PAUSE = timedelta(hours=25)  # X's longest window is a day; a later reset time means a wrong clock
_SHORTEST_PAUSE = timedelta(seconds=5)
# The prefixes of the headers of rate limit windows: the usual one, and those of a day for the app and for the user.
_WINDOWS = ("x-rate-limit", "x-app-limit-24hour", "x-user-limit-24hour")
_LONGEST_QUOTE = 200  # characters
_RESOURCE_PROBLEMS = frozenset(  # about the account or post, not about our access
    {"resource-not-found", "not-authorized-for-resource", "disallowed-resource", "resource-unavailable"}
)
_CAP = re.compile(r"(?i)usage.?cap|spend(ing)?.?(cap|limit)")
_SPACES = re.compile(r"\s+")
_UNKNOWN_PARAMETER = re.compile(r"query parameter \[([A-Za-z0-9_.]+)\]")
_QUOTED = re.compile(r"['`\"](since_id|until_id|pagination_token|next_token)['`\"]")
_BRACKETED = re.compile(r"\[([A-Za-z0-9_.]+)\]")
_CURSORS = {
    "since_id": "since_id",
    "until_id": "until_id",
    "pagination_token": "pagination_token",
    "next_token": "pagination_token",
}


class CursorError(StatusError):
    """X refused a position in a timeline: too old, or no longer known."""

    def __init__(self, message: str, cursors: Collection[str]) -> None:
        super().__init__(message, status=HTTPStatus.BAD_REQUEST)
        self.cursors = frozenset(cursors)  # of `since_id`, `until_id`, `pagination_token`


def from_status(
    status: int, headers: Mapping[str, str], body: bytes, now: datetime, token: ReadToken | None = None
) -> SourceError:
    """Return the error for a response with a status other than 2xx.

    A `PausedError` without `until` is a rate limit without a reset time.

    Args:
        status: the HTTP status.
        headers: of the response, names in lower case.
        body: of the response, JSON or not.
        now: aware, UTC.
        token: of the request.
    """
    reason = error_message(body)
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return CreditsError(
            f"X's prepaid credits are used up ({reason}). Buy credits in X's developer console; then polls resume by"
            " themselves within hours, or at once with 'aggregator budget resume'.",
            status=status,
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return _limited(reason, headers, body, now)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return _refused(status, reason, body, token)
    if status == HTTPStatus.BAD_REQUEST:
        return _malformed(reason, body)
    return StatusError(f"X responded with status {status} ({reason}).", status=status)


def _limited(reason: str, headers: Mapping[str, str], body: bytes, now: datetime) -> SourceError:
    status = HTTPStatus.TOO_MANY_REQUESTS
    if _is_cap(body):
        return CapReachedError(
            f"X's usage cap or spending limit is reached ({reason}). X is not called before its next cycle; raise "
            "the limit at X and run 'aggregator budget resume' to resume sooner.",
            status=status,
            until=_next_day(now) if (_decoded(body) or {}).get("period") == "Daily" else None,
        )
    return PausedError("X's rate limit is reached", until=reset_time(headers, now), status=status)


def _refused(status: int, reason: str, body: bytes, token: ReadToken | None) -> SourceError:
    """Return the error for 401 or 403. Only X's own problem JSON is a decision of X; a CDN may answer in its place."""
    problem = _decoded(body)
    is_token = status == HTTPStatus.UNAUTHORIZED
    if problem is None and (body.strip() or not is_token):
        outage = StatusError(
            f"Something between this server and X answered with status {status} ({reason}); this is not X's API.",
            status=status,
        )
        outage.failure_weight = 0.25
        return outage
    if is_token:
        name, remedy = (token.name, token.remedy) if token else ("the token", "")
        return CredentialsError(f"X refused {name} ({reason}). {remedy}".strip(), status=status)
    if _type_of(problem or {}) in _RESOURCE_PROBLEMS:
        return from_errors([problem], "the requested account", status)
    return NotAllowedError(
        f"X does not allow this call ({reason}). Check the app's access level and project at X; sources then resume"
        " by themselves.",
        status=status,
    )


def is_outage(error: SourceError) -> bool:
    """Return whether an error means that X itself is unavailable, as opposed to the account."""
    unavailable = error.status is not None and (
        error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        or error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    )
    return isinstance(error, SlowError | UnreachableError) or (isinstance(error, StatusError) and unavailable)


def _malformed(reason: str, body: bytes) -> StatusError:
    named = [
        name for name in _rejected_parameters(body) if name.endswith("fields") or name in {"expansions", "exclude"}
    ]
    if named:
        return ApiChangedError(
            f"X's API has changed: it rejected {', '.join(sorted(named))} ({reason}). Try the "
            "other AGGREGATOR_X_VOCABULARY, or a newer version of this program.",
            status=HTTPStatus.BAD_REQUEST,
        )
    if cursors := _refused_cursors(body):
        return CursorError(f"X refused {', '.join(sorted(cursors))} ({reason}).", cursors)
    return StatusError(
        f"X refused the request as malformed ({reason}). Its API may have changed; look for a newer version of this"
        " program.",
        status=HTTPStatus.BAD_REQUEST,
    )


def refused_expansions(body: bytes, sent: Collection[str]) -> set[str]:
    """Return the requested expansions that an error response rejects."""
    return _rejected_parameters(body).get("expansions", set()) & set(sent)


def _refused_cursors(body: bytes) -> set[str]:
    """Return the positions that an error response rejects, by the names that timelines use."""
    named = set(_rejected_parameters(body)) | set(_QUOTED.findall(error_message(body)))
    return {_CURSORS[name] for name in named if name in _CURSORS}


def _rejected_parameters(body: bytes) -> dict[str, set[str]]:
    """Return the rejected parameters of an error response, each with its rejected values."""
    found: dict[str, set[str]] = {}
    errors = (_decoded(body) or {}).get("errors")
    for error in errors if isinstance(errors, list) else []:
        if not isinstance(error, dict):
            continue
        message = str(error.get("message", ""))
        if unknown := _UNKNOWN_PARAMETER.search(message):
            found[unknown[1]] = set()
        parameters = error.get("parameters")
        for name, values in parameters.items() if isinstance(parameters, dict) else ():
            # The message names the rejected value first, then all valid ones.
            wrong = _BRACKETED.search(message)
            given = {str(value) for value in values} if isinstance(values, list) else set()
            found[str(name)] = {wrong[1]} if wrong else given
    return found


def from_errors(errors: object, who: str, status: int = 200) -> SourceError:
    """Return the error for a response that has only `errors`; `who` is the account's name for people."""
    first: Mapping[str, Any] = {}
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        first = errors[0]
    reason = _sentence(first) or "no reason given"
    type_ = _type_of(first)
    if "suspended" in reason.casefold():
        return SuspendedAccountError(f"X says that {who} is suspended: {reason}", status=status)
    if type_ == "resource-not-found":
        return MissingAccountError(
            f"X has no account {who}: {reason} Check the spelling, or whether the account was renamed.", status=status
        )
    if type_ in _RESOURCE_PROBLEMS:
        return ProtectedAccountError(
            f"X does not let us read {who}, probably because it is protected: {reason}", status=status
        )
    return UnreadableError(f"X returned no posts of {who}, only an error: {reason}", status=status)


def reset_time(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """Return the end of a response's rate limit, within plausible limits, or None if it is not given.

    Windows that are used up count, the longest one last; X has windows of 15 minutes and of 24 hours. If none is
    reported as used up, it is the usual window.
    """
    windows = [window for window in _WINDOWS if _remaining(headers, window) == 0] or [_WINDOWS[0]]
    resets = [reset for window in windows if (reset := _reset(headers, window)) is not None]
    return min(max(*resets, now + _SHORTEST_PAUSE), now + _LONGEST_PAUSE) if resets else None


def is_exhausted(headers: Mapping[str, str]) -> bool:
    """Return whether a successful response used the last call of a rate limit window."""
    return any(_remaining(headers, window) == 0 for window in _WINDOWS)


def _reset(headers: Mapping[str, str], window: str) -> datetime | None:
    text = headers.get(f"{window}-reset", "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > len("9999999999"):
        return None
    return datetime.fromtimestamp(int(text), UTC)


def _remaining(headers: Mapping[str, str], window: str) -> int | None:
    text = headers.get(f"{window}-remaining", "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len("9999999999") else None


def error_message(body: bytes) -> str:
    """Return the error message of a response body, shortened to one line."""
    decoded = _decoded(body)
    if decoded is None:
        return "response without JSON" if body else "no details given"
    errors = decoded.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    return _sentence(first) or _sentence(decoded) or "no details given"


def _is_cap(body: bytes) -> bool:
    """Return whether a 429 is a usage cap or a spending limit instead of a rate limit."""
    decoded = _decoded(body) or {}
    return any(_CAP.search(str(decoded.get(name, ""))) for name in ("title", "type", "detail"))


def _next_day(now: datetime) -> datetime:
    """Return the next midnight, UTC."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _type_of(problem: Mapping[str, Any]) -> str:
    """Return the last part of a problem's type, which X gives under several host names."""
    return str(problem.get("type", "")).rpartition("/")[2]


def _decoded(body: bytes) -> Mapping[str, Any] | None:
    try:
        decoded = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


def _sentence(problem: Mapping[str, Any]) -> str:
    for name in ("detail", "message", "title"):
        words = problem.get(name)
        if isinstance(words, str) and words.strip():
            return _SPACES.sub(" ", words).strip()[:_LONGEST_QUOTE]
    return ""
