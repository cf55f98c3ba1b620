"""Detect conditions to alert on, schedule deliveries and write the message."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aggregator.domain.errors import CreditsError, NoFeedError, WorkerLostError
from aggregator.domain.monitoring.incidents import INCIDENT_KINDS
from aggregator.domain.polling.api_refusals import REFUSAL_CODES
from aggregator.domain.source import SourceState
from aggregator.domain.source_health import ACCOUNT_CODES, is_stale

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aggregator.domain.polling.api_refusals import Refusal
    from aggregator.domain.source_health import StaleSource


SOURCE = "source-stopped"
QUEUE = "queue-old"
REFUSAL = "calls-refused"
_TOP_UP = timedelta(minutes=30)
_SURE = 5  # consecutive failures that show more than a brief outage
_LONG = timedelta(hours=24)
_FIRST_RETRY = timedelta(minutes=2)
_LONGEST_RETRY = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that operators should know about."""

    kind: str  # SOURCE, QUEUE, REFUSAL, or that of an incident
    subject: str  # "source:nasa", "queue"
    sentence: str


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert, open while its condition lasts."""

    id: int
    kind: str
    subject: str
    sentence: str
    opened: datetime
    closed: datetime | None
    tries: int

    @property
    def page(self) -> str:
        """The page of the desk about it, a path relative to the desk."""
        if self.kind in INCIDENT_KINDS:
            return "/incidents"
        what, _, rest = self.subject.partition(":")
        pages = {"source": f"/sources/{rest}", "credential": "/connections", "calls": "/sources", "credits": "/sources"}
        return pages.get(what, "")


def detect(
    stale: Iterable[StaleSource],
    oldest_waiting: datetime | None,
    queue_age: timedelta | None,
    now: datetime,
    refusals: Iterable[Refusal] = (),
) -> Iterator[Condition]:
    """Yield the current conditions: stopped or failing sources, an old queue, and services that refuse calls."""
    refused = [refusal for refusal in refusals if refusal.stops_polls]
    for refusal in refused:
        if refusal.code == CreditsError.code and now - refusal.since < _TOP_UP:
            continue  # probably an automatic top-up
        yield Condition(REFUSAL, f"calls:{refusal.service}:{refusal.credential}:{refusal.endpoint}", refusal.reason)
    for source in stale:
        if refused and source.state is SourceState.ACTIVE and source.last_error_code in REFUSAL_CODES:
            continue  # one alert for all of them
        if source.state is SourceState.ACTIVE and source.last_error_code == NoFeedError.code and source.last_success:
            continue  # an incident, see `services.incidents`
        if source.state is SourceState.STOPPED:
            why = source.state_reason or source.last_error or "it can't be polled"
            yield Condition(SOURCE, f"source:{source.slug}", f"{source.name} was stopped: {why}")
        elif is_stale(source.state, source, now) and _for_long(source, now):
            why = source.last_error or "it is long overdue."
            yield Condition(SOURCE, f"source:{source.slug}", f"{source.name} has no new items: {why}")
    if queue_age is not None and oldest_waiting is not None and now - oldest_waiting > queue_age:
        hours = round(queue_age.total_seconds() / 3600)
        yield Condition(QUEUE, "queue", f"An item has waited for review for more than {hours} hours.")


def next_try(alert: Alert, now: datetime) -> datetime:
    """Return the time of the next delivery attempt after a failure."""
    return now + min(_FIRST_RETRY * (1 << min(alert.tries, 12)), _LONGEST_RETRY)


def body_of(alert: Alert, link: str | None) -> bytes:
    """Return an alert as the JSON body of a webhook."""
    state = "ended" if alert.closed else "began"
    return json.dumps(
        {
            "type": f"{alert.kind}.{state}",
            "id": str(alert.id),
            "subject": alert.subject,
            "sentence": alert.sentence,
            "opened_at": alert.opened.isoformat(),
            "closed_at": alert.closed.isoformat() if alert.closed else None,
            "link": link,
        },
        ensure_ascii=False,
    ).encode()


def _for_long(source: StaleSource, now: datetime) -> bool:
    if source.last_error_code in (*ACCOUNT_CODES, WorkerLostError.code):  # a further poll would end a process, too
        return True
    last = source.last_success or source.created
    return source.failures >= _SURE or now - last > _LONG
