"""Detect permanent redirects, which change a source's address. Pure.

A single redirect isn't enough: sites redirect "permanently" during repairs, after parking or hijacking. Several are
required, a day apart, each to a feed that still contains known entries.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGHTINGS = 3
APART = timedelta(hours=24)


class Sighting(NamedTuple):
    """The redirect to remember, and whether the source's address changes now."""

    moving: Mapping[str, Any] | None
    settled: bool = False


def observe(moving: Mapping[str, Any] | None, to: str | None, now: datetime, *, overlapping: bool) -> Sighting:
    """Record the origin of a response.

    Args:
        moving: the remembered redirect.
        to: the target of permanent redirects; None: the source answered at its own address.
        now: the current time.
        overlapping: the response was a feed with known entries, or 304.
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
    """Return the redirect to remember after an operator reverted the change: it is not applied again."""
    return {"to": to, "refused": True}
