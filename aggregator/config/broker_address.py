"""Read the addresses of brokers and counters: Redis, Valkey, Sentinel and RabbitMQ.

Valkey speaks Redis's protocol, so its addresses become Redis addresses. A Sentinel's address has one form here:
`sentinel://[USER:PASSWORD@]HOST:PORT[,HOST:PORT...]/SERVICE[/NUMBER]`; user and password are those of the server.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_AS_REDIS = {"redis": "redis", "valkey": "redis", "rediss": "rediss", "valkeys": "rediss"}
_AMQP = {"amqp", "amqps"}
_SENTINEL_PORT = 26379
_SENTINEL_PASSWORD = "sentinel_password"  # noqa: S105  # the name of a parameter
FORMS = (
    "memory://, redis:// or valkey:// with HOST:PORT/NUMBER, amqp://USER:PASSWORD@HOST:PORT/VHOST, or "
    "sentinel://HOST:PORT,HOST:PORT/SERVICE; rediss://, valkeys:// and amqps:// are encrypted"
)
COUNTER_FORMS = (
    "memory://, redis:// or valkey:// with HOST:PORT/NUMBER, or sentinel://HOST:PORT,HOST:PORT/SERVICE; rediss:// and "
    "valkeys:// are encrypted"
)


class BrokerKind(StrEnum):
    """What speaks at an address."""

    MEMORY = "memory"
    REDIS = "redis"  # or Valkey
    SENTINEL = "sentinel"
    AMQP = "amqp"


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """An address of a broker, in the forms of the libraries that connect to it."""

    kind: BrokerKind
    url: str = field(repr=False)  # of redis-py or kombu; for Sentinel the address as it was given
    encrypted: bool = False
    hosts: tuple[tuple[str, int], ...] = ()  # of Sentinels
    service: str = ""  # the name by which Sentinels know the server

    @classmethod
    def parse(cls, text: str) -> BrokerAddress:
        """Read an address.

        Raises:
            ValueError: it is none of the accepted forms.
        """
        scheme = text.partition("://")[0].lower()
        parts = urlsplit(text)
        if "://" not in text:
            raise ValueError("no scheme")
        if scheme == "memory":
            return cls(BrokerKind.MEMORY, text)
        if scheme == "sentinel":
            return _sentinel(text, parts)
        _ = parts.port  # raises on an invalid port
        if scheme in _AMQP:
            return cls(BrokerKind.AMQP, scheme + text[len(scheme) :], encrypted=scheme == "amqps")
        if scheme not in _AS_REDIS or (parts.path.strip("/") and not parts.path.strip("/").isdigit()):
            raise ValueError(f"{scheme} is no broker")
        plain = _AS_REDIS[scheme]
        return cls(BrokerKind.REDIS, plain + text[len(scheme) :], encrypted=plain == "rediss")

    @property
    def host(self) -> str | None:
        """The host of the server, or of the first Sentinel."""
        return self.hosts[0][0] if self.hosts else urlsplit(self.url).hostname

    @property
    def password(self) -> str | None:
        """The server's password."""
        password = urlsplit(self.url).password
        return unquote(password) if password else None

    @property
    def username(self) -> str | None:
        """The user name at the server."""
        return unquote(urlsplit(self.url).username or "") or None

    @property
    def number(self) -> int:
        """The number of the database of a server behind Sentinels."""
        return int(urlsplit(self.url).path.strip("/").partition("/")[2] or 0)

    @property
    def sentinel_options(self) -> Mapping[str, str]:
        """The connection parameters of the Sentinels themselves."""
        password = parse_qs(urlsplit(self.url).query).get(_SENTINEL_PASSWORD)
        return {"password": password[0]} if password else {}

    @property
    def kombu_url(self) -> str:
        """The address in the form that Celery reads."""
        if self.kind is BrokerKind.MEMORY:
            return "memory://localhost/"  # kombu warns about one without a host
        if self.kind is not BrokerKind.SENTINEL:
            return self.url
        login, at, _ = urlsplit(self.url).netloc.rpartition("@")
        return ";".join(f"sentinel://{login}{at}{_bracketed(host)}:{port}/{self.number}" for host, port in self.hosts)

    @property
    def kombu_ssl(self) -> Mapping[str, Any] | None:
        """The parameters of an encrypted connection: kombu alone would not check certificates."""
        if not self.encrypted:
            return None
        if self.kind is BrokerKind.AMQP:
            return {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None}  # None: the name in the address
        return {"ssl_cert_reqs": ssl.CERT_REQUIRED}  # parameters `ssl_...` in the address replace it


def _sentinel(text: str, parts: SplitResult) -> BrokerAddress:
    hosts = tuple(_host(part) for part in parts.netloc.rpartition("@")[2].split(","))
    service, _, number = parts.path.strip("/").partition("/")
    if not service or (number and not number.isdigit()) or set(parse_qs(parts.query)) - {_SENTINEL_PASSWORD}:
        raise ValueError("no service")
    return BrokerAddress(BrokerKind.SENTINEL, text, hosts=hosts, service=service)


def _host(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.path or parts.query:
        raise ValueError("no host")
    return parts.hostname, parts.port or _SENTINEL_PORT


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
