"""Run an OpenID Connect provider over HTTP: discovery, authorization with PKCE, tokens, keys, userinfo and sign-out.

It signs with `cryptography` alone, and so is independent of the library that checks its tokens. Tests change what it
publishes, claims and signs, and read what it received.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import secrets
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

CLIENT_ID = "review-desk"
CLIENT_SECRET = "a-secret-of-the-client:%/+&"
_PAGE = """<!doctype html><html lang="en"><title>Provider</title><h1>Sign in to the provider</h1>
<form method="post"><label>User <input name="user"></label>{hidden}<button>Continue</button></form>"""


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class Key:
    """An RSA key with its id."""

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self._private = rsa.generate_private_key(65537, 2048)

    def public(self) -> dict[str, str]:
        numbers = self._private.public_key().public_numbers()
        return {"kty": "RSA", "use": "sig", "kid": self.kid, "n": _number(numbers.n), "e": _number(numbers.e)}

    def signed(self, claims: dict[str, Any], **header: Any) -> str:
        head = {"alg": "RS256", "kid": self.kid, **header}
        body = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}"
        return f"{body}.{b64(self._private.sign(body.encode(), padding.PKCS1v15(), SHA256()))}"


def unsigned(claims: dict[str, Any]) -> str:
    return f"{b64(json.dumps({'alg': 'none'}).encode())}.{b64(json.dumps(claims).encode())}."


def signed_with_secret(claims: dict[str, Any], secret: bytes, **header: Any) -> str:
    head = {"alg": "HS256", **header}
    body = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{body}.{b64(hmac.new(secret, body.encode(), hashlib.sha256).digest())}"


@dataclass
class Grant:
    """An authorization that waits for the exchange of its code."""

    user: str
    query: dict[str, str]
    authenticated: float
    session: str


@dataclass
class OpenIdProvider:
    clock: Callable[[], datetime]
    redirect_urls: set[str] = field(default_factory=set)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    key: Key = field(default_factory=lambda: Key("first"))
    published: dict[str, Any] = field(default_factory=dict)  # replaces parts of the discovery document
    claimed: dict[str, Any] = field(default_factory=dict)  # replaces claims; None removes one
    sign: Callable[[dict[str, Any]], str] | None = None
    in_userinfo: frozenset[str] = frozenset()  # claims that are there only
    requests: list[str] = field(default_factory=list)
    issuer: str = ""
    _codes: dict[str, Grant] = field(default_factory=dict)
    _access: dict[str, str] = field(default_factory=dict)
    _sessions: dict[str, tuple[str, float, str]] = field(default_factory=dict)  # by cookie: user, time, sid

    def now(self) -> float:
        return self.clock().timestamp()

    def discovery(self) -> dict[str, Any]:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "end_session_endpoint": f"{self.issuer}/end",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }
        return {key: value for key, value in {**document, **self.published}.items() if value is not None}

    def id_token(self, grant: Grant) -> str:
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": int(self.now()),
            "exp": int(self.now()) + 300,
            "nonce": grant.query.get("nonce"),
            "auth_time": int(grant.authenticated),
            "sid": grant.session,
            **{key: value for key, value in self.users[grant.user].items() if key not in self.in_userinfo},
            **self.claimed,
        }
        return (self.sign or self.key.signed)({key: value for key, value in claims.items() if value is not None})

    def logout_token(self, **claims: Any) -> str:
        usual = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": int(self.now()),
            "exp": int(self.now()) + 120,
            "jti": secrets.token_hex(8),
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        }
        return self.key.signed({key: value for key, value in {**usual, **claims}.items() if value is not None})

    def authorize(self, query: dict[str, str], cookie: str, user: str | None) -> tuple[str, str]:
        """Return where the browser goes, and the cookie of the session here; "" shows the form."""
        if query.get("client_id") != CLIENT_ID or query.get("redirect_uri") not in self.redirect_urls:
            raise ValueError("unknown client or redirect URL")
        if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
            raise ValueError("only codes with PKCE")
        known = self._sessions.get(cookie)
        if user is None and (known is None or query.get("prompt") == "login"):
            return "", cookie
        if user is not None:
            if user not in self.users:
                return _with(query["redirect_uri"], error="access_denied", state=query.get("state", "")), cookie
            cookie = secrets.token_hex(16)
            known = self._sessions[cookie] = (user, self.now(), secrets.token_hex(8))
        assert known is not None
        code = secrets.token_hex(16)
        self._codes[code] = Grant(known[0], query, known[1], known[2])
        return _with(query["redirect_uri"], code=code, state=query.get("state", ""), iss=self.issuer), cookie

    def exchange(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Return the tokens for a code, once; None for a wrong client, code or verifier."""
        from urllib.parse import quote

        pair = f"{quote(CLIENT_ID, safe='')}:{quote(CLIENT_SECRET, safe='')}"
        expected = "Basic " + base64.b64encode(pair.encode()).decode()
        grant = self._codes.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if authorization != expected or grant is None or form.get("grant_type") != "authorization_code":
            return None
        if b64(verifier) != grant.query["code_challenge"] or form.get("redirect_uri") != grant.query["redirect_uri"]:
            return None
        access = secrets.token_hex(16)
        self._access[access] = grant.user
        return {"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": self.id_token(grant)}

    def userinfo(self, authorization: str) -> dict[str, Any] | None:
        user = self._access.get(authorization.removeprefix("Bearer "))
        return (
            None
            if user is None
            else {**self.users[user], "sub": self.claimed.get("userinfo_sub", self.users[user]["sub"])}
        )

    def end(self, cookie: str) -> None:
        self._sessions.pop(cookie, None)


