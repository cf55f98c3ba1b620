"""Every setting, read once from the environment (`AGGREGATOR_*`) into one validated, frozen object.

A secret may come from a file instead (`AGGREGATOR_SECRET_KEY_FILE`); secrets hide their value in every printed form.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aggregator.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "AGGREGATOR_"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LEVELS = ("debug", "info", "warning", "error")
_FORMATS = ("text", "json")
_SHORTEST_LEASE = 10  # seconds: below that a poll's own time limit leaves no room for a slow publisher
_SHORTEST_SECRET = 32  # characters: 128 bits and more in any usual spelling
_T = TypeVar("_T")


class Secret:
    """A value that never shows itself: not in `repr`, `str`, logs or tracebacks."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('****')"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Option(Generic[_T]):
    """One variable: how it reads, what it means, what is allowed."""

    name: str  # without the prefix
    read: Callable[[str], _T]
    allowed: str  # in words, for the error
    meaning: str
    default: str | None = None  # as it would stand in the environment
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable's name."""
        return PREFIX + self.name


def _seconds(least: float, most: float) -> Callable[[str], timedelta]:
    def read(text: str) -> timedelta:
        seconds = float(text)
        if not least <= seconds <= most:
            raise ValueError
        return timedelta(seconds=seconds)

    return read


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text)
        if not least <= number <= most:
            raise ValueError
        return number

    return read


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError
        return text.lower()

    return read


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError
    _ = parts.port  # raises on a port that is none
    return text.rstrip("/")


def _x_base(text: str) -> str:
    address = _web_address(text)
    parts = urlsplit(address)
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ValueError  # the token would travel in clear
    return address


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _database(text: str) -> str:
    scheme = text.partition("://")[0]
    if scheme in {"postgresql", "postgres"}:  # bare names mean the driver that we ship
        return "postgresql+psycopg" + text[len(scheme) :]
    if scheme not in {"postgresql+psycopg", "sqlite"}:
        raise ValueError
    return text


def _broker(text: str) -> str:
    if text.partition("://")[0] not in {"memory", "redis", "rediss"} or "://" not in text:
        raise ValueError
    return text


