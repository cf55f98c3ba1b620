"""Open a client of X's API for each token of a batch: the cheapest one that may read an account first."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Self

from aggregator.domain.access.credentials import choices
from aggregator.domain.errors import CredentialsError
from aggregator.sources.twitter.oauth import ConnectsAccounts
from aggregator.sources.twitter.settings import SERVICE, token_id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from aggregator.domain.access.credentials import Choice, Credential
    from aggregator.source_api.kind import PollContext
    from aggregator.sources.twitter.api import Api

_NEW = "new"  # the id of a token whose account is not known yet


class ReadToken(NamedTuple):
    """A token for reading."""

    id: str  # doesn't reveal it
    text: str
    name: str  # for people
    remedy: str  # for a refused token
    owner: str | None = None  # the account whose own posts have the owner's price

    def __repr__(self) -> str:
        return f"ReadToken({self.id!r})"

    @classmethod
    def configured(cls, context: PollContext) -> Self | None:
        """Return the bearer token of the settings."""
        bearer = context.settings.get("x_bearer_token")
        if not bearer:
            return None
        remedy = "Replace AGGREGATOR_X_BEARER_TOKEN; sources then resume by themselves."
        return cls(token_id(bearer.reveal()), bearer.reveal(), "the bearer token", remedy)

    @classmethod
    def of(cls, credential: Credential, text: str) -> Self:
        """Return the access token of a connected account."""
        owner = credential.subject if credential.is_owner else None
        remedy = f"If this remains, connect it again: aggregator {SERVICE} connect"
        return cls(credential.key, text, f"the token of {credential.name}", remedy, owner)

    @classmethod
    def unknown(cls, text: str) -> Self:
        """Return an access token whose account is not known yet."""
        return cls(_NEW, text, "the new token", "Connect the account again.")


class ClientPool:
    """The clients of a batch, one for each token that it uses; close it after use."""

    def __init__(self, context: PollContext) -> None:
        self._context = context
        self._connector = ConnectsAccounts()
        self._clients: dict[str, Api] = {}
        self._credentials: Sequence[Credential] | None = None

    async def for_account(self, account: str = "") -> AsyncGenerator[Api, None]:
        """Yield the clients that may read an account, the cheapest first; further ones if a token is refused.

        Raises:
            CredentialsError: there is no token, or it can't be renewed.
            SourceError: the last token could not be renewed now.
        """
        from aggregator.sources.twitter.api import Api  # importing tweepy is slow, and only requests need it

        context = self._context
        if self._credentials is None:
            self._credentials = await context.credentials.all(SERVICE)
        configured = ReadToken.configured(context)
        found = choices(self._credentials, account, context.clock(), has_app_token=configured is not None)
        if not found:
            raise CredentialsError(
                "There is no token for X, so no request was sent. Set AGGREGATOR_X_BEARER_TOKEN, or"
                " AGGREGATOR_X_BEARER_TOKEN_FILE to the path of a file that holds it, or connect an account:"
                f" aggregator {SERVICE} connect"
            )
        for number, choice in enumerate(found):
            try:
                token = await self._token(choice, configured)
            except CredentialsError:
                if number == len(found) - 1:
                    raise
                continue
            if token.id not in self._clients:
                self._clients[token.id] = Api(context, token, choice.credential)
            yield self._clients[token.id]

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.close()

    async def _token(self, choice: Choice, configured: ReadToken | None) -> ReadToken:
        credential = choice.credential
        if credential is None:
            assert configured is not None  # noqa: S101  # or it is no choice
            return configured
        known = self._clients.get(credential.key)
        if known is not None:
            return known.token
        renew = partial(self._connector.renew, context=self._context)
        return ReadToken.of(credential, await self._context.credentials.access_token(credential, renew))


@asynccontextmanager
async def connected(context: PollContext, account: str = "") -> AsyncIterator[Api]:
    """Open a client for calls that any token may make, with the cheapest one for an account.

    Raises:
        CredentialsError: there is no token, or it can't be renewed.
    """
    pool = ClientPool(context)
    try:
        async with aclosing(pool.for_account(account)) as clients:
            yield await anext(clients)
    finally:
        pool.close()
