"""Fates: what became, at its network, of a post or an account that we hold, and how a network is asked.

A kind of source whose network wants to be asked satisfies `TakedownSource`; `services.compliance_sweep` asks it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from aggregator.domain.activity import Upstream

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from aggregator.domain.activity import NewActivity


class Fate(StrEnum):
    """What became of it."""

    DELETED = "deleted"
    PROTECTED = "protected"  # shown to accepted followers only
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"
    WITHHELD = "withheld"  # in every country
    SCRUB_GEO = "scrub_geo"  # it stands, without its place

    @property
    def upstream(self) -> Upstream:
        """How the original stands where it was published."""
        return {Fate.PROTECTED: Upstream.PROTECTED, Fate.WITHHELD: Upstream.WITHHELD}.get(self, Upstream.GONE)


@dataclass(frozen=True, slots=True)
class Takedown:
    """What a network says of one thing."""

    key: str  # of a post ("x:123") or of a person ("x:@9")
    fate: Fate
    reason: str  # for people: "deleted on X"
    at: datetime | None = None  # when it happened there, where it says so


class IdType(StrEnum):
    """What a list of ids is of."""

    POSTS = "tweets"
    PEOPLE = "users"


class JobStatus(StrEnum):
    """How a network's work on a list of ids stands."""

    CREATED = "created"  # the list was not given yet
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class BegunJob:
    """A job that waits for its list. The address takes whatever it is sent: it is a secret, kept nowhere."""

    id: str
    upload_url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class JobReport:
    """How a job stands, with what it found once it is complete."""

    status: JobStatus
    verdicts: Sequence[Takedown] = ()


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What asking for posts brought: verdicts on some, and the others as they are now."""

    verdicts: Sequence[Takedown] = ()
    activities: Sequence[NewActivity] = ()
    seen: Collection[str] = ()  # keys of all that were answered for, besides those asked for
