"""Share a service's refusals among all sources: one call at a time probes whether a refusal has ended.

A refused token, a missing permission or used-up credits affect every call of a kind. The first refused call stores the
refusal; until its next probe nothing else is sent.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol

from aggregator.domain.errors import CredentialsError, CreditsError, NotAllowedError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection

VALUES_KEPT = timedelta(
    days=7
)  # then a refused parameter value is sent once more: the plan or the API may have changed
PROBE_EVERY = timedelta(hours=1)  # refused calls are free, and the operator may have changed something at the service
FIRST_CREDIT_PROBE = timedelta(minutes=5)  # the usual time until an automatic top-up
LONGEST_CREDIT_PROBE = timedelta(hours=6)
STORED = "user-"  # begin of the ids of stored credentials, as opposed to the one in the settings

_ERRORS: dict[str, type[RefusedError]] = {
    error.code: error for error in (CredentialsError, NotAllowedError, CreditsError)
}
REFUSAL_CODES = tuple(_ERRORS)


class ApiCall(NamedTuple):
    """The calls that a refusal may affect."""

    service: str
    credential: str  # its id, which doesn't reveal it; "": there is none
    endpoint: str
    polls: bool = True  # whether sources are read by it


class Refusal(NamedTuple):
    """A current refusal."""

    service: str
    credential: str
    endpoint: str  # "": all endpoints
    code: str
    reason: str
    since: datetime
    until: datetime  # the next probe
    probes: int
    polls: bool  # whether it keeps sources from being read
    replaced_by: str | None = None  # the credential that the settings have now instead

    @property
    def stops_polls(self) -> bool:
        """Whether sources can't be read, as opposed to calls that a plan needn't include."""
        return (self.polls or not self.endpoint) and self.replaced_by is None

    def error(self) -> RefusedError:
        """Return the error for a call that is not sent because of it."""
        return _ERRORS.get(self.code, RefusedError)(self.reason, until=self.until)


def scope_of(call: ApiCall, error: RefusedError) -> str:
    """Return the endpoint that a refusal affects; "" means all endpoints, since a token is refused as a whole."""
    return call.endpoint if isinstance(error, NotAllowedError) else ""


def next_probe(error: RefusedError, probes: int) -> timedelta:
    """Return the time until the next probe, after `probes` earlier ones.

    Prepaid credits are topped up at any time, often automatically; a refused token waits for a person.
    """
    if isinstance(error, CreditsError):
        return min(FIRST_CREDIT_PROBE * (1 << min(probes, 7)), LONGEST_CREDIT_PROBE)
    return PROBE_EVERY


class Refusals(Protocol):
    """Refusals of services, shared by all workers through the database."""

    async def values(self, host: str, endpoint: str) -> frozenset[str]:
        """Return the parameter values that an endpoint has refused in the last days."""
        ...

    async def refuse_values(self, host: str, endpoint: str, values: Collection[str]) -> None:
        """Store parameter values that an endpoint refused, so that no process sends them again for days."""
        ...

    async def check(self, call: ApiCall, *, by_person: bool = False) -> bool:
        """Return whether a call is the probe of a refusal; False means that nothing is refused.

        Args:
            call: the call to be sent.
            by_person: a person waits for the response, so it is sent even before the next probe.

        Raises:
            RefusedError: the service refused such calls, and the next probe isn't due yet.
        """
        ...

    async def refused(self, call: ApiCall, error: RefusedError) -> datetime | None:
        """Store a refusal; return the time of the next probe."""
        ...

    async def answered(self, call: ApiCall) -> None:
        """End the refusals that a successful probe disproves, and make the sources due that wait for it."""
        ...


class NoRefusals:
    """A `Refusals` port of one process, which remembers parameter values alone."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], frozenset[str]] = {}

    async def values(self, host: str, endpoint: str) -> frozenset[str]:
        """Return the refused values."""
        return self._values.get((host, endpoint), frozenset())

    async def refuse_values(self, host: str, endpoint: str, values: Collection[str]) -> None:
        """Add refused values."""
        self._values[host, endpoint] = self._values.get((host, endpoint), frozenset()) | frozenset(values)

    async def check(self, call: ApiCall, *, by_person: bool = False) -> bool:
        """Allow all calls."""
        del call, by_person
        return False

    async def refused(self, call: ApiCall, error: RefusedError) -> datetime | None:
        """Store nothing."""
        del call
        return error.until

    async def answered(self, call: ApiCall) -> None:
        """Do nothing."""
        del call
