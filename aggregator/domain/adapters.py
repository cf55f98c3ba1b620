"""Convert domain objects to JSON and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")
_adapters: dict[type, TypeAdapter[Any]] = {}


def adapter(shape: type[T]) -> TypeAdapter[T]:
    """Return the converter of a type, made on first use: most commands need none, and Pydantic loads slowly."""
    if shape not in _adapters:
        from pydantic import TypeAdapter

        _adapters[shape] = TypeAdapter(shape)
    return _adapters[shape]
