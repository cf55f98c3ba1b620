"""Check settings that are valid, but wrong together or unsafe. Pure."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from aggregator.config.broker_address import BrokerKind
from aggregator.domain.monitoring.findings import error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.config.settings import Network, Settings
    from aggregator.domain.monitoring.findings import Finding
    from aggregator.services.doctor.examination import Subject

_METADATA = ipaddress.ip_address("169.254.169.254")  # of clouds: credentials of the machine
_ENCRYPTED = {"require", "verify-ca", "verify-full"}  # PostgreSQL's sslmode


def check_contact(subject: Subject) -> Iterator[Finding]:
    """Check the addresses that publishers and readers see."""
    settings = subject.settings
    if settings.contact_url is None and settings.public_url is None:
        yield warning(
            "contact-missing",
            "Publishers can't see whose requests these are, and may block them.",
            "Set AGGREGATOR_CONTACT_URL to a page about your portal.",
        )
    if settings.public_url is None:
        yield warning(
            "public-url-missing",
            "Links in feeds, mails and alerts have no public address.",
            "Set AGGREGATOR_PUBLIC_URL to the address under which readers reach this installation.",
        )
    elif urlsplit(settings.public_url).scheme == "http" and not _is_near(urlsplit(settings.public_url).hostname):
        yield warning(
            "public-url-insecure",
            "The public address is not encrypted, so passwords of the review desk can be read on their way.",
            "Put a TLS proxy in front, and set AGGREGATOR_PUBLIC_URL to its https address.",
        )


def check_proxies(subject: Subject) -> Iterator[Finding]:
    """Check the proxies in front of the reader and behind the HTTP client."""
    settings = subject.settings
    if _holds_everyone(settings.trusted_proxies):
        yield error(
            "proxies-everyone",
            "Every client is a trusted proxy, so anyone can forge an address and pass rate limits.",
            "Set AGGREGATOR_TRUSTED_PROXIES to the addresses of your proxies.",
        )
    is_https = (settings.public_url or "").startswith("https:")
    if is_https and not settings.trusted_proxies:
        yield warning(
            "proxies-missing",
            "A TLS proxy is in front, but none is trusted: all visitors share one address, one rate limit, and the "
            "limit of failed sign-ins.",
            "Set AGGREGATOR_TRUSTED_PROXIES to the proxy's address, and let it send X-Forwarded-For, -Proto and -Host.",
        )
    if not settings.trusted_proxies and not _is_near(settings.listen[0]):
        yield warning(
            "listen-everywhere",
            f"The reader listens on {settings.listen[0]} without a TLS proxy in front.",
            "Set AGGREGATOR_LISTEN to 127.0.0.1:8080 and put a proxy in front, or set AGGREGATOR_TRUSTED_PROXIES.",
        )
    proxies = [name for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy") if subject.environ.get(name)]
    if proxies and settings.proxy is None:
        yield warning(
            "environment-proxy-ignored",
            f"{proxies[0]} is set, but feeds are fetched without a proxy.",
            "Set AGGREGATOR_PROXY if feeds need the proxy.",
        )


def check_networks(subject: Subject) -> Iterator[Finding]:
    """Check network ranges."""
    settings = subject.settings
    if any(_METADATA in network for network in settings.private_networks):
        yield error(
            "private-networks-wide",
            "Feeds may lead to the cloud's metadata address, which can give away the machine's credentials.",
            "Limit AGGREGATOR_PRIVATE_NETWORKS to the hosts that you follow.",
        )
    if _holds_everyone(settings.metrics_networks or ()):
        yield error(
            "metrics-everyone",
            "Everyone may read /metrics.",
            "Limit AGGREGATOR_METRICS_NETWORKS to the scraper, or set it to 'token'.",
        )


def check_processes(subject: Subject) -> Iterator[Finding]:
    """Check that database, broker and key fit the way in which processes are started."""
    settings = subject.settings
    if settings.embedded_broker and not settings.embedded_database:
        yield warning(
            "broker-embedded",
            "The broker is memory://, so only 'aggregator run' polls; separate workers get no messages.",
            "Set AGGREGATOR_BROKER_URL to Redis, Valkey or RabbitMQ, unless 'aggregator run' is all that runs.",
        )
    if settings.embedded_database and not settings.embedded_broker:
        yield warning(
            "database-embedded",
            "The database is an SQLite file, which one process alone may poll into.",
            "Set AGGREGATOR_DATABASE_URL to PostgreSQL, or run one worker with '--pool threads'.",
        )
    if settings.secret_key is None and not settings.embedded_database:
        yield error(
            "secret-key-generated",
            f"The secret key is a file in {settings.data_dir}: other machines and containers have other keys, so that "
            "sessions end and stored credentials can't be read.",
            "Set AGGREGATOR_SECRET_KEY_FILE to a file that all processes read.",
        )
    has_visibility = settings.broker.kind in {BrokerKind.REDIS, BrokerKind.SENTINEL}
    if has_visibility and settings.lease.total_seconds() > subject.visibility:
        yield warning(
            "lease-above-visibility",
            f"The lease is longer than {subject.visibility:g} s, after which the broker delivers a message again.",
            f"Set AGGREGATOR_LEASE to {subject.visibility:g} or less.",
        )


def check_load_and_logs(subject: Subject) -> Iterator[Finding]:
    """Check settings that let requests or log lines grow without bounds."""
    settings = subject.settings
    if settings.host_spacing.total_seconds() == 0 and not settings.private_networks:
        yield warning(
            "host-spacing-off",
            "Requests to one host follow each other without a pause, which publishers may block.",
            "Set AGGREGATOR_HOST_SPACING to 2 or more.",
        )
    if settings.rate_limit is None and settings.public_url is not None:
        yield warning(
            "rate-limit-off",
            "Searches are not limited, so one client can keep the database busy.",
            "Set AGGREGATOR_RATE_LIMIT, for example to 300/minute.",
        )
    if settings.log_level == "debug":
        yield warning(
            "log-debug", "Each request is logged in detail, which fills disks.", "Set AGGREGATOR_LOG_LEVEL to info."
        )


def check_encryption(subject: Subject) -> Iterator[Finding]:
    """Check that secrets and messages are encrypted on their way."""
    settings = subject.settings
    yield from _check_servers(settings)
    if settings.webhook_url is None and settings.mail_server is None:
        yield warning(
            "alerts-missing",
            "Alerts are shown on the desk alone: nothing is sent when a source stops.",
            "Set AGGREGATOR_WEBHOOK_URL or AGGREGATOR_MAIL_SERVER, with the settings that belong to them.",
        )
    if settings.webhook_url is not None:
        webhook = urlsplit(settings.webhook_url.reveal())
        if webhook.scheme == "http" and not _is_near(webhook.hostname):
            yield warning("webhook-unencrypted", "Alerts are sent over plain HTTP.", "Use an https address.")
    if settings.mail_server is not None:
        mail = urlsplit(settings.mail_server.reveal())
        if mail.scheme == "smtp" and mail.password and not _is_near(mail.hostname):
            yield warning(
                "mail-unencrypted",
                "The password of the mail server is sent unencrypted.",
                "Use smtps:// or smtp+starttls:// in AGGREGATOR_MAIL_SERVER.",
            )


def _check_servers(settings: Settings) -> Iterator[Finding]:
    broker, database = settings.broker, urlsplit(settings.database_url.reveal())
    if not settings.embedded_broker and not broker.password and not _is_local(broker.host):
        yield warning(
            "broker-without-password",
            "The broker needs no password: a client that reaches it can start polls and empty queues.",
            "Set 'requirepass' in Redis or a user in RabbitMQ, and the password in AGGREGATOR_BROKER_URL.",
        )
    if not settings.embedded_database and not _is_near(database.hostname):
        mode = parse_qs(database.query).get("sslmode", [""])[-1]
        if mode not in _ENCRYPTED:
            yield warning(
                "database-unencrypted",
                "The connection to the database may be unencrypted.",
                "Add '?sslmode=verify-full' (or 'require') to AGGREGATOR_DATABASE_URL.",
            )


def _holds_everyone(networks: tuple[Network, ...]) -> bool:
    return any(network.prefixlen == 0 for network in networks)


def _is_near(host: str | None) -> bool:
    """Return whether a host is this machine or in a private network; names without a dot are those of containers."""
    if not host or _is_local(host) or "." not in host:
        return True
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        return address.is_private and not address.is_unspecified
    return False


def _is_local(host: str | None) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host or "").is_loopback
    return host in {None, "", "localhost"}
