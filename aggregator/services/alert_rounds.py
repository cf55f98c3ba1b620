"""Open and close alerts and deliver them by webhook and e-mail."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.access.credentials import expiry_conditions
from aggregator.domain.billing.credits import condition
from aggregator.domain.errors import AggregatorError
from aggregator.domain.monitoring.alerts import body_of, detect, next_try
from aggregator.services.alert_delivery import mail_of, send_mail, signed, without_paths
from aggregator.services.incidents import attend_incidents, incident_conditions, note_alerts
from aggregator.sources import kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from aggregator.config.settings import Settings
    from aggregator.domain.clock import Clock
    from aggregator.domain.monitoring.alerts import Alert, Condition
    from aggregator.domain.secrets import Secret
    from storage.store import Store, Transaction

    # Sends a body with headers to an address; raises an AggregatorError that names the reason for a failure.
    Post = Callable[[Secret, bytes, Mapping[str, str]], None]

_CLAIM_TIME = timedelta(minutes=5)  # a claim on an alert; no other worker delivers it meanwhile
_AT_ONCE = 10

log = structlog.get_logger(__name__)


def current_conditions(tx: Transaction, settings: Settings, now: datetime) -> Iterator[Condition]:
    """Yield all conditions that people should know about."""
    yield from detect(
        tx.polling.sources.each_stale(now, excusing_outages=True),
        tx.monitoring.alerts.oldest_waiting(),
        settings.queue_age,
        now,
        tx.api.refusals.all(),
    )
    yield from _money_and_access(tx, settings, now)
    yield from incident_conditions(tx, now)


def _money_and_access(tx: Transaction, settings: Settings, now: datetime) -> Iterator[Condition]:
    """Yield the services whose prepaid credits, and the connected accounts whose access, are about to end."""
    for kind in kinds().values():
        metered = kind.metered(settings.kinds)
        if metered is not None:
            balance = tx.billing.ledger.balance(metered.service, now)
            if (found := condition(metered.service, metered.label, balance)) is not None:
                yield found
            connected = tx.api.credentials.all(metered.service)
            yield from expiry_conditions(connected, metered.label, now)


class AlertNotifier:
    """Opens and closes alerts, and delivers each opening and closing once."""

    def __init__(self, store: Store, settings: Settings, clock: Clock, post: Post) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._post = post

    def attend(self) -> None:
        """Update the alerts and deliver those that are due, if a channel is configured."""
        now, settings = self._clock(), self._settings
        with self._store.writing(lock_stream=False) as tx:
            attend_incidents(tx, now)
            tx.monitoring.alerts.hold(current_conditions(tx, settings, now), now)
            note_alerts(tx, now)
            if settings.webhook_url is None and settings.mail_server is None:
                return
            due = tx.monitoring.alerts.claim(now, now + _CLAIM_TIME, _AT_ONCE)
        for alert in due:
            problems = [*self._deliver(alert, now)]
            for problem in problems:
                log.warning("alert not delivered", kind=alert.kind, subject=alert.subject, reason=problem)
            with self._store.writing(lock_stream=False) as tx:
                if problems:
                    tx.monitoring.alerts.failed(alert.id, " ".join(problems), next_try(alert, now))
                else:
                    # Not the present: an alert that has ended by then still has to be delivered.
                    tx.monitoring.alerts.mark_delivered(alert.id, now)

    def _deliver(self, alert: Alert, now: datetime) -> Iterator[str]:
        """Deliver an alert through every channel, even if another one fails; yield the errors.

        After an error, all channels are tried again: a duplicate is better than a lost alert.
        """
        settings = self._settings
        link = f"{settings.public_url}/review{alert.page}" if settings.public_url else None
        if settings.webhook_url is not None and settings.webhook_secret is not None:
            body = body_of(alert, link)
            name = f"alert-{alert.id}-{'ended' if alert.closed else 'began'}"
            try:
                self._post(settings.webhook_url, body, signed(body, name, settings.webhook_secret, now))
            except (AggregatorError, OSError) as problem:
                yield f"The webhook: {without_paths(str(problem))}"
        if settings.mail_server is not None and settings.mail_from is not None:
            try:
                send_mail(settings.mail_server, mail_of(alert, settings.mail_from, settings.mail_to, link))
            except OSError as problem:
                yield f"The e-mail: {problem}"
