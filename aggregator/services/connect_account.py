"""Connect an account of a network, so that its own posts are read with its own token (OAuth 2.0 with PKCE)."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from aggregator.domain.access.credentials import ConnectableService, Credential, TokenFacts
from aggregator.domain.errors import BadRequestError, NotFoundError, SignInError
from aggregator.domain.polling.api_refusals import REFUSAL_CODES
from aggregator.services.credentials import closed
from aggregator.source_api.account_connection import AccountConnector, App
from aggregator.sources import kinds
from aggregator.system.thread_pools import in_database_thread
from storage.api.credentials import AuthorizationRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from aggregator.config.credential_encryption import HeaderCipher
    from aggregator.domain.source import Source
    from aggregator.services.runtime import Runtime
    from aggregator.source_api.account_connection import ConnectedAccount, Grant
    from storage.store import Transaction

LASTS = timedelta(minutes=15)  # from the begin of an authorization to its end
_PLACE = "authorization"  # to which the secrets of a begun authorization are bound


def connectors() -> dict[str, AccountConnector]:
    """Return the kinds of source that can connect accounts, by service."""
    return {kind.service: kind for kind in kinds().values() if isinstance(kind, AccountConnector)}


_CONFIGURED = "token in the settings"
_OTHERS = "all sources without a token of their own"


class AccountConnection:
    """Begins and finishes authorizations, and removes connected accounts."""

    def __init__(self, runtime: Runtime, seal: Callable[[], HeaderCipher]) -> None:
        self._runtime = runtime
        self._seal = seal

    def app(self, service: str) -> App | None:
        """Return the app in the settings."""
        return _connector(service).configured_app(self._runtime.settings.kinds)

    def services(self) -> list[ConnectableService]:
        """Return the services whose accounts can be connected."""
        values = self._runtime.settings.kinds
        return [
            ConnectableService(service, _label(service, values), found.configured_app(values) is not None)
            for service, found in connectors().items()
        ]

    def tokens(self) -> list[TokenFacts]:
        """Return the facts about each token, without its secrets."""
        values = self._runtime.settings.kinds
        found: list[TokenFacts] = []
        with self._runtime.store.reading() as tx:
            uses, connected = tx.api.credentials.uses(), tx.api.credentials.all()
            for kind in kinds().values():
                service, key = kind.credential(values) or ("", "")
                label = _label(service, values)
                if key:
                    used = uses.get((service, key))
                    found.append(TokenFacts(_CONFIGURED, service, label, key, _OTHERS, last_used=used))
                for row in (row for row in connected if row.service == service):
                    slugs = [source.slug for source in tx.polling.sources.following(kind.name, [row.subject])]
                    found.append(_facts(row, label, slugs, uses.get((service, row.key))))
        return found

    def begin(self, service: str, who: str, redirect_url: str, app: App | None = None, *, is_owner: bool) -> str:
        """Store a begun authorization; return the address at which a person grants access.

        Args:
            service: the account's.
            who: the user who must finish it.
            redirect_url: as registered for the app.
            app: the app; None: that of the settings.
            is_owner: whether the account owns the app.

        Raises:
            BadRequestError: there is no app, or the URL would send the code unencrypted.
        """
        connector = _connector(service)
        app = app or self.app(service)
        if app is None:
            raise BadRequestError(
                f"There is no app to connect accounts with; set AGGREGATOR_{service.upper()}_CLIENT_ID to the client ID"
                " of an app, or give --client-id."
            )
        _check_redirect(redirect_url)
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
        now = self._runtime.clock()
        sealed = self._seal().close(_PLACE, {"verifier": verifier, "id": app.client_id, "secret": app.client_secret})
        with self._runtime.store.writing(lock_stream=False) as tx:
            request = AuthorizationRequest(service, who, is_owner, redirect_url, sealed, now + LASTS)
            tx.api.credentials.begin(_digest(state), request)
        challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        return connector.authorization_url(app, redirect_url, state, challenge)

    def finish(self, answer: str, who: str) -> Credential:
        """Finish an authorization with the address to which the service redirected the browser.

        Raises:
            BadRequestError: access was denied, or the authorization is unknown, expired or another user's.
            SourceError: the service refused the code, or gave no usable response.
        """
        code, state = _code_and_state(answer)
        now = self._runtime.clock()
        with self._runtime.store.writing(lock_stream=False) as tx:
            request = tx.api.credentials.take(_digest(state), who, now)
        if request is None:
            raise BadRequestError("This authorization is unknown or has expired; start again.")
        try:
            stored = self._seal().open(_PLACE, request.sealed)
        except SignInError:
            raise BadRequestError("AGGREGATOR_SECRET_KEY has changed since this began; start again.") from None
        app = App(stored["id"], stored["secret"])
        return self._runtime.run(self._exchange(request, app, code, stored["verifier"]))

    def remove(self, name: str, who: str) -> Credential:
        """Delete a connected account with its tokens.

        Raises:
            NotFoundError: there is none of this name or id.
        """
        now = self._runtime.clock()
        with self._runtime.store.writing() as tx:
            found = [row for row in tx.api.credentials.all() if name in {row.name, row.key, str(row.id)}]
            if not found:
                raise NotFoundError(f"There is no connected account {name!r}; 'aggregator credentials' lists them.")
            if len(found) > 1:
                ids = ", ".join(row.key for row in found)
                raise BadRequestError(f"{name} is connected with several apps; give one of these ids: {ids}.")
            [removed] = found
            tx.api.credentials.remove(removed.id)
            tx.api.refusals.forget_credential(removed.service, removed.key)
            tx.moderation.audit.note(now, who, "disconnected an account", f"credential:{removed.key}", _detail(removed))
        return removed

    async def _exchange(self, request: AuthorizationRequest, app: App, code: str, verifier: str) -> Credential:
        context = await self._runtime.context()
        connector = _connector(request.service)
        grant, account = await connector.exchange(app, code, verifier, request.redirect_url, context)
        return await in_database_thread(self._store, request, app, grant, account)

    def _store(self, request: AuthorizationRequest, app: App, grant: Grant, account: ConnectedAccount) -> Credential:
        """Store a connected account, and poll its sources now."""
        now = self._runtime.clock()
        new = Credential(
            0, request.service, account.native_id, account.name, app.client_id, request.is_owner,
            grant.access_expires, grant.expires, now, now,
        )  # fmt: skip
        sealed = closed(self._seal(), new, app, grant)
        with self._runtime.store.writing() as tx:
            connected = tx.api.credentials.put(new, sealed)
            for key in (connected.key, ""):
                tx.api.refusals.forget_credential(connected.service, key)
            tx.polling.schedule.wake(REFUSAL_CODES, now)
            self._read_at_owners_price(tx, connected, now)
            tx.moderation.audit.note(
                now, request.who, "connected an account", f"credential:{connected.key}", _detail(connected)
            )
        return connected

    def _read_at_owners_price(self, tx: Transaction, connected: Credential, now: datetime) -> None:
        """Poll the account's own sources now, and expect their lower cost."""
        kind = next(
            kind
            for kind in kinds().values()
            if isinstance(kind, AccountConnector) and kind.service == connected.service
        )
        metered = kind.metered(self._runtime.settings.kinds)
        sources: list[Source] = tx.polling.sources.following(kind.name, [connected.subject])
        for source in sources:
            if connected.is_owner and metered is not None and source.poll.daily_cost and metered.terms.prices.post:
                prices = metered.terms.prices
                tx.polling.sources.change(source.id, appetite=source.poll.daily_cost * prices.owned / prices.post)
        tx.polling.schedule.ask([source.id for source in sources], now)


