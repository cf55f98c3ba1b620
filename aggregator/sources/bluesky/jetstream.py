"""Receive events of followed accounts from a Jetstream server over one WebSocket.

The contract is that of `/subscribe`: https://github.com/bluesky-social/jetstream. The accounts are sent in a message
after the connection was opened (`requireHello`), since ten thousand of them don't fit into an address. Each event has a
time in microseconds by the server's clock, `time_us`, from which the stream can be continued.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from aggregator.domain.compliance.takedowns import Fate
from aggregator.domain.errors import BrokenOffError, SourceError
from aggregator.fetching.web_socket import MOST_BYTES, web_socket
from aggregator.source_api.push import (
    AccountChanged,
    AccountRemoved,
    AccountRestored,
    PostDeleted,
    ProfileChanged,
    Reached,
)
from aggregator.sources.bluesky.addresses import POSTS, REPOSTS, Uri, is_did, uri_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Iterator

    from aggregator.fetching.client import Http
    from aggregator.fetching.web_socket import WebSocket
    from aggregator.source_api.push import Followed, PushEvent

PROFILES = "app.bsky.actor.profile"
COLLECTIONS = (POSTS, REPOSTS, PROFILES)
MOST_DIDS = 10_000  # that a server accepts; of more accounts, all events are received and most left out here

_FATES = {
    "deleted": Fate.DELETED,
    "deactivated": Fate.DEACTIVATED,
    "suspended": Fate.SUSPENDED,
    "takendown": Fate.SUSPENDED,
}
_LOOK_EVERY = 1.0  # seconds between looks for a change of the accounts
_SILENCE = 600.0  # seconds without an event, after which the connection may be a dead one that still answers pings
_REACHED_EVERY = 1.0  # seconds between two notes of events of other accounts
_AHEAD = timedelta(seconds=10)  # by which a server's clock may be ahead
_BACK = timedelta(hours=1)  # by which a server's clock may be set back
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_TIME = 10**17  # microseconds, in the year 5138


def subscription(base: str, since: datetime | None) -> str:
    """Return the address of a subscription that begins after a time."""
    query: list[tuple[str, str | int]] = [("wantedCollections", collection) for collection in COLLECTIONS]
    query += [("maxMessageSizeBytes", MOST_BYTES), ("requireHello", "true")]
    if since is not None:
        query.append(("cursor", (since - _EPOCH) // timedelta(microseconds=1)))
    return f"{base}?{urlencode(query)}"


def options_update(accounts: Collection[str]) -> str:
    """Return the message that names the wanted accounts; none are named above the limit, which means all."""
    dids = [account for account in accounts if is_did(account)]
    payload = {
        "wantedCollections": COLLECTIONS,
        "wantedDids": dids if len(dids) <= MOST_DIDS else [],
        "maxMessageSizeBytes": MOST_BYTES,
    }
    return json.dumps({"type": "options_update", "payload": payload}, separators=(",", ":"))


async def listen(http: Http, base: str, followed: Followed, since: datetime | None) -> AsyncGenerator[PushEvent | None]:
    """Yield the events of followed accounts, and how far the stream is; None when the connection is open.

    Without any account, no connection is opened, since a subscription without accounts is one to all.

    Args:
        http: the HTTP client.
        base: the address of a Jetstream server's endpoint, with https instead of wss.
        followed: the accounts.
        since: begin with events after this time.

    Raises:
        SourceError: the server refused the connection, or it broke.
    """
    while not any(map(is_did, followed.accounts)):  # noqa: ASYNC110 - the listener itself looks once a second
        await asyncio.sleep(_LOOK_EVERY)
    async with web_socket(http, subscription(base, since)) as socket:
        stream = _Stream(socket, followed, since)
        await stream.name_accounts()
        yield None
        watching = asyncio.create_task(stream.watch())
        try:
            while True:
                message = await socket.receive()
                for event in stream.events(message):
                    yield event
        except BrokenOffError:
            if stream.problem is not None:
                raise stream.problem from None
            if stream.accounts:
                raise
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


class _Stream:
    """An open connection."""

    def __init__(self, socket: WebSocket, followed: Followed, since: datetime | None) -> None:
        self._socket, self._followed = socket, followed
        self._named: Collection[str] | None = None
        self.accounts: frozenset[str] = frozenset()
        self.problem: SourceError | None = None  # why it was closed here
        self._position = since
        self._received = self._reached = time.monotonic()

    async def name_accounts(self) -> None:
        """Send the wanted accounts if they changed.

        Raises:
            SourceError: the connection broke.
        """
        if self._named is self._followed.accounts:
            return
        self._named = self._followed.accounts
        accounts = frozenset(filter(is_did, self._named))
        if accounts and accounts != self.accounts:
            await self._socket.send(options_update([did for did in self._named if did in accounts]))
        self.accounts = accounts

    async def watch(self) -> None:
        """Name the accounts when they change; close the connection when there are none, or it is silent for long."""
        while self.accounts and self.problem is None:
            await asyncio.sleep(_LOOK_EVERY)
            if time.monotonic() - self._received > _SILENCE:
                self.problem = BrokenOffError(f"The stream sent no event for {_SILENCE / 60:.0f} minutes.")
                break
            try:
                await self.name_accounts()
            except SourceError as problem:
                self.problem = problem
        await self._socket.close()

    def events(self, message: str) -> list[PushEvent]:
        """Return the events of a message."""
        self._received = now = time.monotonic()
        record = event_record(message)
        if record is None:
            return []
        events: list[PushEvent] = list(events_in(record, self.accounts))
        if self._moves(moment_of(record.get("time_us"))) and (events or now - self._reached >= _REACHED_EVERY):
            self._reached = now
            events.append(Reached(self._position or _EPOCH))
        return events

    def _moves(self, at: datetime | None) -> bool:
        """Note a position; return False for one that no right clock gives."""
        if at is None or at > datetime.now(UTC) + _AHEAD:
            return False
        if self._position is not None and at < self._position - _BACK:
            return False
        self._position = at
        return True


def event_record(message: str) -> dict[str, Any] | None:
    """Return the object in a message, or None if it has none."""
    try:
        decoded = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


def moment_of(value: object) -> datetime | None:
    """Return the time of an event."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < _LARGEST_TIME:
        return None
    return _EPOCH + timedelta(microseconds=value)


