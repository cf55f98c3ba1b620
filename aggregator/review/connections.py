"""Connect own accounts of networks at the desk, list their tokens, and remove them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from aggregator.domain.access.accounts import Role
from aggregator.domain.errors import AggregatorError
from aggregator.review.context import HOME, DeskRoute

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.responses import Response

    from aggregator.domain.access.credentials import ConnectableService, Credential, TokenFacts
    from aggregator.review.context import DeskContext, DeskRequest

CALLBACK = f"{HOME}/connections/callback"


class Connection(Protocol):
    """Begins and finishes authorizations, and lists and removes connected accounts."""

    def services(self) -> Sequence[ConnectableService]:
        """Return the services whose accounts can be connected."""
        ...

    def tokens(self) -> Sequence[TokenFacts]:
        """Return the facts about each token, without its secrets."""
        ...

    def begin(self, service: str, who: str, redirect_url: str, *, is_owner: bool) -> str:
        """Store a begun authorization; return the address at which a person grants access."""
        ...

    def finish(self, answer: str, who: str) -> Credential:
        """Finish an authorization with the address to which the service redirected the browser."""
        ...

    def remove(self, name: str, who: str) -> Credential:
        """Delete a connected account with its tokens."""
        ...


class ConnectionPages:
    """The connections page."""

    def __init__(self, desk: DeskContext, connection: Connection, public_url: str | None) -> None:
        self._desk = desk
        self._connection = connection
        self._public_url = public_url

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/connections", Role.ADMIN, self.page)
        yield DeskRoute("POST", "/connections", Role.ADMIN, self.begin, confirm=True)
        # A navigation from the network. Its `state`, which only this user's begin gave away, is its form token.
        yield DeskRoute("GET", "/connections/callback", Role.ADMIN, self.finish)
        yield DeskRoute("POST", "/connections/{key}/remove", Role.ADMIN, self.remove, confirm=True)

    def page(self, request: DeskRequest) -> Response:
        """Show all tokens and the form."""
        return self._page(request)

    def begin(self, request: DeskRequest) -> Response:
        """Show the address at which the account grants access.

        It is a link, since the desk's content security policy forbids forms that lead elsewhere.
        """
        service = request.form.choice("service", [found.service for found in self._connection.services()])
        is_owner = request.form.text("owner") == "1"
        try:
            address = self._connection.begin(service, request.account.name, self._callback(request), is_owner=is_owner)
        except AggregatorError as problem:
            return self._page(request, str(problem), 422)
        return self._page(request, address=address)

    def finish(self, request: DeskRequest) -> Response:
        """Finish the authorization to which the network redirected the browser."""
        try:
            connected = self._connection.finish(str(request.http.url), request.account.name)
        except AggregatorError as problem:
            return self._page(request, str(problem), 422)
        return self._desk.onward(f"{HOME}/connections?connected={connected.id}")

    def remove(self, request: DeskRequest) -> Response:
        """Remove a connected account."""
        removed = self._connection.remove(str(request.http.path_params["key"])[:100], request.account.name)
        return self._desk.onward(f"{HOME}/connections", f"{removed.name} removed.")

    def _callback(self, request: DeskRequest) -> str:
        if self._public_url:
            return f"{self._public_url}{CALLBACK}"
        return str(request.http.url.replace(path=self._desk.pages.link(CALLBACK), query="", fragment=""))

    def _page(self, request: DeskRequest, complaint: str = "", status: int = 200, address: str = "") -> Response:
        tokens = self._connection.tokens()
        connected = request.query.text("connected")
        values = {
            "tokens": tokens,
            "services": self._connection.services(),
            "complaint": complaint,
            "address": address,
            "callback": self._callback(request),
            "connected": next((row.name for row in tokens if row.number and str(row.number) == connected), ""),
        }
        return self._desk.page(request, "connections.html", values, status)
