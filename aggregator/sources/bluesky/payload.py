"""Read fields of the API's untrusted JSON. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from aggregator.domain.errors import UnreadableError
from aggregator.text.urls import canonical_url

Record = dict[str, Any]

_WIDEST = 100_000  # pixels


def decoded(body: bytes) -> Any:  # noqa: ANN401  # any JSON
    """Parse JSON.

    Raises:
        UnreadableError: it isn't JSON.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return json.loads(body)  # accepts lone surrogates and great numbers
    except (ValueError, RecursionError):
        raise UnreadableError("The response is not JSON, so this is not the API of a Bluesky AppView.") from None


def compact(value: object) -> bytes:
    """Return a value as JSON in a normal form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")  # keeps lone surrogates


def record(value: object) -> Record:
    """Return a value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def records(value: object) -> list[Record]:
    """Return the objects in a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: object, longest: int = 10_000) -> str:
    """Return a value if it is text, else ""."""
    return value[:longest] if isinstance(value, str) else ""


def texts(value: object, longest: int = 200) -> list[str]:
    """Return the texts in a list that are not blank."""
    found = [text(item, longest).strip() for item in value] if isinstance(value, list) else []
    return [item for item in found if item]


def type_of(value: Record) -> str:
    """Return the lexicon type of an object."""
    return text(value.get("$type"), 200)


def address(value: object) -> str | None:
    """Return a value if it is a web address."""
    return canonical_url(value) if isinstance(value, str) and value.startswith(("http://", "https://")) else None


def whole(value: object) -> int | None:
    """Return a value if it is a positive number of a sensible size."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 < value < _WIDEST else None  # type: ignore[operator,return-value]


def moment(value: object) -> datetime | None:
    """Return a time (ISO 8601); without a zone it is in UTC."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value[:40])
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
