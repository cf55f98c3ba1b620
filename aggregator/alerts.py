"""Alerts: what people have to know even when nobody looks, and how it is told: by a signed webhook, by mail."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import smtplib
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from aggregator.health import is_stale
from aggregator.source import SourceState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aggregator.options import Secret
    from aggregator.source import Source

SOURCE = "source-stopped"
QUEUE = "queue-old"
_SURE = 5  # failures in a row after which a source is not just having a bad hour
_LONG = timedelta(hours=24)
_FIRST_RETRY = timedelta(minutes=2)
_LONGEST_RETRY = timedelta(hours=6)
_MAIL_PATIENCE = 20.0  # seconds
_ADDRESS = re.compile(r"(https?://)(?:[^/\s@]*@)?([^/?#\s]+)[^\s]*")
_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something that people should know."""

    kind: str  # SOURCE or QUEUE
    subject: str  # "source:nasa", "queue"
    sentence: str


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that people are told of, while it holds and when it is over."""

    id: int
    kind: str
    subject: str
    sentence: str
    opened: datetime
    closed: datetime | None
    tries: int


def wrongs(
    sources: Iterable[Source], oldest_waiting: datetime | None, queue_age: timedelta | None, now: datetime
) -> Iterator[Wrong]:
    """Give what is wrong now: sources that stopped or fail for long, and a queue that nobody looks at."""
    for source in sources:
        if source.state is SourceState.STOPPED:
            why = source.state_reason or source.last_error or "it can't be polled"
            yield Wrong(SOURCE, f"source:{source.slug}", f"{source.name} was stopped: {why}")
        elif source.state is SourceState.ACTIVE and is_stale(source, now) and _for_long(source, now):
            why = source.last_error or "it is long overdue."
            yield Wrong(SOURCE, f"source:{source.slug}", f"{source.name} brings nothing: {why}")
    if queue_age is not None and oldest_waiting is not None and now - oldest_waiting > queue_age:
        hours = round(queue_age.total_seconds() / 3600)
        yield Wrong(QUEUE, "queue", f"Something has waited for review for more than {hours} hours.")


def next_try(alert: Alert, now: datetime) -> datetime:
    """Return when telling is tried again after it failed."""
    return now + min(_FIRST_RETRY * (1 << min(alert.tries, 12)), _LONGEST_RETRY)


def body_of(alert: Alert, link: str | None) -> bytes:
    """Return an alert as the JSON that a webhook gets."""
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


def signed(body: bytes, name: str, secret: Secret, now: datetime) -> dict[str, str]:
    """Return a webhook's headers as Standard Webhooks has them: id, moment, HMAC-SHA256 over both and the body."""
    moment = str(int(now.timestamp()))
    signature = hmac.new(secret.reveal().encode(), f"{name}.{moment}.".encode() + body, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def mail_of(alert: Alert, sender: str, receivers: Iterable[str], link: str | None) -> EmailMessage:
    """Return an alert as a mail; what sources call themselves breaks no header."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(receivers)
    subject = f"{'Over: ' if alert.closed else ''}{alert.sentence}"
    message["Subject"] = " ".join(subject.split())[:200]
    ended = f"\n\nIt was over at {alert.closed:%Y-%m-%d %H:%M} UTC." if alert.closed else ""
    text = f"{alert.sentence}\n\nSince {alert.opened:%Y-%m-%d %H:%M} UTC.{ended}"
    message.set_content(f"{text}\n\n{link}\n" if link else f"{text}\n")
    return message


def send_mail(server: Secret, message: EmailMessage) -> None:
    """Hand a mail to a server: smtp://, smtps:// or smtp+starttls://, with a name and password where it wants them.

    Raises:
        OSError: it can't be handed over (smtplib's errors are such).
    """
    parts = urlsplit(server.reveal())
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    trusted = ssl.create_default_context()  # smtplib by itself takes any certificate
    with (
        smtplib.SMTP_SSL(host, port, timeout=_MAIL_PATIENCE, context=trusted)
        if parts.scheme == "smtps"
        else smtplib.SMTP(host, port, timeout=_MAIL_PATIENCE)
    ) as connection:
        if parts.scheme == "smtp+starttls":
            connection.starttls(context=trusted)
        if parts.username:
            connection.login(unquote(parts.username), unquote(parts.password or ""))
        connection.send_message(message)


def without_paths(sentence: str) -> str:
    """Return a sentence with no more of its web addresses than their hosts: the rest of a webhook's may be secret."""
    return _ADDRESS.sub(r"\1\2/…", sentence)


def _for_long(source: Source, now: datetime) -> bool:
    last = source.last_success or source.created
    return source.failures >= _SURE or now - last > _LONG
