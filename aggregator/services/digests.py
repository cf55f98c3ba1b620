"""Send the daily summary of the review desk to the users who want it, each once."""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.moderation.decisions import PAST
from aggregator.domain.moderation.queue_query import QueueQuery, QueueTab
from aggregator.domain.monitoring.digest import Decided, Digest, due_since, lines_of, subject_of
from aggregator.services.alert_delivery import send_mail
from aggregator.text.html import excerpt

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.config.settings import Settings
    from aggregator.domain.activity import Activity
    from aggregator.domain.clock import Clock
    from storage.access.desk_settings import DigestReceiver
    from storage.store import Store, Transaction

_AT_ONCE = 20  # summaries per run
_TITLES = 10
_ALERTS = 10
_FIRST = timedelta(days=1)  # the period of a first summary
_LONGEST = timedelta(days=7)  # the longest period, after an outage
_LONGEST_TITLE = 100  # characters

log = structlog.get_logger(__name__)


class Digests:
    """Sends the summaries that are due. Claims are stored first, so that no two workers send the same one."""

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock

    def run(self) -> None:
        """Send the summaries that are due, if a mail server is configured."""
        server, sender = self._settings.mail_server, self._settings.mail_from
        if server is None or sender is None:
            return
        now = self._clock()
        before = due_since(now, self._settings.timezone)
        with self._store.writing(lock_stream=False) as tx:
            receivers = tx.access.settings.claim_digests(now, before, _AT_ONCE)
        for receiver in receivers:
            with self._store.reading() as tx:
                digest = digest_of(tx, self._since(receiver, now), now)
            if digest.is_empty:
                continue
            try:
                send_mail(server, self._mail(receiver, digest, sender))
            except OSError as problem:
                log.warning("digest not sent", user=receiver.name, reason=str(problem))
                with self._store.writing(lock_stream=False) as tx:
                    tx.access.settings.return_digest(receiver, now)

    @staticmethod
    def _since(receiver: DigestReceiver, now: datetime) -> datetime:
        return max(receiver.since or now - _FIRST, now - _LONGEST)

    def _mail(self, receiver: DigestReceiver, digest: Digest, sender: str) -> EmailMessage:
        settings = self._settings
        message = EmailMessage()
        message["From"] = sender
        message["To"] = receiver.email
        message["Subject"] = subject_of(digest)
        link = f"{settings.public_url}/review" if settings.public_url else None
        message.set_content("\n".join(lines_of(digest, settings.timezone, link)) + "\n")
        return message


def digest_of(tx: Transaction, since: datetime, now: datetime) -> Digest:
    """Return the summary of a period, in a constant number of queries."""
    waiting = tx.moderation.queue.page(QueueQuery(QueueTab.WAITING, oldest_first=True, limit=_TITLES), now).items
    decided = tx.moderation.audit.counts(since, frozenset(PAST.values()))
    return Digest(
        since=since,
        waiting=tx.moderation.reviews.count_waiting(),
        oldest=min((item.first_seen for item in waiting), default=None),
        titles=[_title(item) for item in waiting],
        decided=[Decided(who, what, count) for (who, what), count in decided.items()],
        alerts=[alert.sentence for alert in tx.monitoring.alerts.open()[:_ALERTS]],
    )


def _title(item: Activity) -> str:
    text = item.headline or item.content.title or item.content.text
    return excerpt(text, _LONGEST_TITLE) if text else f"An item from {item.source.name}"
