"""What X means when it does not give what was asked for. Pure."""

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

_LONGEST_PAUSE = timedelta(hours=25)  # X's longest window is a day; anything later is a wrong clock
_SHORTEST_PAUSE = timedelta(seconds=5)
_LONGEST_QUOTE = 200  # characters
_SPACES = re.compile(r"\s+")
_UNKNOWN_PARAMETER = re.compile(r"query parameter \[([A-Za-z0-9_.]+)\]")
_BRACKETED = re.compile(r"\[([A-Za-z0-9_.]+)\]")


def from_status(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> SourceError:
    """Return the error that an answer other than 2xx means.

    A `PausedError` without `until` is a rate limit that does not say when it ends.

    Args:
        status: the HTTP status.
        headers: of the answer, names in lower case.
        body: what came with it, JSON or not.
        now: aware, UTC.
    """
    reason = said_in(body)
    if status == HTTPStatus.PAYMENT_REQUIRED or (status == HTTPStatus.TOO_MANY_REQUESTS and _is_cap(body)):
        return CapReachedError(
            f"X's usage cap or spending limit is reached ({reason}). X is not called before its next cycle; raise "
            "the limit at X and run 'aggregator budget resume' to go on sooner.",
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
    return StatusError(f"X answered with status {status} ({reason}).", status=status)


def _malformed(reason: str, body: bytes) -> StatusError:
    named = [name for name in _refused(body) if name.endswith("fields") or name in {"expansions", "exclude"}]
    if named:
        return ApiChangedError(
            f"X's API has changed: it does not know what we ask for in {', '.join(sorted(named))} ({reason}). Try the "
            "other AGGREGATOR_X_VOCABULARY, or a newer version of this program.",
            status=HTTPStatus.BAD_REQUEST,
        )
    return StatusError(
        f"X refused the request as malformed ({reason}). Its API may have changed; look for a newer version of this"
        " program.",
        status=HTTPStatus.BAD_REQUEST,
    )


def refused_expansions(body: bytes, sent: Collection[str]) -> set[str]:
    """Return which of the expansions that we asked for a refusal names."""
    return _refused(body).get("expansions", set()) & set(sent)


def _refused(body: bytes) -> dict[str, set[str]]:
    """Return the parameters that a refusal is about, each with the values that it did not like."""
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
            # The message names the wrong value first, then all that would have been right.
            wrong = _BRACKETED.search(message)
            given = {str(value) for value in values} if isinstance(values, list) else set()
            found[str(name)] = {wrong[1]} if wrong else given
    return found


def from_errors(errors: object, who: str) -> SourceError:
    """Return what an answer of 200 with only `errors` means for an account; `who` is how people know it."""
    first: Mapping[str, Any] = {}
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        first = errors[0]
    reason = _sentence(first) or "no reason given"
    type_ = str(first.get("type", "")).rpartition("/")[2]
    if "suspended" in reason.casefold():
        return SuspendedAccountError(f"X says that {who} is suspended: {reason}", status=200)
    if type_ == "resource-not-found":
        return MissingAccountError(
            f"X knows no account {who}: {reason} Check the spelling, or whether it was renamed.", status=200
        )
    if type_ == "not-authorized-for-resource":
        return ProtectedAccountError(
            f"X does not let us read {who}, probably because it is protected: {reason}", status=200
        )
    return UnreadableError(f"X gave no posts of {who}, only an error: {reason}", status=200)


def reset_time(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """Return when the rate limit window of an answer ends, within reason; None where it does not say."""
    text = headers.get("x-rate-limit-reset", "")
    if not text.isascii() or not text.isdigit() or len(text) > len("9999999999"):
        return None
    moment = datetime.fromtimestamp(int(text), UTC)
    return min(max(moment, now + _SHORTEST_PAUSE), now + _LONGEST_PAUSE)


def is_exhausted(headers: Mapping[str, str]) -> bool:
    """Say whether a success was the last one that the window allows."""
    return headers.get("x-rate-limit-remaining", "").strip() == "0"


def said_in(body: bytes) -> str:
    """Return X's own words out of an error body, in one short line."""
    decoded = _decoded(body)
    if decoded is None:
        return "no JSON in the answer" if body else "nothing more was said"
    errors = decoded.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    return _sentence(first) or _sentence(decoded) or "nothing more was said"


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
