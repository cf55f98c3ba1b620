"""Types for stored posts that are checked against their network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Held(NamedTuple):
    """A post that we hold, as its own row or embedded: its key, and the newest version that we know of."""

    key: str
    url: str | None


class Shown(NamedTuple):
    """A row as it is shown, as far as its network may change it."""

    source_id: int
    key: str
    url: str | None
    detail: Mapping[str, Any] | None
    object: Mapping[str, Any] | None


class Job(NamedTuple):
    """A list of ids that a network was asked to check."""

    id: str
    type: str
    ids: int
    created: datetime
    status: str
    ended: datetime | None
