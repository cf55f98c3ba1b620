"""Send requests to a server's public API."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from aggregator.domain.errors import (
    GoneError,
    MissingAccountError,
    NotAllowedError,
    SourceError,
    UnreadableError,
)
from aggregator.source_api.untrusted_json import Record, decoded, moment, record, records, text
from aggregator.sources.mastodon.addresses import Account, api, is_id, scheme_of
from aggregator.sources.mastodon.network import API
from aggregator.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.fetching.client import Http
    from aggregator.fetching.response import Response, TransferStats

_ACCEPT = "application/json"
_WEBFINGER = "application/jrd+json, application/json;q=0.9"
_CLOSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY})
_ABSENT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
PAGE = 40  # statuses per request, the most that servers send


async def base_of(account: Account, http: Http) -> str:
    """Return the base URL of the API of an account: the handle's server may leave it to another host (WebFinger).

    Raises:
        SourceError: its server doesn't answer WebFinger, or knows no such account.
    """
    home = f"{scheme_of(account.server)}://{account.server}"
    resource = quote(f"acct:{account.name}@{account.server}", safe=":@")
    response = await http.get(f"{home}/.well-known/webfinger?resource={resource}", accept=_WEBFINGER)
    for link in records(record(decoded(response.body, API)).get("links")):
        url = canonical_url(text(link.get("href"), 2000)) if link.get("rel") == "self" else None
        if url and "activity" in text(link.get("type"), 200):
            parts = urlsplit(url)
            return f"{parts.scheme}://{parts.netloc}"
    return home


async def account_of(base: str, name: str, http: Http) -> Record:
    """Return the Account entity of a local account.

    Raises:
        NotAllowedError: the server answers only signed-in clients.
        MissingAccountError: there is no such account.
        SourceError: the response was not usable.
    """
    try:
        response = await http.get(api(base, "accounts/lookup", {"acct": name}), accept=_ACCEPT)
    except SourceError as problem:
        raise _explained(problem, base, f"{base} has no account {name!r}.") from None
    account = record(decoded(response.body, API))
    if not is_id(account.get("id")):
        raise UnreadableError(f"{base} answers without an account, so it has no API of Mastodon.")
    return account


async def statuses(
    address: str,
    http: Http,
    tally: TransferStats | None = None,
    etag: str | None = None,
) -> Response:
    """Request a list of statuses.

    Raises:
        NotAllowedError: the server answers only signed-in clients.
        MissingAccountError: the account was deleted or suspended.
        SourceError: the response was not usable.
    """
    try:
        return await http.get(address, accept=_ACCEPT, tally=tally, etag=etag)
    except SourceError as problem:
        base = "://".join(urlsplit(address)[:2])
        raise _explained(problem, base, f"{base} no longer has this account.") from None


async def status(base: str, id_: str, http: Http, tally: TransferStats) -> bytes | None:
    """Return a status as JSON, or None if it was deleted.

    Raises:
        SourceError: the response was not usable.
    """
    try:
        response = await http.get(api(base, f"statuses/{id_}"), accept=_ACCEPT, tally=tally)
    except SourceError as problem:
        if isinstance(problem, GoneError) or getattr(problem, "status", None) in _ABSENT:
            return None
        raise
    return response.body


def limit_reached_until(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """Return until when a server allows no further request, by its rate limit headers."""
    named = {name.lower(): value for name, value in headers.items()}
    if named.get("x-ratelimit-remaining", "").strip() != "0":
        return None
    until = moment(named.get("x-ratelimit-reset", "").strip())
    return until if until is not None and until > now.astimezone(UTC) else None


def _explained(problem: SourceError, base: str, absent: str) -> SourceError:
    number = getattr(problem, "status", None)
    if number in _CLOSED:
        return NotAllowedError(
            f"{base} gives its API to signed-in clients only ({number}). Its profile pages may have an RSS feed: add "
            "their address with '.rss' at the end; boosts, polls and content warnings are missing there."
        )
    return MissingAccountError(absent) if number in _ABSENT else problem