def events_in(record: dict[str, Any], accounts: Collection[str]) -> Iterator[PushEvent]:
    """Yield what an event means; nothing for unknown and malformed ones, and those of other accounts."""
    did, kind = record.get("did"), record.get("kind")
    if not isinstance(did, str) or did not in accounts or not isinstance(kind, str):
        return
    content = record.get(kind)
    if not isinstance(content, dict):
        return
    at = moment_of(record.get("time_us"))
    if kind == "commit":
        yield from _commit(did, content, at)
    elif kind == "identity":
        yield ProfileChanged(did)
    elif kind == "account":
        yield from _account(did, content, at)


def _commit(did: str, commit: dict[str, Any], at: datetime | None) -> Iterator[PushEvent]:
    operation, collection, key = commit.get("operation"), commit.get("collection"), commit.get("rkey")
    uri = uri_of(f"at://{did}/{collection}/{key}") if isinstance(collection, str) and isinstance(key, str) else None
    if uri is None or operation not in ("create", "update", "delete"):
        return
    if collection == PROFILES:
        yield ProfileChanged(did)
    elif collection not in {POSTS, REPOSTS}:
        return
    elif operation == "delete":
        yield PostDeleted(str(uri), did, at)
    elif operation == "update":
        yield AccountChanged(did)
    else:
        yield _created(uri, commit.get("record"), at)


def _created(uri: Uri, record: object, at: datetime | None) -> AccountChanged:
    if uri.collection == POSTS:
        return AccountChanged(uri.did, str(uri), at=at)
    subject = record.get("subject") if isinstance(record, dict) else None
    original = uri_of(subject.get("uri"), POSTS) if isinstance(subject, dict) else None
    return AccountChanged(uri.did, str(uri), str(original), at) if original else AccountChanged(uri.did)


def _account(did: str, account: dict[str, Any], at: datetime | None) -> Iterator[PushEvent]:
    active, status = account.get("active"), account.get("status")
    if active is True:
        yield AccountRestored(did)
    elif active is False and isinstance(status, str) and status in _FATES:
        yield AccountRemoved(did, _FATES[status], at)
        return
    yield AccountChanged(did)
