"""Types for stored posts that are checked against their network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aggregator.domain.activity import Activity


class Held(NamedTuple):
    """A stored post, as its own row or embedded, with its key and newest known version."""

    key: str
    url: str | None


class Shown(NamedTuple):
    """The visible state of a row that its network may change."""

    source_id: int
    key: str
    url: str | None
    detail: Mapping[str, Any] | None
    object: Mapping[str, Any] | None


class Embedding(NamedTuple):
    """An activity that embeds another post, or lacks it."""

    source_id: int
    activity: Activity
    editable_until: datetime | None  # of the embedded post


class Job(NamedTuple):
    """A batch of ids that a network was asked to check."""

    id: str
    type: str
    ids: int
    created: datetime
    status: str
    ended: datetime | None
