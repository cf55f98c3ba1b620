"""Sign users in at a provider of OpenID Connect: authorization code flow with PKCE, over the project's HTTP client."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import math
import socket
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import structlog

from aggregator.domain.access.single_sign_on import (
    EndedSession,
    ProviderAwayError,
    SignOnError,
    SignOnRules,
    check_claims,
    user_of,
)
from aggregator.domain.errors import FetchError, RedirectError, TooLargeError, UnreadableError
from aggregator.domain.settings_schema import secure_address
from aggregator.services.id_tokens import Expected, UnknownKeyError, key_set, verified

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from joserfc.jwk import KeySet

    from aggregator.config.settings import Settings
    from aggregator.domain.access.single_sign_on import SignOnRequest, SignOnUser
    from aggregator.domain.clock import Clock
    from aggregator.fetching.client import Http

    OpenHttp = Callable[[Sequence[str]], AbstractAsyncContextManager[Http]]
    Run = Callable[[Coroutine[Any, Any, Any]], Any]

_KEPT = 3600.0  # seconds that discovery and keys are cached
_REFETCHED = 30.0  # seconds between two attempts to fetch them
_LONGEST_LOGOUT = timedelta(days=1)  # how long a used logout token is remembered
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_REFUSED = frozenset({400, 401, 403})

log = structlog.get_logger(__name__)

_T = TypeVar("_T")


class RedirectRefusedError(SignOnError):
    """The provider does not accept the address to which it would return users."""


class Provider(NamedTuple):
    """What a provider publishes about itself."""

    issuer: str
    authorization: str
    token: str
    jwks: str
    userinfo: str | None
    end_session: str | None
    authenticates_by_post: bool  # the client, and not by HTTP authentication


class SingleSignOn:
    """The sign-on provider of the settings.

    Args:
        settings: returns the present settings, in which a provider is set.
        clock: returns the present time.
        run: runs a coroutine and waits for it.
        http: opens an HTTP client that may also connect to some addresses.
    """

    def __init__(self, settings: Callable[[], Settings], clock: Clock, run: Run, http: OpenHttp) -> None:
        self._settings = settings
        self._clock = clock
        self._run = run
        self._http = http
        self._provider: Cached[Provider] = Cached()
        self._keys: Cached[KeySet] = Cached()

    @property
    def label(self) -> str:
        """The provider's name for people."""
        settings = self._settings()
        return settings.oidc_label or urlsplit(settings.oidc_issuer or "").hostname or ""

    @property
    def issuer(self) -> str:
        """The provider's own name, as in its tokens."""
        return self._settings().oidc_issuer or ""

    def begin(self, request: SignOnRequest) -> str:
        """Return the address at which the user signs in.

        Raises:
            SignOnError: the provider is not responding, or its description is unusable.
        """
        return self._authorization(self._now(self._discovered()), request)

    def finish(self, code: str, issuer: str, request: SignOnRequest) -> SignOnUser:
        """Exchange a code for the user's identity.

        Args:
            code: the provider's.
            issuer: who answered, if the answer names it (RFC 9207).
            request: the sign-in that was begun.

        Raises:
            SignOnError: the user is refused, or the provider's answer is.
        """
        if issuer and issuer != self._settings().oidc_issuer:
            raise SignOnError("The answer is from another sign-in service.")
        user: SignOnUser = self._now(self._finished(code, request))
        return user

    def end_url(self, id_token: str | None, return_to: str) -> str | None:
        """Return the address at which the user signs out of the provider; None: it has none, or doesn't respond."""
        try:
            address = self._now(self._discovered()).end_session
        except SignOnError:
            return None
        query = {"client_id": self._settings().oidc_client_id or "", "post_logout_redirect_uri": return_to}
        return address and _with_query(address, query | ({"id_token_hint": id_token} if id_token else {}))

    def ended(self, token: str) -> EndedSession:
        """Return what a logout token announces (OpenID Connect Back-Channel Logout).

        Raises:
            SignOnError: the token is invalid.
        """
        claims = self._now(self._verified(token, None))
        events, subject, session = claims.get("events"), claims.get("sub"), claims.get("sid")
        if not isinstance(events, dict) or _LOGOUT not in events or "nonce" in claims:
            raise SignOnError("This is no logout token.")
        named = [name for name in (subject, session) if name is not None]
        if not isinstance(claims.get("jti"), str) or not named or not all(isinstance(name, str) for name in named):
            raise SignOnError("The logout token names no session.")
        now = self._clock()
        if claims["iat"] < (now - _LONGEST_LOGOUT).timestamp():  # it may have been used, and be forgotten
            raise SignOnError("The logout token is too old.")
        expires = min(claims["exp"], (now + _LONGEST_LOGOUT).timestamp())
        return EndedSession(self.issuer, subject, session, claims["jti"], datetime.fromtimestamp(expires, UTC))

    def check(self, request: SignOnRequest) -> None:
        """Check that the provider's description and keys can be read, and that it accepts the redirect URL.

        Raises:
            RedirectRefusedError: it doesn't.
            SignOnError: they can't; the message contains the reason.
        """

        async def work() -> None:
            await self._fetch_keys(await self._discovered())
            await self._check_redirect(request)

        self._now(work())

    def _now(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401  # the result of any work
        try:
            return self._run(work)
        except (FetchError, UnreadableError, OSError) as problem:
            log.warning("sign-on provider failed", reason=str(problem))
            raise ProviderAwayError from problem

    def _authorization(self, provider: Provider, request: SignOnRequest) -> str:
        settings = self._settings()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(request.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": settings.oidc_client_id or "",
            "redirect_uri": request.redirect_url,
            "scope": settings.oidc_scope,
            "state": request.state,
            "nonce": request.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if request.since is not None:
            query |= {"prompt": "login", "max_age": "0"}
        return _with_query(provider.authorization, query)

    async def _check_redirect(self, request: SignOnRequest) -> None:
        address = self._authorization(await self._discovered(), request)
        try:
            async with self._client() as http:
                await http.get(address)
        except (RedirectError, TooLargeError):  # a page on which users sign in
            return
        except FetchError as problem:
            if problem.status in _REFUSED:
                raise RedirectRefusedError(
                    f"The sign-in service does not accept the redirect address {request.redirect_url}."
                ) from problem
            raise

    async def _finished(self, code: str, request: SignOnRequest) -> SignOnUser:
        settings, provider = self._settings(), await self._discovered()
        tokens = await self._exchange(provider, code, request)
        id_token, access = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str):
            raise SignOnError("The sign-in service gave no ID token.")
        claims = dict(await self._verified(id_token, request.nonce))
        check_claims(claims, settings.oidc_client_id or "", request.since, self._clock())
        if provider.userinfo and isinstance(access, str) and not {settings.oidc_groups_claim, "email"} <= claims.keys():
            claims = _joined(claims, await self._userinfo(provider.userinfo, access, str(claims.get("sub"))))
        rules = SignOnRules(settings.oidc_groups, settings.oidc_groups_claim, settings.oidc_email_domains)
        return user_of(claims, provider.issuer, rules, id_token)

    async def _exchange(self, provider: Provider, code: str, request: SignOnRequest) -> Mapping[str, object]:
        settings = self._settings()
        client_id, secret = settings.oidc_client_id or "", settings.oidc_client_secret
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": request.redirect_url,
            "code_verifier": request.verifier,
        }
        headers = dict(_FORM)
        if secret is None or provider.authenticates_by_post:
            fields |= {"client_id": client_id} | ({"client_secret": secret.reveal()} if secret else {})
        else:
            pair = f"{quote(client_id, safe='')}:{quote(secret.reveal(), safe='')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        try:
            async with self._client() as http:
                body = await http.post(provider.token, urlencode(fields).encode(), headers)
        except FetchError as problem:
            if problem.status not in _REFUSED:
                raise
            log.warning("sign-on code refused", status=problem.status)
            raise SignOnError("The sign-in service refused to finish this sign-in. Try again.") from problem
        return _document(body)

    async def _userinfo(self, address: str, access: str, subject: str) -> dict[str, object]:
        async with self._client() as http:
            answer = await http.get(address, headers={"Authorization": f"Bearer {access}"}, accept="application/json")
        found = dict(_document(answer.body))
        if found.get("sub") != subject:
            raise SignOnError("The sign-in service described another user.")
        return found

    async def _verified(self, token: str, nonce: str | None) -> Mapping[str, Any]:
        """Return the claims of a token; the keys are fetched again if it is signed with a new one."""
        provider = await self._discovered()
        expected = Expected(provider.issuer, self._settings().oidc_client_id or "", nonce)
        keys = await self._keys.get(lambda: self._fetch_keys(provider))
        try:
            return verified(token, keys, expected, self._clock())
        except UnknownKeyError:
            keys = await self._keys.renewed(lambda: self._fetch_keys(provider))
        return verified(token, keys, expected, self._clock())

    async def _discovered(self) -> Provider:
        return await self._provider.get(self._discover)

    async def _discover(self) -> Provider:
        address = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        async with self._client() as http:
            answer = await http.get(address, accept="application/json")
        return provider_in(_document(answer.body), self.issuer)

    async def _fetch_keys(self, provider: Provider) -> KeySet:
        async with self._client() as http:
            answer = await http.get(provider.jwks, accept="application/json, application/jwk-set+json")
        return key_set(_document(answer.body))

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Http]:
        async with self._http(await _addresses(self.issuer)) as http:
            yield http


