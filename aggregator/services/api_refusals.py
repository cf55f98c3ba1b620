"""Implement the `Refusals` port on the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from aggregator.domain.polling.api_refusals import VALUES_KEPT, Refusal, next_probe, scope_of
from aggregator.system.thread_pools import in_database_thread

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from aggregator.domain.clock import Clock
    from aggregator.domain.errors import RefusedError
    from aggregator.domain.polling.api_refusals import ApiCall
    from aggregator.source_api.kind import PollContext, SourceKind
    from storage.store import Store

log = structlog.get_logger(__name__)


async def follow_settings(store: Store, kind: SourceKind, context: PollContext) -> None:
    """Make the sources due that wait for another credential than that of the settings."""
    service, key = kind.credential(context.settings) or ("", "")
    if not key:
        return
    now = context.clock()

    def waits() -> bool:
        with store.reading() as tx:
            return any(row.credential != key for row in tx.api.refusals.all(service))

    def wake() -> int:
        with store.writing() as tx:
            return tx.api.refusals.follow_settings(service, key, now)

    if await in_database_thread(waits) and (due := await in_database_thread(wake)):
        log.info("new credential", service=service, sources=due)


class StoreRefusals:
    """The refusals, in the database."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def check(self, call: ApiCall, *, by_person: bool = False) -> bool:
        """Return whether a call is the probe of a refusal; see the port.

        Raises:
            RefusedError: the service refused such calls, and the next probe isn't due yet.
        """
        return await in_database_thread(self._check, call, self._clock(), by_person)

    async def refused(self, call: ApiCall, error: RefusedError) -> datetime:
        """Store a refusal; return the time of the next probe."""
        return await in_database_thread(self._refused, call, error, self._clock())

    async def answered(self, call: ApiCall) -> None:
        """End the refusals that a successful probe disproves, and make the waiting sources due."""
        await in_database_thread(self._answered, call, self._clock())

    async def values(self, host: str, endpoint: str) -> frozenset[str]:
        """Return the parameter values that an endpoint has refused in the last days."""

        def read() -> frozenset[str]:
            with self._store.reading() as tx:
                return tx.api.refusals.values(host, endpoint, self._clock() - VALUES_KEPT)

        return await in_database_thread(read)

    async def refuse_values(self, host: str, endpoint: str, values: Collection[str]) -> None:
        """Store parameter values that an endpoint refused."""

        def write() -> None:
            with self._store.writing(lock_stream=False) as tx:
                tx.api.refusals.refuse_values(host, endpoint, values, self._clock())

        log.warning("parameter values refused", host=host, endpoint=endpoint, values=sorted(values))
        await in_database_thread(write)

    def _check(self, call: ApiCall, now: datetime, by_person: bool) -> bool:  # passed on by position
        with self._store.reading() as tx:
            found = tx.api.refusals.affecting(call)
        if not found or by_person:
            return bool(found)
        latest = found[-1]
        if latest.until > now:
            raise latest.error()
        until = now + next_probe(latest.error(), latest.probes)
        with self._store.writing(lock_stream=False) as tx:
            claimed = [tx.api.refusals.claim_probe(refusal, now, until) for refusal in found]
        if not all(claimed):
            raise latest._replace(until=until).error()
        return True

    def _refused(self, call: ApiCall, error: RefusedError, now: datetime) -> datetime:
        endpoint = scope_of(call, error)
        with self._store.writing(lock_stream=False) as tx:
            known = [row for row in tx.api.refusals.affecting(call) if row.endpoint == endpoint]
            probes = known[0].probes + 1 if known and known[0].code == error.code else 0
            until = now + next_probe(error, probes)
            since, polls = (known[0].since, known[0].polls) if known else (now, False)
            tx.api.refusals.put(
                Refusal(
                    call.service,
                    call.credential,
                    endpoint,
                    error.code,
                    str(error),
                    since,
                    until,
                    probes,
                    polls or call.polls,
                )
            )
        if not known:
            note = log.warning if call.polls or not endpoint else log.info  # a plan needn't include all others
            note("calls refused", service=call.service, endpoint=endpoint or "all", reason=str(error))
        return until

    def _answered(self, call: ApiCall, now: datetime) -> None:
        with self._store.writing() as tx:
            due = tx.api.refusals.end(call, now)
        log.info("calls allowed again", service=call.service, endpoint=call.endpoint, sources=due)
