"""Simulate X's OAuth 2.0 with PKCE: grants, tokens that expire, and refresh tokens that can be used once."""

from __future__ import annotations

import hashlib
import threading
from base64 import b64decode, urlsafe_b64encode
from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

CLIENT_ID, CLIENT_SECRET = "client-1", "the-client-secret"
READER: ContextVar[str | None] = ContextVar("reader", default=None)  # the account whose token a call has
ACCESS_LASTS = timedelta(hours=2)


class OAuth:
    """The authorization server. `owner` is the id of the account that owns the app."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.owner: str | None = None
        self.refused = False  # whether all renewals are refused
        self.requests: list[dict[str, str]] = []  # the forms of requests for tokens
        self._clock = clock
        self._lock = threading.Lock()
        self._codes: dict[str, tuple[str, str, str]] = {}  # (user id, challenge, redirect URL)
        self._access: dict[str, tuple[str, datetime]] = {}  # (user id, end)
        self._refresh: dict[str, str] = {}  # user id
        self._number = 0

    def routes(self) -> list[Route]:
        """Return the route of requests for tokens."""
        return [Route("/2/oauth2/token", self._token, methods=["POST"])]

    def grant(self, authorization_url: str, user_id: str) -> str:
        """Grant access as an account does in a browser; return the address to which the browser is redirected."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(authorization_url).query).items()}
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT_ID
        assert query["code_challenge_method"] == "S256"
        assert "offline.access" in query["scope"].split()
        with self._lock:
            code = self._next("code")
            self._codes[code] = (user_id, query["code_challenge"], query["redirect_uri"])
        return f"{query['redirect_uri']}?{urlencode({'state': query['state'], 'code': code})}"

    def revoke(self, user_id: str) -> None:
        """Revoke all tokens of an account."""
        with self._lock:
            self._access = {token: grant for token, grant in self._access.items() if grant[0] != user_id}
            self._refresh = {token: user for token, user in self._refresh.items() if user != user_id}

    def user_of(self, authorization: str) -> str | None:
        """Return the account of a call's token, if it is valid."""
        user, end = self._access.get(authorization.removeprefix("Bearer "), (None, None))
        return user if end is not None and self._clock() < end else None

    async def _token(self, request: Request) -> Response:
        body = parse_qs((await request.body()).decode())
        form = {name: values[0] for name, values in body.items()}
        with self._lock:
            self.requests.append(form)
            if not self._is_client(request.headers.get("authorization", "")):
                return JSONResponse({"error": "invalid_client"}, 401)
            user = self._granted(form)
            return JSONResponse({"error": "invalid_grant"}, 400) if user is None else JSONResponse(self._issue(user))

    def _granted(self, form: dict[str, str]) -> str | None:
        if form.get("grant_type") == "refresh_token":
            return None if self.refused else self._refresh.pop(form.get("refresh_token", ""), None)
        user, challenge, redirect = self._codes.pop(form.get("code", ""), ("", "", ""))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        is_proven = urlsafe_b64encode(digest).decode().rstrip("=") == challenge
        return user if user and is_proven and form.get("redirect_uri") == redirect else None

    def _issue(self, user: str) -> dict[str, Any]:
        access, refresh = self._next("access"), self._next("refresh")
        self._access[access] = (user, self._clock() + ACCESS_LASTS)
        self._refresh[refresh] = user
        return {
            "token_type": "bearer",
            "expires_in": int(ACCESS_LASTS.total_seconds()),
            "access_token": access,
            "refresh_token": refresh,
            "scope": "tweet.read users.read offline.access",
        }

    def _is_client(self, authorization: str) -> bool:
        scheme, _, pair = authorization.partition(" ")
        return scheme == "Basic" and b64decode(pair).decode() == f"{CLIENT_ID}:{CLIENT_SECRET}"

    def _next(self, kind: str) -> str:
        self._number += 1
        return f"{kind}-secret-{self._number}"
