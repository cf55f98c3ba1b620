"""Define the interface of kinds of source whose users can connect their own accounts (OAuth 2.0 with PKCE)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.access.credentials import Credential
    from aggregator.source_api.kind import PollContext


class App(NamedTuple):
    """An app that is registered at a service; the secret is empty for public clients."""

    client_id: str
    client_secret: str = ""

    def __repr__(self) -> str:
        return f"App({self.client_id!r}, '****')"


class Grant(NamedTuple):
    """The tokens that a service granted."""

    access_token: str
    refresh_token: str
    access_expires: datetime
    expires: datetime  # of the refresh token

    def __repr__(self) -> str:
        return f"Grant('****', '****', {self.access_expires}, {self.expires})"


class ConnectedAccount(NamedTuple):
    """The account that granted access."""

    native_id: str
    name: str  # "@desk"


@runtime_checkable
class AccountConnector(Protocol):
    """A kind of source whose service grants access to accounts."""

    service: str

    def configured_app(self, values: Mapping[str, Any]) -> App | None:
        """Return the app in the settings, from the values of the kind's settings."""
        ...

    def authorization_url(self, app: App, redirect_url: str, state: str, challenge: str) -> str:
        """Return the address at which a person grants access; `challenge` is the S256 challenge of PKCE."""
        ...

    async def exchange(
        self, app: App, code: str, verifier: str, redirect_url: str, context: PollContext
    ) -> tuple[Grant, ConnectedAccount]:
        """Exchange an authorization code for tokens, and look up whose they are.

        Raises:
            CredentialsError: the service refused the code or the app.
            SourceError: the response was not usable.
        """
        ...

    async def renew(self, app: App, refresh_token: str, context: PollContext) -> Grant:
        """Exchange a refresh token, which is void afterwards, for new tokens.

        Raises:
            CredentialsError: the service refused the token or the app; the account must be connected again.
            SourceError: the response was not usable.
        """
        ...


class Credentials(Protocol):
    """The connected accounts, for all processes."""

    async def all(self, service: str) -> Sequence[Credential]:
        """Return the connected accounts of a service."""
        ...

    async def access_token(self, credential: Credential, renew: Callable[[App, str], Awaitable[Grant]]) -> str:
        """Return a valid access token; if it expires, one process renews it, and the others wait.

        Raises:
            CredentialsError: it can't be renewed.
            SourceError: the service gave no usable response.
        """
        ...

    async def rejected(self, credential: Credential) -> None:
        """Have an access token renewed that the service rejects before its end, at most once an hour."""
        ...

    async def used(self, service: str, key: str) -> None:
        """Record that a credential was used."""
        ...


class NoCredentials:
    """A `Credentials` port without connected accounts."""

    async def all(self, service: str) -> Sequence[Credential]:
        """Return none."""
        del service
        return ()

    async def access_token(self, credential: Credential, renew: Callable[[App, str], Awaitable[Grant]]) -> str:
        """Return nothing."""
        del credential, renew
        return ""

    async def rejected(self, credential: Credential) -> None:
        """Do nothing."""
        del credential

    async def used(self, service: str, key: str) -> None:
        """Record nothing."""
        del service, key