def _with(address: str, **query: str) -> str:
    return f"{address}?{urlencode(query)}"


class _Handler(BaseHTTPRequestHandler):
    provider: OpenIdProvider

    def do_GET(self) -> None:
        path, query = self._asked()
        if path == "/.well-known/openid-configuration":
            self._json(self.provider.discovery())
        elif path == "/jwks":
            self._json(self.provider.published.get("keys", {"keys": [self.provider.key.public()]}))
        elif path == "/authorize":
            self._authorize(query, None)
        elif path == "/userinfo":
            found = self.provider.userinfo(self.headers.get("Authorization", ""))
            self._json(found or {"error": "invalid_token"}, 200 if found else 401)
        elif path == "/end":
            self.provider.end(self._cookie())
            self._answer(303, b"", {"Location": query["post_logout_redirect_uri"]})
        else:
            self._answer(404, b"")

    def do_POST(self) -> None:
        path, query = self._asked()
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        form = {key: values[-1] for key, values in parse_qs(body).items()}
        if path == "/authorize":
            self._authorize(query, form.get("user", ""))
        elif path == "/token":
            tokens = self.provider.exchange(form, self.headers.get("Authorization", ""))
            self._json(tokens or {"error": "invalid_grant"}, 200 if tokens else 400)
        else:
            self._answer(404, b"")

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        self.provider.requests.append(f"{self.command} {parts.path}")
        return parts.path, {key: values[-1] for key, values in parse_qs(parts.query).items()}

    def _authorize(self, query: dict[str, str], user: str | None) -> None:
        try:
            location, cookie = self.provider.authorize(query, self._cookie(), user)
        except ValueError as problem:
            self._answer(400, html.escape(str(problem)).encode())
            return
        if location:
            headers = {"Location": location, "Set-Cookie": f"provider={cookie}; Path=/; HttpOnly; SameSite=Lax"}
            self._answer(303, b"", headers)
        else:
            self._answer(200, _PAGE.format(hidden="").encode(), {"Content-Type": "text/html; charset=utf-8"})

    def _cookie(self) -> str:
        found = SimpleCookie(self.headers.get("Cookie", "")).get("provider")
        return found.value if found else ""

    def _json(self, value: Any, status: int = 200) -> None:
        self._answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay silent."""


@contextmanager
def running_provider(clock: Callable[[], datetime]) -> Iterator[OpenIdProvider]:
    """Serve a provider at a free port until the block ends."""
    provider = OpenIdProvider(clock)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"provider": provider}))
    server.daemon_threads = True
    provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
