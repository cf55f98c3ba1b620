"""The interface of kinds of source that report deleted or withheld posts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.domain.activity import Actor
    from aggregator.domain.compliance.sweep_mode import Sweeping
    from aggregator.domain.compliance.takedowns import BegunJob, IdType, JobReport, LookedUp
    from aggregator.source_api.kind import PollContext


@runtime_checkable
class TakedownSource(Protocol):
    """A kind of source whose network says what became of what it published."""

    network: str
    service: str  # as the ledger calls it
    most_looked_up: int  # posts of one request
    bill_of_one: int  # posts that may be billed for one that is looked up: it brings along what it is about

    def sweep_mode(self, values: Mapping[str, Any]) -> Sweeping:
        """Return how posts are checked that are shown, from the values of the kind's settings."""
        ...

    async def begin_job(self, type_: IdType, context: PollContext) -> BegunJob:
        """Begin a job.

        Raises:
            NotAllowedError: the plan has no such thing.
            SourceError: no usable answer came; so for all that follow.
        """
        ...

    async def give_ids(self, job: BegunJob, ids: Sequence[str], context: PollContext) -> None:
        """Give a job its list."""
        ...

    async def look_at_job(self, job_id: str, type_: IdType, context: PollContext) -> JobReport:
        """Ask how a job stands, and fetch what it found."""
        ...

    async def look_up(self, keys: Mapping[str, str], people: Mapping[str, Actor], context: PollContext) -> LookedUp:
        """Ask for posts.

        Args:
            keys: keys by the native ids to ask for: those of the newest versions that we know.
            people: who is known, by native id.
            context: what to work with.
        """
        ...