def _facts(row: Credential, label: str, slugs: Sequence[str], last_used: datetime | None) -> TokenFacts:
    price = " at the owner's price" if row.is_owner else ""
    return TokenFacts(
        row.name,
        row.service,
        label,
        row.key,
        f"its own posts{price} ({', '.join(slugs) or 'no source follows it'})",
        row.id,
        row.app,
        row.is_owner,
        row.expires,
        row.access_expires,
        row.renewed,
        last_used,
        row.problem,
    )


def _label(service: str, values: Mapping[str, Any]) -> str:
    """Return the name of a service for people."""
    services = (kind.metered(values) for kind in kinds().values())
    return next((found.label for found in services if found is not None and found.service == service), service)


def _connector(service: str) -> AccountConnector:
    found = connectors().get(service)
    if found is None:
        raise BadRequestError(f"No kind of source connects accounts of {service!r}.")
    return found


def _check_redirect(url: str) -> None:
    parts = urlsplit(url)
    is_loopback = parts.hostname in {"127.0.0.1", "::1", "localhost"}
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback)):
        raise BadRequestError(f"The redirect URL {url!r} must be https, or on this machine.")


def _code_and_state(answer: str) -> tuple[str, str]:
    """Return the code and the state in the address to which a service redirected."""
    try:
        given = parse_qs(urlsplit(answer.strip()).query, max_num_fields=20)
    except ValueError:
        given = {}
    if "error" in given:
        raise BadRequestError(f"Access was not granted: {json.dumps(given['error'][0][:100])}.")
    code, state = given.get("code", [""])[0], given.get("state", [""])[0]
    if not code or not state:
        raise BadRequestError("This address has no code; paste the whole address of the page that opened.")
    return code, state


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _detail(credential: Credential) -> Mapping[str, Any]:
    return {"account": credential.name, "app": credential.app, "owner": credential.is_owner}
