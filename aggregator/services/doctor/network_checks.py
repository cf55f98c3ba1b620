"""Check name resolution, reachability, and the public address with its proxies."""

from __future__ import annotations

import socket
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from aggregator.domain.monitoring.findings import error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aggregator.domain.monitoring.findings import Finding
    from aggregator.services.doctor.examination import Subject

_PATIENCE = 3.0  # seconds
_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587, "http": 80, "https": 443}
_SAMPLE = 3  # sources
_EXPECTED = "Content-Security-Policy"  # a header of every response


def check_names(subject: Subject) -> Iterator[Finding]:
    """Check that names resolve: those of the settings, and of some sources."""
    settings = subject.settings
    named = {"AGGREGATOR_PUBLIC_URL": settings.public_url, "AGGREGATOR_CONTACT_URL": settings.contact_url}
    if settings.webhook_url is not None:
        named["AGGREGATOR_WEBHOOK_URL"] = settings.webhook_url.reveal()
    for variable, address in named.items():
        host = urlsplit(address or "").hostname
        if host and not _resolves(subject, host):
            yield error(
                "name-unknown", f"{variable}: the name {host} has no address.", f"Correct {variable}, or the DNS."
            )


def check_feed_names(subject: Subject) -> Iterator[Finding]:
    """Check that the hosts of sources resolve; if none of some does, resolution itself is broken."""
    if subject.settings.proxy is not None:
        return  # the proxy resolves them
    with subject.store.reading() as tx:
        hosts = {source.own_host.rpartition(":")[0] for source in tx.polling.sources.page(_SAMPLE)}
    unknown = sorted(host for host in hosts if host and not _resolves(subject, host))
    if unknown and len(unknown) == len(hosts):
        yield error(
            "resolution-broken",
            f"The names of sources have no address here: {', '.join(unknown)}.",
            "Check the name servers of this machine (/etc/resolv.conf), and whether it may reach them.",
        )


def check_servers(subject: Subject) -> Iterator[Finding]:
    """Check that the proxy and the mail server accept connections."""
    settings = subject.settings
    for code, variable, address in (
        ("proxy-unreachable", "AGGREGATOR_PROXY", settings.proxy),
        ("mail-unreachable", "AGGREGATOR_MAIL_SERVER", settings.mail_server),
    ):
        if address is None:
            continue
        parts = urlsplit(address.reveal())
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        try:
            socket.create_connection((host, port), timeout=_PATIENCE).close()
        except OSError as problem:
            remedy = f"Start the server, or correct {variable}."
            yield error(code, f"{host}:{port} refuses connections: {problem}.", remedy)


def check_public_address(subject: Subject) -> Iterator[Finding]:
    """Check that the public address leads to this program, with its headers, and hides the metrics."""
    public = subject.settings.public_url
    host = urlsplit(public or "").hostname
    if public is None or not host or not _resolves(subject, host):
        return
    try:
        status, headers, body = _get(f"{public}/healthz")
    except OSError as problem:
        yield warning(
            "public-url-unreachable",
            f"{public} does not answer from here: {problem}.",
            "Check proxy, firewall and certificate; ignore this if only others can reach it.",
        )
        return
    if status != 200 or b'"alive"' not in body:  # noqa: PLR2004
        yield error(
            "public-url-elsewhere",
            f"{public}/healthz answers {status}, but it is not this program.",
            "Let the proxy pass all paths below AGGREGATOR_PUBLIC_URL to the reader.",
        )
        return
    if _EXPECTED not in headers:
        yield warning(
            "headers-removed",
            f"A proxy removes the header {_EXPECTED}, which protects readers and the review desk.",
            "Let the proxy pass the reader's response headers.",
        )
    if _get(f"{public}/metrics")[0] == 200:  # noqa: PLR2004
        yield warning(
            "metrics-public",
            f"{public}/metrics answers without a token: the proxy hides the addresses of visitors, or its own network "
            "may read them.",
            "Let the proxy send X-Forwarded-For and trust it (AGGREGATOR_TRUSTED_PROXIES), or set "
            "AGGREGATOR_METRICS_NETWORKS to 'token'.",
        )


def _resolves(subject: Subject, host: str) -> bool:
    try:
        subject.resolve(host)
    except (OSError, UnicodeError):
        return False
    return True


def _get(address: str) -> tuple[int, Mapping[str, str], bytes]:
    """Return status, headers and the beginning of the body.

    Raises:
        OSError: there is no response.
    """
    request = Request(address, headers={"User-Agent": "aggregator doctor"})  # noqa: S310  # http(s), by its setting
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=_PATIENCE) as response:
            return response.status, dict(response.headers), response.read(10_000)
    except HTTPError as refused:
        with refused:
            return refused.code, dict(refused.headers), b""
    except (URLError, HTTPException, ValueError) as problem:
        raise OSError(getattr(problem, "reason", problem)) from problem
