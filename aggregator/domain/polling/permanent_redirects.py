"""Permanent redirects: when a source's address is changed for good. Pure.

One sighting proves little: sites redirect "permanently" while they are being repaired, parked or hijacked. So it takes
several, a day apart, each with a feed behind it that still carries entries we know.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGHTINGS = 3
APART = timedelta(hours=24)


class Sighting(NamedTuple):
    """What to remember of a redirect, and whether the source moves now."""

    moving: Mapping[str, Any] | None
    settled: bool = False


def observe(moving: Mapping[str, Any] | None, to: str | None, now: datetime, *, overlapping: bool) -> Sighting:
    """Take note of where an answer came from.

    Args:
        moving: what was remembered before.
        to: where permanent redirects led; None: the source answered at its own address.
        now: the present moment.
        overlapping: the answer was a feed with entries that we know, or said that nothing changed.
    """
    if to is None:
        return Sighting(None)
    same = moving if moving and moving.get("to") == to else None
    if same and same.get("refused"):
        return Sighting(same)
    if not overlapping:
        return Sighting(same)
    count = int(same["seen"]) if same else 0
    if same and now - datetime.fromisoformat(same["last"]) < APART:
        return Sighting(same)
    if count + 1 >= SIGHTINGS:
        return Sighting(None, settled=True)
    return Sighting({"to": to, "seen": count + 1, "last": now.isoformat()})


def refused(to: str) -> Mapping[str, Any]:
    """Return what to remember where people took a move back: it is not made again."""
    return {"to": to, "refused": True}
