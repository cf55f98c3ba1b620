"""Deliver alerts by signed webhook and e-mail."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import smtplib
import ssl
from email.message import EmailMessage
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from aggregator.domain.monitoring.alerts import Alert
    from aggregator.domain.secrets import Secret

_MAIL_PATIENCE = 20.0  # seconds
_ADDRESS = re.compile(r"(https?://)(?:[^/\s@]*@)?([^/?#\s]+)[^\s]*")
_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}


def signed(body: bytes, name: str, secret: Secret, now: datetime) -> dict[str, str]:
    """Return the Standard Webhooks headers: id, timestamp, and an HMAC-SHA256 of both and the body."""
    moment = str(int(now.timestamp()))
    signature = hmac.new(secret.reveal().encode(), f"{name}.{moment}.".encode() + body, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def mail_of(alert: Alert, sender: str, receivers: Iterable[str], link: str | None) -> EmailMessage:
    """Return an alert as an e-mail; line breaks in source names can't inject headers."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(receivers)
    subject = f"{'Over: ' if alert.closed else ''}{alert.sentence}"
    message["Subject"] = " ".join(subject.split())[:200]
    ended = f"\n\nEnded at {alert.closed:%Y-%m-%d %H:%M} UTC." if alert.closed else ""
    text = f"{alert.sentence}\n\nSince {alert.opened:%Y-%m-%d %H:%M} UTC.{ended}"
    message.set_content(f"{text}\n\n{link}\n" if link else f"{text}\n")
    return message


def send_mail(server: Secret, message: EmailMessage) -> None:
    """Send an e-mail through smtp://, smtps:// or smtp+starttls://, with the URL's credentials, if any.

    Raises:
        OSError: sending failed (smtplib's errors are subclasses).
    """
    parts = urlsplit(server.reveal())
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    trusted = ssl.create_default_context()  # smtplib's default context accepts any certificate
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
    """Return a sentence with its web addresses cut to their hosts: a webhook's path may be secret."""
    return _ADDRESS.sub(r"\1\2/…", sentence)