class Cached(Generic[_T]):
    """A value that is kept for an hour, and fetched at most once in some seconds."""

    def __init__(self) -> None:
        self._value: _T | None = None
        self._fetched = self._tried = -math.inf
        self._lock = asyncio.Lock()

    async def get(self, fetch: Callable[[], Awaitable[_T]]) -> _T:
        """Return the value.

        Raises:
            ProviderAwayError: there is none, and the last attempt to fetch it was a moment ago.
        """
        async with self._lock:
            if self._value is None or time.monotonic() - self._fetched > _KEPT:
                await self._try(fetch)
            if self._value is None:
                raise ProviderAwayError
            return self._value

    async def renewed(self, fetch: Callable[[], Awaitable[_T]]) -> _T:
        """Return the value, fetched again unless it was a moment ago."""
        async with self._lock:
            await self._try(fetch)
        return await self.get(fetch)

    async def _try(self, fetch: Callable[[], Awaitable[_T]]) -> None:
        if time.monotonic() - self._tried < _REFETCHED:
            return
        self._tried = time.monotonic()
        self._value = await fetch()
        self._fetched = time.monotonic()


def provider_in(document: Mapping[str, object], issuer: str) -> Provider:
    """Return the provider that a discovery document describes.

    Raises:
        SignOnError: it is another one, or lacks an address.
    """
    if document.get("issuer") != issuer:
        raise SignOnError(f"The sign-in service calls itself {str(document.get('issuer'))[:200]!r}, not {issuer!r}.")
    methods = document.get("token_endpoint_auth_methods_supported")
    return Provider(
        issuer,
        _address(document, "authorization_endpoint"),
        _address(document, "token_endpoint"),
        _address(document, "jwks_uri"),
        _address(document, "userinfo_endpoint") if document.get("userinfo_endpoint") else None,
        _address(document, "end_session_endpoint") if document.get("end_session_endpoint") else None,
        isinstance(methods, list) and "client_secret_basic" not in methods and "client_secret_post" in methods,
    )


def _joined(claims: Mapping[str, object], userinfo: Mapping[str, object]) -> dict[str, object]:
    """Return the claims of an ID token and, where it lacks them, those of the userinfo.

    Neither verifies the address of the other.
    """
    if "email" not in claims:
        claims = {name: value for name, value in claims.items() if name != "email_verified"}
    elif userinfo.get("email") != claims["email"]:
        userinfo = {name: value for name, value in userinfo.items() if name != "email_verified"}
    return {**userinfo, **claims}


def _address(document: Mapping[str, object], name: str) -> str:
    value = document.get(name)
    try:
        secure_address(str(value).partition("?")[0])
    except ValueError:
        raise SignOnError(f"The sign-in service's {name} is missing or no https address.") from None
    return str(value)


def _document(body: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise SignOnError("The sign-in service's answer is no JSON object.")
    return found


def _with_query(address: str, query: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"


async def _addresses(issuer: str) -> list[str]:
    """Return the addresses of the issuer's host: setting it allows connections to them, also in private networks."""
    parts, loop = urlsplit(issuer), asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(entry[4][0]).partition("%")[0] for entry in found]
