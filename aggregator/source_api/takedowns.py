"""Define the interface of kinds of source that report deleted or withheld posts."""

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
    """A kind of source whose network reports the current state of its posts."""

    network: str
    service: str  # name in the ledger
    most_looked_up: int  # posts per request
    bill_of_one: int  # most billed posts per looked-up post: it includes referenced posts

    def sweep_mode(self, values: Mapping[str, Any]) -> Sweeping:
        """Return the method of takedown checks, from the values of the kind's settings."""
        ...

    async def begin_job(self, type_: IdType, context: PollContext) -> BegunJob:
        """Create a job.

        Raises:
            NotAllowedError: the plan does not include jobs.
            SourceError: the response was not usable. The methods below raise it, too.
        """
        ...

    async def give_ids(self, job: BegunJob, ids: Sequence[str], context: PollContext) -> None:
        """Upload a job's list of ids."""
        ...

    async def look_at_job(self, job_id: str, type_: IdType, context: PollContext) -> JobReport:
        """Fetch the status of a job, and its result if it is complete."""
        ...

    async def look_up(self, keys: Mapping[str, str], people: Mapping[str, Actor], context: PollContext) -> LookedUp:
        """Look posts up.

        Args:
            keys: keys by the native ids of the newest known versions.
            people: known accounts, by native id.
            context: clients, clock and settings.
        """
        ...
