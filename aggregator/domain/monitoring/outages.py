"""Recognize outages of host groups from the last polls of their sources, and schedule probes. Pure.

If the sources of a host group fail alike, the group has an outage: its sources are not polled, except one at a time as
a probe, and their failures don't count. After a successful probe all of them are polled again, spread over minutes.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from aggregator.domain.errors import (
    ApiChangedError,
    BrokenOffError,
    FetchError,
    GoneError,
    NoFeedError,
    RedirectError,
    RobotCheckError,
    SlowConnectError,
    SlowError,
    SlowFirstByteError,
    SlowTotalError,
    StatusError,
    UnreachableError,
    UnreadableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WINDOWS = (  # of polls that are compared: sources are polled every few minutes, or once a day
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=25),
)
LEAST = 3  # sources that fail alike
FRESH = timedelta(hours=50)  # sources without a success for longer are broken on their own
SPREAD = timedelta(minutes=4)  # over which the sources of a recovered group are polled
SETTLED = timedelta(minutes=10)  # without a new outage after the release; then the incident ends
FIRST_PROBE = timedelta(minutes=15)
LONGEST_PROBE = timedelta(hours=1)
PROBES_BEFORE_GROWTH = 8  # two hours; most outages are shorter

_SHARE = 0.8  # of the group's sources that were polled in a window
_MOST = 10  # failing sources that suffice for a group of any size
_GROWTH = 1.25
LARGE = 10 * _MOST  # sources; larger groups have no other limits
_ALIKE: Mapping[str, tuple[type[Exception], ...]] = {
    "does not answer": (
        UnreachableError,
        BrokenOffError,
        SlowError,
        SlowConnectError,
        SlowFirstByteError,
        SlowTotalError,
    ),
    "answers with errors": (StatusError, GoneError, ApiChangedError, RobotCheckError, FetchError, RedirectError),
    "sends unreadable responses": (UnreadableError, NoFeedError),
}
# How each error code shows itself, in words.
ALIKE: Mapping[str, str] = {
    error.code: words  # type: ignore[attr-defined]  # each is a `SourceError`
    for words, errors in _ALIKE.items()
    for error in errors
}


class FailedPolls(NamedTuple):
    """The sources of a host group that failed in the same way, by window."""

    host: str
    words: str  # a value of `ALIKE`
    counts: tuple[int, ...]  # one for each of `WINDOWS`
    example: str  # an error message


class PolledSources(NamedTuple):
    """The active sources of a host group, and how many of them were polled in each window, up to a limit."""

    total: int
    counts: tuple[int, ...]


class Outage(NamedTuple):
    """An outage of a host group."""

    host: str
    incident_id: int
    began: datetime
    next_probe: datetime
    probes: int
    released: datetime | None  # since when its sources are polled again; None: they are held

    @property
    def last_state_change(self) -> datetime:
        """When its sources were released or, before that, held."""
        return self.released or self.began


def recognize(failed: FailedPolls, polled: PolledSources) -> Mapping[str, Any] | None:
    """Return the evidence if a host group has an outage, else None."""
    least = max(LEAST, min(_MOST, math.ceil(polled.total / 10)))
    for window, failing, of in zip(WINDOWS, failed.counts, polled.counts, strict=True):
        if failing >= least and failing >= _SHARE * of:
            return {
                "failing": failing,
                "polled": max(of, failing),
                "sources": polled.total,
                "minutes": round(window.total_seconds() / 60),
                "error": failed.example[:500],
            }
    return None


def decisive(failed: FailedPolls) -> int:
    """Return how many of the last polls of a host group decide whether it has an outage.

    If that many were polled in a window, too few of them failed.
    """
    return math.floor(max(failed.counts) / _SHARE) + 1


def sentence_of(host: str, words: str, evidence: Mapping[str, Any]) -> str:
    """Describe an outage to operators."""
    return (
        f"{shown_host(host)} {words}: {evidence['failing']} of {evidence['polled']} sources polled within "
        f"{evidence['minutes']} minutes failed alike (of {evidence['sources']} sources in all). They wait, and one "
        f"request at a time tests whether it has recovered. {evidence['error']}"
    )


def shown_host(host: str) -> str:
    """Return the name of a host group without a usual port."""
    name, _, port = host.rpartition(":")
    return name if port in {"80", "443"} else host


def next_probe(now: datetime, probes: int) -> datetime:
    """Return the time of the next probe after `probes` earlier ones."""
    steps = max(probes - PROBES_BEFORE_GROWTH, 0)
    return now + min(FIRST_PROBE * _GROWTH ** min(steps, 20), LONGEST_PROBE)


def worst(found: Sequence[FailedPolls]) -> Mapping[str, FailedPolls]:
    """Return the most frequent way of failing for each host."""
    by_host: dict[str, FailedPolls] = {}
    for failed in found:
        known = by_host.get(failed.host)
        if known is None or failed.counts > known.counts:
            by_host[failed.host] = failed
    return by_host
