"""The options: every AGGREGATOR_* variable, how it reads, what it means and what is allowed."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from aggregator.config.secrets import Secret
from aggregator.domain.compliance.sweep_mode import Sweeping

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "AGGREGATOR_"
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LEVELS = ("debug", "info", "warning", "error")
_FORMATS = ("text", "json")
_SPANS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_MOST_REQUESTS = 1_000_000
_SHORTEST_LEASE = 10  # seconds: below that a poll's own time limit leaves no room for a slow publisher
SHORTEST_SECRET = 32  # characters: 128 bits and more in any usual spelling
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Rate:
    """How much may be asked within how long."""

    requests: int
    seconds: int

    def __str__(self) -> str:
        """Return it as it would stand in the environment, as far as there is a word for the span."""
        unit = next((word for word, seconds in _SPANS.items() if seconds == self.seconds), f"{self.seconds} s")
        return f"{self.requests}/{unit}"


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


def _days(least: int, most: int) -> Callable[[str], timedelta]:
    whole = _whole(least, most)
    return lambda text: timedelta(days=whole(text))


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text)
        if not least <= number <= most:
            raise ValueError
        return number

    return read


def _number(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        number = float(text)
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


def _yes_or_no(text: str) -> bool:
    return _one_of(("yes", "no"))(text) == "yes"


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError
    _ = parts.port  # raises on a port that is none
    return text.rstrip("/")


def _proxy(text: str) -> Secret:
    parts = urlsplit(text)
    if parts.scheme != "http" or not parts.hostname or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError
    _ = parts.port  # raises on a port that is none
    return Secret(text.rstrip("/"))


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


def _folder(text: str) -> Path:
    folder = Path(text)
    if not folder.is_dir():
        raise ValueError
    return folder


def _database(text: str) -> str:
    scheme = text.partition("://")[0]
    if scheme in {"postgresql", "postgres"}:  # bare names mean the driver that we ship
        return "postgresql+psycopg" + text[len(scheme) :]
    if scheme not in {"postgresql+psycopg", "sqlite"}:
        raise ValueError
    if scheme == "sqlite" and (not text.startswith("sqlite:///") or text in {"sqlite:///", "sqlite:///:memory:"}):
        raise ValueError  # in memory each command would see a database of its own
    return text


def _broker(text: str) -> str:
    if text.partition("://")[0] not in {"memory", "redis", "rediss"} or "://" not in text:
        raise ValueError
    return text


def _queue_age(text: str) -> timedelta | None:
    return None if text.lower() == "off" else timedelta(hours=_whole(1, 720)(text))


def _webhook(text: str) -> Secret:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.fragment:
        raise ValueError
    _ = parts.port  # raises on a port that is none
    return Secret(text)


def _mail_server(text: str) -> Secret:
    parts = urlsplit(text)
    if parts.scheme not in {"smtp", "smtps", "smtp+starttls"} or not parts.hostname or parts.path not in {"", "/"}:
        raise ValueError
    _ = parts.port  # raises on a port that is none
    return Secret(text)


def _mail(text: str) -> str:
    if not re.fullmatch(r"[^@\s<>,;]{1,64}@[A-Za-z0-9.-]{1,255}", text):
        raise ValueError
    return text


def _mails(text: str) -> tuple[str, ...]:
    return tuple(_mail(part.strip()) for part in text.split(",") if part.strip())


def _rate(text: str) -> Rate | None:
    if text.lower() == "off":
        return None
    number, _, span = text.partition("/")
    if span.lower() not in _SPANS:
        raise ValueError
    return Rate(_whole(1, _MOST_REQUESTS)(number), _SPANS[span.lower()])


def _origins(text: str) -> tuple[str, ...]:
    """Read origins as browsers send them: scheme, host and a port that is not the usual one, in lower case."""
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
        raise ValueError  # a path, a query or a name to sign in with is no part of an origin
    return f"{parts.scheme}://{host}{'' if parts.port == usual[parts.scheme] else port}"


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
            "CONFIG_DIR",
            _folder,
            "the path of a folder that is there",
            "the folder whose files make this your portal: topics, countries and the front page; 'config' is a sample",
        ),
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
            "X_VOCABULARY",
            _one_of(("tweets", "posts")),
            "tweets or posts",
            "which names the X API is asked by: those until its description 2.166, or those from 2.167 on",
            "tweets",
        ),
        Option(
            "X_BUDGET",
            _number(0, 1_000_000),
            "dollars, 0 to 1000000",
            "the most that X may cost in a cycle; what is left is spread over its rest and over all accounts",
        ),
        Option(
            "X_RESERVE",
            _number(0, 0.9),
            "a part, 0 to 0.9",
            "the part of the budget that is kept for learning which shown posts are gone",
            "0.1",
        ),
        Option(
            "X_CYCLE_DAY", _whole(1, 28), "a day of the month, 1 to 28", "when a cycle of the budget begins, UTC", "1"
        ),
        Option(
            "X_SWEEP",
            Sweeping,
            "auto, jobs, lookup or off",
            "how posts are checked that we show: by X's compliance jobs, which cost nothing, by looking them up "
            "within the reserve, by the second where the first is refused, or not at all",
            "auto",
        ),
        Option(
            "X_PUBLIC_TEXT",
            _yes_or_no,
            "yes or no",
            "whether machine-readable outputs give anybody the content of posts on X, which X must have agreed to",
            "no",
        ),
        Option(
            "X_EMBED",
            _yes_or_no,
            "yes or no",
            "whether the embed shows posts on X in other sites' pages, which X's agreement forbids unless X has agreed",
            "no",
        ),
        Option("X_POST_PRICE", _number(0, 100), "dollars, 0 to 100", "what X asks for a post that it returns", "0.005"),
        Option("X_USER_PRICE", _number(0, 100), "dollars, 0 to 100", "the same for an account", "0.01"),
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
            "CORS_ORIGINS",
            _origins,
            "comma-separated origins such as https://portal.example, or *",
            "whose pages may read the API and the feeds in a browser",
            "",
        ),
        Option(
            "RATE_LIMIT",
            _rate,
            f"NUMBER/second, /minute, /hour or /day, NUMBER from 1 to {_MOST_REQUESTS}; or off",
            "the most searches and further pages that a client may ask for",
            "300/minute",
        ),
        Option(
            "RATE_STORE",
            _broker,
            "memory:// or redis://HOST:PORT/NUMBER",
            "where that is counted; memory:// counts in each reader process by itself",
            "memory://",
            secret=True,
        ),
        Option(
            "SECRET_KEY",
            _secret(SHORTEST_SECRET),
            f"at least {SHORTEST_SECRET} characters without spaces",
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
        Option(
            "POLLS_PER_HOUR",
            _number(0.01, 60),
            "a number, 0.01 to 60",
            "requests per feed and hour on average; feeds that publish much get more of them, quiet ones fewer",
            "1",
        ),
        Option(
            "POLLS_PER_MINUTE",
            _whole(1, 100_000),
            "a whole number, 1 to 100000",
            "sources that begin to be polled within a minute at the most, so that a long stop causes no burst",
            "600",
        ),
        Option(
            "PROXY",
            _proxy,
            "http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT",
            "the proxy through which feeds are fetched; variables like HTTP_PROXY are not heeded",
            secret=True,
        ),
        Option(
            "VERSIONS_KEPT",
            _whole(5, 1000),  # fewer could not distinguish edits from servers that disagree
            "a whole number, 5 to 1000",
            "former versions kept of each item that its source edits",
            "20",
        ),
        Option(
            "VERSIONS_AGE",
            _days(1, 3650),
            "days, 1 to 3650",
            "how long former versions are kept",
            "90",
        ),
        Option(
            "QUEUE_AGE",
            _queue_age,
            "hours, 1 to 720, or off",
            "after how many hours people are told that something still waits for review",
            "24",
        ),
        Option(
            "WEBHOOK_URL",
            _webhook,
            "an http or https address",
            "where a signed message goes when a source stops or the queue grows old",
            secret=True,
        ),
        Option(
            "WEBHOOK_SECRET",
            _secret(16),
            "at least 16 characters without spaces",
            "what these messages are signed with",
            secret=True,
        ),
        Option(
            "MAIL_SERVER",
            _mail_server,
            "smtp://, smtps:// or smtp+starttls://, then USER:PASSWORD@HOST:PORT",
            "the mail server through which people are told the same",
            secret=True,
        ),
        Option("MAIL_FROM", _mail, "a mail address", "who these mails are from"),
        Option("MAIL_TO", _mails, "comma-separated mail addresses", "who gets them", ""),
        Option("TIMEZONE", ZoneInfo, "a name of the tz database, such as Europe/Madrid", "for dates on pages", "UTC"),
        Option("LOCALE", _locale, "a BCP 47 tag, such as en-GB", "language of our own pages' dates", "en"),
        Option("LOG_LEVEL", _one_of(_LEVELS), " or ".join(_LEVELS), "how much is logged", "info"),
        Option("LOG_FORMAT", _one_of(_FORMATS), " or ".join(_FORMATS), "how log lines look", "text"),
    )
}
