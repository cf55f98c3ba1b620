"""Define all AGGREGATOR_* variables with type, default and meaning, except those of kinds of source."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from aggregator.config import option_values
from aggregator.config.broker_address import COUNTER_FORMS, FORMS
from aggregator.config.sign_in_options import SIGN_IN_OPTIONS
from aggregator.domain.settings_schema import (
    FOREVER,
    Option,
    duration,
    number,
    one_of,
    secret,
    secret_keys,
    unless,
    web_address,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEVELS = ("debug", "info", "warning", "error")
_FORMATS = ("text", "json")
_SECOND, _HOUR, _DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
_SHORTEST_LEASE = "10s"  # a shorter lease leaves no time for a slow publisher within a poll's time limit
SHORTEST_SECRET = 32  # characters: at least 128 bits in any usual encoding

OPTIONS: Mapping[str, Option[Any]] = {
    option.name: option
    for option in (
        Option("DATA_DIR", Path, "a folder's path", "the folder of the embedded database and of the key", "./data"),
        Option(
            "CONFIG_DIR",
            option_values.folder,
            "the path of an existing folder",
            "the folder with the files of your portal: topics, countries and the front page; 'config' is a sample",
        ),
        Option(
            "DATABASE_URL",
            option_values.database,
            "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME",
            "the database; by default an SQLite file in the data directory",
            secret=True,
        ),
        Option(
            "DIRECT_DATABASE_URL",
            option_values.server_database,
            "postgresql://USER:PASSWORD@HOST/NAME",
            "the same database without PgBouncer between, for notifications of changes; without it, readers behind "
            "PgBouncer look for changes four times a second",
            secret=True,
        ),
        Option(
            "REPLICA_URL",
            option_values.server_database,
            "postgresql://USER:PASSWORD@HOST/NAME",
            "a streaming replica of the database, from which readers read while it has all edits and removals",
            secret=True,
        ),
        Option(
            "BROKER_URL",
            option_values.broker,
            FORMS,
            "the message broker: Redis, Valkey, Sentinel or RabbitMQ; memory:// works only within one process",
            "memory://",
            secret=True,
        ),
        Option(
            "PRIVATE_NETWORKS",
            option_values.networks,
            "comma-separated addresses or CIDR blocks, such as 10.1.0.0/16,127.0.0.1",
            "private addresses that the HTTP client may reach",
            "",
        ),
        Option(
            "CONTACT_URL",
            web_address,
            "an http or https address",
            "contact address for publishers, sent in the User-Agent; default: the public address",
        ),
        Option("PUBLIC_URL", web_address, "an http or https address", "public address of the reader, for links"),
        Option(
            "LISTEN",
            option_values.listen,
            "ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080",
            "address that the reader listens on",
            "127.0.0.1:8080",
        ),
        Option(
            "TRUSTED_PROXIES",
            option_values.networks,
            "comma-separated addresses or CIDR blocks",
            "proxies whose X-Forwarded-* headers are trusted",
            "",
        ),
        Option(
            "METRICS_NETWORKS",
            option_values.networks_or_off,
            "comma-separated addresses or CIDR blocks, token, or off",
            "clients that may read /metrics without a token; token: none may; off: there is no /metrics",
            "127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7",
        ),
        Option(
            "CORS_ORIGINS",
            option_values.origins,
            "comma-separated origins such as https://portal.example, or *",
            "origins whose pages may read the API and the feeds in a browser",
            "",
        ),
        Option(
            "RATE_LIMIT",
            option_values.rate,
            f"NUMBER/second, /minute, /hour or /day, NUMBER from 1 to {option_values.MOST_REQUESTS}; or off",
            "most searches and further pages per client",
            "300/minute",
        ),
        Option(
            "RATE_STORE",
            option_values.counters,
            COUNTER_FORMS,
            "where rate limits are counted; memory:// counts in each reader process separately",
            "memory://",
            secret=True,
        ),
        Option(
            "SECRET_KEY",
            secret_keys(SHORTEST_SECRET),
            f"at least {SHORTEST_SECRET} characters without spaces; former keys may follow, after spaces or line ends",
            "key that signs forms and encrypts credentials; default: generated in the data directory at first start",
            secret=True,
        ),
        Option(
            "LEASE",
            duration(_SHORTEST_LEASE, "1h", _SECOND),
            f"a duration, {_SHORTEST_LEASE} to 1h; a bare number is in seconds",
            "how long a worker owns claimed sources before another may claim them",
            "5m",
        ),
        Option(
            "HOST_SPACING",
            duration("0s", "1h", _SECOND),
            "a duration, 0s to 1h; a bare number is in seconds",
            "least time between the starts of two requests to one host, across all workers",
            "2s",
        ),
        Option(
            "HOST_CONCURRENCY",
            whole(1, 64),
            "a whole number, 1 to 64",
            "concurrent requests to one host, across all workers",
            "1",
        ),
        Option(
            "POLLS_PER_HOUR",
            number(0.01, 60),
            "a number, 0.01 to 60",
            "average requests per feed and hour; busy feeds get more of them, quiet feeds fewer",
            "1",
        ),
        Option(
            "POLLS_PER_MINUTE",
            whole(1, 100_000),
            "a whole number, 1 to 100000",
            "most polls that start within a minute, so that a long stop causes no burst",
            "600",
        ),
        Option(
            "PROXY",
            option_values.proxy,
            "http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT",
            "proxy for fetching feeds; HTTP_PROXY and similar variables are ignored",
            secret=True,
        ),
        Option(
            "VERSIONS_KEPT",
            whole(5, 1000),  # fewer could not distinguish edits from servers that disagree
            "a whole number, 5 to 1000",
            "former versions kept of each edited item",
            "20",
        ),
        Option(
            "VERSIONS_AGE",
            duration("1d", "3650d", _DAY),
            "a duration, 1d to 3650d; a bare number is in days",
            "how long former versions are kept",
            "90d",
        ),
        Option(
            "LOG_AGE",
            duration("7d", "3650d", _DAY),
            "a duration, 7d to 3650d; a bare number is in days",
            "how long the log of polls is kept",
            "30d",
        ),
        Option(
            "RAW_AGE",
            duration("1d", "3650d", _DAY),
            "a duration, 1d to 3650d; a bare number is in days",
            "how long the raw entries of items are kept",
            "30d",
        ),
        Option(
            "HIDDEN_AGE",
            unless(FOREVER, duration("1d", "36500d", _DAY)),
            "a duration, 1d to 36500d, or forever; a bare number is in days",
            "how long hidden items keep their content; then nobody can publish them again",
            "180d",
        ),
        Option(
            "STREAM_AGE",
            unless(FOREVER, duration("7d", "36500d", _DAY)),
            "a duration, 7d to 36500d, or forever; a bare number is in days",
            "how long items stay in the stream; older ones are removed and not stored again",
            "forever",
        ),
        Option(
            "INCIDENTS_AGE",
            duration("30d", "3650d", _DAY),
            "a duration, 30d to 3650d; a bare number is in days",
            "how long ended incidents are kept",
            "365d",
        ),
        Option(
            "QUEUE_AGE",
            unless("off", duration("1h", "720h", _HOUR)),
            "a duration, 1h to 30d, or off; a bare number is in hours",
            "after how long an alert reports that items still wait for review",
            "1d",
        ),
        Option(
            "WEBHOOK_URL",
            option_values.webhook,
            "an http or https address",
            "where alerts are posted as signed messages, such as a stopped source or an old review queue",
            secret=True,
        ),
        Option(
            "WEBHOOK_SECRET",
            secret(16),
            "at least 16 characters without spaces",
            "key that signs these messages",
            secret=True,
        ),
        Option(
            "MAIL_SERVER",
            option_values.mail_server,
            "smtp://, smtps:// or smtp+starttls://, then USER:PASSWORD@HOST:PORT",
            "mail server for the same alerts",
            secret=True,
        ),
        Option("MAIL_FROM", option_values.mail, "a mail address", "sender of these mails"),
        Option("MAIL_TO", option_values.mails, "comma-separated mail addresses", "recipients of these mails", ""),
        Option(
            "TIMEZONE",
            ZoneInfo,
            "a name of the tz database, such as Europe/Madrid",
            "time zone of dates on pages",
            "UTC",
        ),
        Option(
            "LOCALE",
            option_values.locale,
            "a known language (BCP 47), such as en-GB or fr",
            "language of public pages, and of dates",
            "en",
        ),
        Option("LOG_LEVEL", one_of(_LEVELS), " or ".join(_LEVELS), "log level", "info"),
        Option("LOG_FORMAT", one_of(_FORMATS), " or ".join(_FORMATS), "format of log lines", "text"),
    )
} | {option.name: option for option in SIGN_IN_OPTIONS}
