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
    MissingAccountError,
    NotAllowedError,
    PausedError,
    ProtectedAccountError,
    SourceError,
    StatusError,
    SuspendedAccountError,
    UnreadableError,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_LONGEST_PAUSE = timedelta(hours=25)  # X's longest window is a day; a later reset time means a wrong clock
_SHORTEST_PAUSE = timedelta(seconds=5)
_LONGEST_QUOTE = 200  # characters
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


def from_status(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> SourceError:
    """Return the error for a response with a status other than 2xx.

    A `PausedError` without `until` is a rate limit without a reset time.

    Args:
        status: the HTTP status.
        headers: of the response, names in lower case.
        body: of the response, JSON or not.
        now: aware, UTC.
    """
    reason = error_message(body)
    if status == HTTPStatus.PAYMENT_REQUIRED or (status == HTTPStatus.TOO_MANY_REQUESTS and _is_cap(body)):
        return CapReachedError(
            f"X's usage cap or spending limit is reached ({reason}). X is not called before its next cycle; raise "
            "the limit at X and run 'aggregator budget resume' to resume sooner.",
            status=status,
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return PausedError("X's rate limit is reached", until=reset_time(headers, now), status=status)
    if status == HTTPStatus.UNAUTHORIZED:
        return CredentialsError(
            f"X refused the bearer token ({reason}). Check AGGREGATOR_X_BEARER_TOKEN.", status=status
        )
    if status == HTTPStatus.FORBIDDEN:
        return NotAllowedError(
            f"X does not allow this call ({reason}). Check the app's access level and project at X.", status=status
        )
    if status == HTTPStatus.BAD_REQUEST:
        return _malformed(reason, body)
    return StatusError(f"X responded with status {status} ({reason}).", status=status)


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


def from_errors(errors: object, who: str) -> SourceError:
    """Return the error for a 200 response that has only `errors`; `who` is the account's name for people."""
    first: Mapping[str, Any] = {}
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        first = errors[0]
    reason = _sentence(first) or "no reason given"
    type_ = str(first.get("type", "")).rpartition("/")[2]
    if "suspended" in reason.casefold():
        return SuspendedAccountError(f"X says that {who} is suspended: {reason}", status=200)
    if type_ == "resource-not-found":
        return MissingAccountError(
            f"X has no account {who}: {reason} Check the spelling, or whether the account was renamed.", status=200
        )
    if type_ == "not-authorized-for-resource":
        return ProtectedAccountError(
            f"X does not let us read {who}, probably because it is protected: {reason}", status=200
        )
    return UnreadableError(f"X returned no posts of {who}, only an error: {reason}", status=200)


def reset_time(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """Return the end of a response's rate limit window, within plausible limits, or None if it is not given."""
    text = headers.get("x-rate-limit-reset", "")
    if not text.isascii() or not text.isdigit() or len(text) > len("9999999999"):
        return None
    moment = datetime.fromtimestamp(int(text), UTC)
    return min(max(moment, now + _SHORTEST_PAUSE), now + _LONGEST_PAUSE)


def is_exhausted(headers: Mapping[str, str]) -> bool:
    """Return whether a successful response used the last call of the rate limit window."""
    return headers.get("x-rate-limit-remaining", "").strip() == "0"


def error_message(body: bytes) -> str:
    """Return the error message of a response body, shortened to one line."""
    decoded = _decoded(body)
    if decoded is None:
        return "response without JSON" if body else "no details given"
    errors = decoded.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    return _sentence(first) or _sentence(decoded) or "no details given"


def _is_cap(body: bytes) -> bool:
    decoded = _decoded(body) or {}
    title, type_ = str(decoded.get("title", "")), str(decoded.get("type", ""))
    return title == "UsageCapExceeded" or type_.endswith("/usage-capped")


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
