"""Implement the `Credentials` port on the store: decrypt tokens, and renew each by one process at a time."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.access.credentials import RENEW_BEFORE
from aggregator.domain.errors import CredentialsError, SignInError, SlowError, SourceError
from aggregator.source_api.account_connection import App
from aggregator.system.thread_pools import in_database_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from aggregator.config.credential_encryption import HeaderCipher
    from aggregator.domain.access.credentials import Credential
    from aggregator.domain.clock import Clock
    from aggregator.source_api.account_connection import Grant
    from storage.api.credentials import Sealed
    from storage.store import Store, Transaction

RENEWING = timedelta(seconds=60)  # longer than a renewal takes; a process that takes longer is dead
RENEWED_AGAIN = timedelta(hours=1)  # after a renewal whose token the service rejects, too
_WAITING = 30.0  # seconds to wait for a renewal by another process
_CHECK_INTERVAL = 0.2  # seconds
_NOTED = timedelta(minutes=10)  # accuracy of the last use

log = structlog.get_logger(__name__)


class StoreCredentials:
    """The connected accounts, in the database."""

    def __init__(self, store: Store, clock: Clock, seal: Callable[[], HeaderCipher]) -> None:
        self._store = store
        self._clock = clock
        self._seal = seal
        self._noted: dict[tuple[str, str], float] = {}  # when uses were recorded, by monotonic time

    async def all(self, service: str) -> Sequence[Credential]:
        """Return the connected accounts of a service."""
        found: Sequence[Credential] = await self._read(lambda tx: tx.api.credentials.all(service))
        return found

    async def access_token(self, credential: Credential, renew: Callable[[App, str], Awaitable[Grant]]) -> str:
        """Return a valid access token; see the port.

        Raises:
            CredentialsError: it can't be renewed.
            SourceError: the service gave no usable response.
        """
        deadline = time.monotonic() + _WAITING
        while True:
            stored: Sealed | None = await self._read(lambda tx: tx.api.credentials.get(credential.id))
            if stored is None or not stored.credential.is_usable(self._clock()):
                why = "it was removed" if stored is None else stored.credential.problem or "it has expired"
                raise CredentialsError(f"The access to {credential.name} can't be used: {why}.")
            if stored.credential.access_expires > self._clock() + RENEW_BEFORE:
                return opened(self._seal(), stored.credential, stored.sealed)["access"]
            if await self._claimed(credential.id):
                return await asyncio.shield(self._renewed(credential.id, renew))
            if time.monotonic() > deadline:
                raise SlowError(f"Another process has not renewed the access to {credential.name} in time.")
            await asyncio.sleep(_CHECK_INTERVAL)

    async def rejected(self, credential: Credential) -> None:
        """Have an access token renewed that the service rejects before its end, at most once an hour."""
        now = self._clock()
        if now - credential.renewed >= RENEWED_AGAIN:
            await self._write(lambda tx: tx.api.credentials.expire(credential.id, now))

    async def used(self, service: str, key: str) -> None:
        """Record that a credential was used."""
        last = self._noted.get((service, key))
        if last is not None and time.monotonic() - last < _NOTED.total_seconds():
            return
        self._noted[service, key] = time.monotonic()
        await self._write(lambda tx: tx.api.credentials.used(service, key, self._clock(), every=_NOTED))

    async def _claimed(self, credential_id: int) -> bool:
        """Claim a renewal; False: another process has it."""
        now = self._clock()
        claimed: bool = await self._write(
            lambda tx: tx.api.credentials.claim_renewal(credential_id, now, now + RENEWING, now + RENEW_BEFORE)
        )
        return claimed

    async def _renewed(self, credential_id: int, renew: Callable[[App, str], Awaitable[Grant]]) -> str:
        """Renew an access token whose renewal this process has claimed, and return it."""
        stored: Sealed = await self._read(lambda tx: tx.api.credentials.get(credential_id))
        secrets = opened(self._seal(), stored.credential, stored.sealed)
        app = App(stored.credential.app, secrets["client_secret"])
        try:
            grant = await renew(app, secrets["refresh"])
        except CredentialsError as error:
            problem = str(error)
            await self._write(lambda tx: tx.api.credentials.end_renewal(credential_id, problem))
            log.warning("access not renewed", account=stored.credential.name, reason=problem)
            raise
        except (SourceError, asyncio.CancelledError):
            await asyncio.shield(self._write(lambda tx: tx.api.credentials.end_renewal(credential_id)))
            raise
        # The former refresh token is void from now on, so nothing may keep the new one from being stored.
        renewed = granted(stored.credential, grant, self._clock())
        sealed = closed(self._seal(), renewed, app, grant)
        await asyncio.shield(self._write(lambda tx: _store(tx, renewed, sealed)))
        log.info("access renewed", account=renewed.name, until=grant.access_expires)
        return grant.access_token

    async def _read(self, work: Callable[[Transaction], Any]) -> Any:  # noqa: ANN401  # any result
        def read() -> Any:  # noqa: ANN401
            with self._store.reading() as tx:
                return work(tx)

        return await in_database_thread(read)

    async def _write(self, work: Callable[[Transaction], Any]) -> Any:  # noqa: ANN401
        def write() -> Any:  # noqa: ANN401
            with self._store.writing(lock_stream=False) as tx:
                return work(tx)

        return await in_database_thread(write)


def _store(tx: Transaction, renewed: Credential, sealed: str) -> None:
    tx.api.credentials.put(renewed, sealed)
    tx.api.refusals.forget_credential(renewed.service, renewed.key)


def granted(credential: Credential, grant: Grant, now: datetime) -> Credential:
    """Return a connected account with new tokens."""
    return replace(credential, access_expires=grant.access_expires, expires=grant.expires, renewed=now, problem=None)


def closed(seal: HeaderCipher, credential: Credential, app: App, grant: Grant) -> str:
    """Encrypt the tokens of a connected account, bound to it."""
    secrets = {
        "access": grant.access_token,
        "refresh": grant.refresh_token,
        "client_secret": app.client_secret,
    }
    return seal.close(_place(credential), secrets)


def opened(seal: HeaderCipher, credential: Credential, sealed: str) -> Mapping[str, str]:
    """Decrypt the tokens of a connected account.

    Raises:
        CredentialsError: they were encrypted under another key.
    """
    try:
        return seal.open(_place(credential), sealed)
    except SignInError:
        raise CredentialsError(
            f"The access to {credential.name} was stored under another AGGREGATOR_SECRET_KEY; connect it again:"
            f" aggregator {credential.service} connect"
        ) from None


def _place(credential: Credential) -> str:
    return f"{credential.service}:{credential.app}:{credential.subject}"
