"""Parse the values of AGGREGATOR_* variables. Each parser raises ValueError for values that it doesn't allow."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aggregator.config.broker_address import BrokerAddress, BrokerKind
from aggregator.domain.secrets import Secret
from aggregator.domain.settings_schema import whole

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SPANS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
MOST_REQUESTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit of requests within a period."""

    requests: int
    seconds: int

    def __str__(self) -> str:
        """Return the value as written in the environment, if the period has a name."""
        unit = next((word for word, span in _SPANS.items() if span == self.seconds), f"{self.seconds} s")
        return f"{self.requests}/{unit}"


def networks(text: str) -> tuple[Network, ...]:
    """Parse comma-separated networks."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def networks_or_off(text: str) -> tuple[Network, ...] | None:
    """Parse comma-separated networks, "token", which is none of them, or "off", which is None."""
    if text.lower() == "off":
        return None
    return () if text.lower() == "token" else networks(text)


def proxy(text: str) -> Secret:
    """Parse the URL of an HTTP proxy."""
    parts = urlsplit(text)
    if parts.scheme != "http" or not parts.hostname or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError
    _ = parts.port  # raises on an invalid port
    return Secret(text.rstrip("/"))


def folder(text: str) -> Path:
    """Parse the path of an existing folder."""
    path = Path(text)
    if not path.is_dir():
        raise ValueError
    return path


def database(text: str) -> str:
    """Parse the URL of a database."""
    scheme = text.partition("://")[0]
    if scheme in {"postgresql", "postgres"}:  # a plain scheme means the bundled driver
        return "postgresql+psycopg" + text[len(scheme) :]
    if scheme not in {"postgresql+psycopg", "sqlite"}:
        raise ValueError
    if scheme == "sqlite" and (not text.startswith("sqlite:///") or text in {"sqlite:///", "sqlite:///:memory:"}):
        raise ValueError  # with an in-memory database, each command would have its own
    return text


def server_database(text: str) -> Secret:
    """Parse the URL of a PostgreSQL database."""
    url = database(text)
    if url.startswith("sqlite"):
        raise ValueError
    return Secret(url)


def broker(text: str) -> str:
    """Parse the URL of a message broker."""
    BrokerAddress.parse(text)
    return text


def counters(text: str) -> str:
    """Parse the URL of a store of counters."""
    if BrokerAddress.parse(text).kind is BrokerKind.AMQP:
        raise ValueError
    return text


def webhook(text: str) -> Secret:
    """Parse an http or https URL, which may contain a secret."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.fragment:
        raise ValueError
    _ = parts.port  # raises on an invalid port
    return Secret(text)


def mail_server(text: str) -> Secret:
    """Parse the URL of a mail server."""
    parts = urlsplit(text)
    if parts.scheme not in {"smtp", "smtps", "smtp+starttls"} or not parts.hostname or parts.path not in {"", "/"}:
        raise ValueError
    _ = parts.port  # raises on an invalid port
    return Secret(text)


def mail(text: str) -> str:
    """Parse a mail address."""
    if not re.fullmatch(r"[^@\s<>,;]{1,64}@[A-Za-z0-9.-]{1,255}", text):
        raise ValueError
    return text


def mails(text: str) -> tuple[str, ...]:
    """Parse comma-separated mail addresses."""
    return tuple(mail(part.strip()) for part in text.split(",") if part.strip())


def rate(text: str) -> Rate | None:
    """Parse a limit of requests, or "off", which is None."""
    if text.lower() == "off":
        return None
    count, _, span = text.partition("/")
    if span.lower() not in _SPANS:
        raise ValueError
    return Rate(whole(1, MOST_REQUESTS)(count), _SPANS[span.lower()])


def origins(text: str) -> tuple[str, ...]:
    """Parse origins as browsers send them: scheme, host and a non-default port, in lower case."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(dict.fromkeys("*" if part == "*" else _origin(part) for part in parts))


def _origin(text: str) -> str:
    parts = urlsplit(text.lower())
    usual = {"http": 80, "https": 443}
    if parts.scheme not in usual or not _HOST.fullmatch(parts.hostname or ""):
        raise ValueError
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port is None else f":{parts.port}"
    if text.lower() != f"{parts.scheme}://{host}{port}":
        raise ValueError  # a path, a query or a user name is not part of an origin
    return f"{parts.scheme}://{host}{'' if parts.port == usual[parts.scheme] else port}"


def listen(text: str) -> tuple[str, int]:
    """Parse an IP address and a port."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    ipaddress.ip_address(host)
    return host, whole(0, 65535)(port)


def locale(text: str) -> str:
    """Parse a BCP 47 tag of a known language."""
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", text):
        raise ValueError
    if text.partition("-")[0].lower() != "en":
        from babel.localedata import exists  # imported late: the default language needs no check

        if not exists(text.partition("-")[0].lower()):
            raise ValueError
    return text
