"""Convert post ids to times and back: an id contains the milliseconds since X's epoch. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657000, tzinfo=UTC)
_SEQUENCE_BITS = 22  # machine and sequence number, below the time


def time_of(post_id: int) -> datetime:
    """Return the time at which an id was assigned."""
    return _EPOCH + timedelta(milliseconds=post_id >> _SEQUENCE_BITS)


def id_at(moment: datetime) -> int:
    """Return the lowest id of a time."""
    return max((moment - _EPOCH) // timedelta(milliseconds=1), 0) << _SEQUENCE_BITS
