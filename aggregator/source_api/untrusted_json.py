"""Read fields of untrusted JSON, in which any field may have any type. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from aggregator.domain.errors import UnreadableError
from aggregator.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import Collection

Record = dict[str, Any]

_WIDEST = 100_000  # pixels
_LONGEST = 1_000_000  # seconds


def decoded(body: bytes, api: str) -> Any:  # noqa: ANN401  # any JSON
    """Parse JSON.

    Args:
        body: of the response.
        api: what should have sent it, for the error: "the API of a Mastodon server".

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
        raise UnreadableError(f"The response is not JSON, so this is not {api}.") from None


def compact(value: object) -> bytes:
    """Return a value as JSON in a normal form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")  # keeps lone surrogates


def without(value: Any, names: Collection[str]) -> Any:  # noqa: ANN401  # any JSON
    """Return JSON without the fields of these names, at any depth."""
    if isinstance(value, dict):
        return {name: without(item, names) for name, item in value.items() if name not in names}
    return [without(item, names) for item in value] if isinstance(value, list) else value


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


def address(value: object) -> str | None:
    """Return a value if it is a web address."""
    return canonical_url(value) if isinstance(value, str) and value.startswith(("http://", "https://")) else None


def whole(value: object) -> int | None:
    """Return a value if it is a positive number of a sensible size, in whole units."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 1 <= value < _WIDEST else None  # type: ignore[operator,call-overload]


def seconds(value: object) -> float | None:
    """Return a duration."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value < _LONGEST else None  # type: ignore[operator,arg-type]


def moment(value: object) -> datetime | None:
    """Return a time (ISO 8601); without a zone it is in UTC."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value[:40])
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