def _listen(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    ipaddress.ip_address(host)
    return host, _whole(0, 65535)(port)


def _secret(least: int) -> Callable[[str], Secret]:
    def read(text: str) -> Secret:
        if len(text) < least or re.search(r"\s", text):
            raise ValueError
        return Secret(text)

    return read


def _locale(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", text):
        raise ValueError
    return text


OPTIONS: Mapping[str, Option[Any]] = {
    option.name: option
    for option in (
        Option("DATA_DIR", Path, "a folder's path", "where the embedded database and the key live", "./data"),
        Option(
            "DATABASE_URL",
            _database,
            "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME",
            "the database; by default an SQLite file in the data directory",
            secret=True,
        ),
        Option(
            "BROKER_URL",
            _broker,
            "memory:// or redis://HOST:PORT/NUMBER",
            "the doorbell between scheduler and workers; memory:// only within one process",
            "memory://",
            secret=True,
        ),
        Option("X_BEARER_TOKEN", _secret(1), "a token without spaces", "app-only token for the X API", secret=True),
        Option(
            "X_BASE_URL",
            _x_base,
            "an https address, or http on loopback",
            "where the X API answers",
            "https://api.x.com",
        ),
        Option(
            "PRIVATE_NETWORKS",
            _networks,
            "comma-separated addresses or CIDR blocks, such as 10.1.0.0/16,127.0.0.1",
            "private addresses that the HTTP client may reach all the same",
            "",
        ),
        Option(
            "CONTACT_URL",
            _web_address,
            "an http or https address",
            "where publishers reach you; goes into the User-Agent",
        ),
        Option("PUBLIC_URL", _web_address, "an http or https address", "where readers reach us; for self links"),
        Option(
            "LISTEN",
            _listen,
            "ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080",
            "where the reader listens",
            "127.0.0.1:8080",
        ),
        Option(
            "TRUSTED_PROXIES",
            _networks,
            "comma-separated addresses or CIDR blocks",
            "whose X-Forwarded-* headers are believed",
            "",
        ),
        Option(
            "SECRET_KEY",
            _secret(_SHORTEST_SECRET),
            f"at least {_SHORTEST_SECRET} characters without spaces",
            "signs sessions; made in the data directory at first start where none is given",
            secret=True,
        ),
        Option(
            "LEASE",
            _seconds(_SHORTEST_LEASE, 3600),
            f"seconds, {_SHORTEST_LEASE} to 3600",
            "how long a worker owns the sources it took before another may take them",
            "300",
        ),
        Option(
            "HOST_SPACING",
            _seconds(0, 3600),
            "seconds, 0 to 3600",
            "least time between the starts of two requests to one host, over all workers",
            "2",
        ),
        Option(
            "HOST_CONCURRENCY",
            _whole(1, 64),
            "a whole number, 1 to 64",
            "requests to one host at the same time, over all workers",
            "1",
        ),
        Option("TIMEZONE", ZoneInfo, "a name of the tz database, such as Europe/Madrid", "for dates on pages", "UTC"),
        Option("LOCALE", _locale, "a BCP 47 tag, such as en-GB", "language of our own pages' dates", "en"),
        Option("LOG_LEVEL", _one_of(_LEVELS), " or ".join(_LEVELS), "how much is logged", "info"),
        Option("LOG_FORMAT", _one_of(_FORMATS), " or ".join(_FORMATS), "how log lines look", "text"),
    )
}


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. `origins` says per option where its value came from: "environment", a file, "default" or "made"."""

    data_dir: Path
    database_url: Secret
    broker_url: Secret
    x_bearer_token: Secret | None
    x_base_url: str
    private_networks: tuple[Network, ...]
    contact_url: str | None
    public_url: str | None
    listen: tuple[str, int]
    trusted_proxies: tuple[Network, ...]
    secret_key: Secret | None  # None until `with_secret_key` made one
    lease: timedelta
    host_spacing: timedelta
    host_concurrency: int
    timezone: ZoneInfo
    locale: str
    log_level: str
    log_format: str
    origins: Mapping[str, str]

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read and check every variable.

        Raises:
            SettingsError: a value can't be used, a variable is unknown, or a file can't be read. All of them at once.
        """
        environ = os.environ if environ is None else environ
        problems = _unknown(environ)
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for option in OPTIONS.values():
            try:
                values[option.name.lower()], origins[option.name] = _value(option, environ)
            except SettingsError as problem:
                problems.append(str(problem))
        if problems:
            raise SettingsError("\n".join(problems))
        if values["database_url"] is None:
            values["database_url"] = f"sqlite:///{(values['data_dir'] / 'aggregator.sqlite3').absolute()}"
        values["database_url"] = Secret(values["database_url"])
        values["broker_url"] = Secret(values["broker_url"])
        return cls(**values, origins=origins)

    @property
    def embedded_database(self) -> bool:
        """Whether the database is an SQLite file, which has one writing process."""
        return self.database_url.reveal().startswith("sqlite")

    @property
    def embedded_broker(self) -> bool:
        """Whether messages only pass between threads of one process."""
        return self.broker_url.reveal().startswith("memory")

    @property
    def user_agent_contact(self) -> str:
        """The contact that publishers see, or what to say where none is set."""
        return self.contact_url or self.public_url or "no contact address configured"

    def secret(self) -> Secret:
        """Return the key that signs sessions; make one in the data directory at first need.

        Raises:
            SettingsError: the data directory can't be written.
        """
        return self.secret_key or _key_in(self.data_dir)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return `(variable, value, origin, meaning)` of every option, secrets hidden, for people."""
        return [
            (
                option.variable,
                _shown(option, getattr(self, option.name.lower())),
                self.origins[option.name],
                option.meaning,
            )
            for option in OPTIONS.values()
        ]


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = {option.variable for option in OPTIONS.values()}
    known |= {option.variable + "_FILE" for option in OPTIONS.values() if option.secret}
    return [
        f"{name} is no setting of ours; 'aggregator settings' lists them all."
        for name in sorted(environ)
        if name.startswith(PREFIX) and name not in known
    ]


def _value(option: Option[_T], environ: Mapping[str, str]) -> tuple[_T | None, str]:
    """Return the value of one option and where it came from; an empty variable counts as not set."""
    text, origin = environ.get(option.variable, "").strip(), "environment"
    path = environ.get(option.variable + "_FILE", "").strip() if option.secret else ""
    if text and path:
        raise SettingsError(f"{option.variable} and {option.variable}_FILE are both set; keep one of them.")
    if path:
        try:
            text, origin = Path(path).read_text(encoding="utf-8").strip(), f"file {path}"
        except (OSError, UnicodeError) as problem:
            raise SettingsError(f"{option.variable}_FILE: {path!r} can't be read: {problem}.") from None
    if not text:
        if option.default is None:
            return None, "not set"
        text, origin = option.default, "default"
    try:
        return option.read(text), origin
    except (ValueError, ZoneInfoNotFoundError, OSError):
        shown = "its value (hidden, since it is secret)" if option.secret else repr(text)
        raise SettingsError(f"{option.variable}: {shown} can't be used; allowed is {option.allowed}.") from None


def _shown(option: Option[Any], value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, Secret):
        return _without_password(value.reveal()) if option.name.endswith("_URL") else "****"
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    if isinstance(value, tuple):
        separator = ":" if option.name == "LISTEN" else ", "
        return separator.join(str(part) for part in value) or "-"
    return str(value)


def _without_password(address: str) -> str:
    return re.sub(r"(://[^/@]*:)[^/]*(@)", r"\1****\2", address)


def _key_in(data_dir: Path) -> Secret:
    path = data_dir / "secret-key"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(_SHORTEST_SECRET))
        except FileExistsError:
            pass
        return Secret(path.read_text(encoding="ascii").strip())
    except OSError as problem:
        raise SettingsError(
            f"AGGREGATOR_SECRET_KEY is not set and {path} can't be made: {problem}. "
            "Set the variable, or make AGGREGATOR_DATA_DIR writable."
        ) from None
