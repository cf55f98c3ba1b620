"""Define takedowns: deleted or withheld posts and accounts, and how networks report them.

A kind of source whose network reports takedowns implements `TakedownSource`, which `services.compliance_sweep` uses.
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
    """The upstream change of a post or account."""

    DELETED = "deleted"
    PROTECTED = "protected"  # visible to accepted followers only
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"
    WITHHELD = "withheld"  # in every country
    SCRUB_GEO = "scrub_geo"  # the post stays, without its location

    @property
    def upstream(self) -> Upstream:
        """The state of the original at its network."""
        return {Fate.PROTECTED: Upstream.PROTECTED, Fate.WITHHELD: Upstream.WITHHELD}.get(self, Upstream.GONE)


@dataclass(frozen=True, slots=True)
class Takedown:
    """A takedown of a post or person."""

    key: str  # of a post ("x:123") or of a person ("x:@9")
    fate: Fate
    reason: str  # for people: "deleted on X"
    at: datetime | None = None  # when it happened, if the network reports it


class IdType(StrEnum):
    """The type of the ids in a batch."""

    POSTS = "tweets"
    PEOPLE = "users"


class JobStatus(StrEnum):
    """The state of a compliance job."""

    CREATED = "created"  # no ids uploaded yet
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class BegunJob:
    """A job that waits for its ids. The upload address is a secret and is never stored."""

    id: str
    upload_url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class JobReport:
    """The state of a job, with its results when complete."""

    status: JobStatus
    verdicts: Sequence[Takedown] = ()


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The result of a lookup: takedowns, and the current state of the other posts."""

    verdicts: Sequence[Takedown] = ()
    activities: Sequence[NewActivity] = ()
    originals: Sequence[NewActivity] = ()  # posts that were only included; what they embed may be missing
    seen: Collection[str] = ()  # keys of all posts in the response, besides the requested ones
