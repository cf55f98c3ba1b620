"""Connect accounts to X by OAuth 2.0 with PKCE: authorization URLs, and requests for tokens."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from aggregator.domain.errors import (
    CredentialsError,
    SlowError,
    SourceError,
    StatusError,
    UnreachableError,
    UnreadableError,
)
from aggregator.domain.polling.api_refusals import NoRefusals
from aggregator.source_api.account_connection import App, ConnectedAccount, Grant, NoCredentials
from aggregator.sources.twitter.addresses import USER_ID
from aggregator.sources.twitter.settings import DEFAULT_BASE
from aggregator.system.thread_pools import in_api_thread

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aggregator.source_api.kind import PollContext

AUTHORIZE = "https://x.com/i/oauth2/authorize"
SCOPES = "tweet.read users.read offline.access"  # reading only, and renewal
REFRESH_LASTS = timedelta(days=180)  # unless the response has its end; each renewal gives a new refresh token
ACCESS_LASTS = timedelta(hours=2)  # the same

_TOKEN_URL = "https://api.twitter.com/2/oauth2/token"  # noqa: S105 - the adapter replaces the host
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
_LONGEST_TOKEN = 4096  # characters


class ConnectsAccounts:
    """The part of X's kind of source that implements `account_connection.AccountConnector`."""

    def configured_app(self, values: Mapping[str, Any]) -> App | None:
        """Return the app in the settings."""
        client_id, secret = values.get("x_client_id"), values.get("x_client_secret")
        return App(client_id, secret.reveal() if secret else "") if client_id else None

    def authorization_url(self, app: App, redirect_url: str, state: str, challenge: str) -> str:
        """Return the address at which a person grants access."""
        query = {
            "response_type": "code",
            "client_id": app.client_id,
            "redirect_uri": redirect_url,
            "scope": SCOPES,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{AUTHORIZE}?{urlencode(query, quote_via=quote)}"

    async def exchange(
        self, app: App, code: str, verifier: str, redirect_url: str, context: PollContext
    ) -> tuple[Grant, ConnectedAccount]:
        """Exchange an authorization code for tokens, and look up whose they are.

        Raises:
            CredentialsError: X refused the code or the app.
            SourceError: X gave no usable response.
        """
        from aggregator.sources.twitter.api import Api  # importing tweepy is slow, and only requests need it
        from aggregator.sources.twitter.tokens import ReadToken

        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_url}
        grant = await _token(app, {**form, "code_verifier": verifier}, context)
        # A refusal of a token that isn't stored concerns no source.
        alone = replace(context, refusals=NoRefusals(), credentials=NoCredentials())
        api = Api(alone, ReadToken.unknown(grant.access_token))
        try:
            user = (await api.me()).get("data")
        finally:
            api.close()
        if not isinstance(user, dict) or not USER_ID.fullmatch(str(user.get("id"))):
            raise UnreadableError("X granted access, but its response doesn't name the account; try again.")
        return grant, ConnectedAccount(str(user["id"]), f"@{user.get('username') or user['id']}")

    async def renew(self, app: App, refresh_token: str, context: PollContext) -> Grant:
        """Exchange a refresh token, which is void afterwards, for new tokens.

        Raises:
            CredentialsError: X refused the token or the app; the account must be connected again.
            SourceError: X gave no usable response.
        """
        return await _token(app, {"grant_type": "refresh_token", "refresh_token": refresh_token}, context)


async def _token(app: App, form: Mapping[str, str], context: PollContext) -> Grant:
    from aggregator.sources.twitter.transport import host_of  # imported late, see `_sent`

    base = context.settings.get("x_base_url") or DEFAULT_BASE
    host_of(base)  # raises an error if the secrets would be sent unencrypted
    status, payload = await in_api_thread(_sent, base, app, form)
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        raise _refusal(status, payload)
    return grant_in(payload, context.clock())


def grant_in(payload: object, now: datetime) -> Grant:
    """Return the tokens in a response.

    Raises:
        UnreadableError: one of them is missing.
    """
    given = payload if isinstance(payload, dict) else {}
    access, refresh = given.get("access_token"), given.get("refresh_token")
    if not _is_token(access) or not _is_token(refresh):
        raise UnreadableError("X returned no access and refresh token; the app must allow the scope offline.access.")
    access_lasts = _span(given.get("expires_in"), ACCESS_LASTS)
    refresh_lasts = _span(given.get("refresh_token_expires_in"), REFRESH_LASTS)
    return Grant(str(access), str(refresh), now + access_lasts, now + refresh_lasts)


def _sent(base: str, app: App, form: Mapping[str, str]) -> tuple[int, object]:
    """Send a request for tokens and return the status and the JSON of the response."""
    import requests  # imported late: its start costs more than most commands

    from aggregator.sources.twitter.transport import BoundedAdapter

    headers = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
    if app.client_secret:
        pair = f"{quote(app.client_id, safe='')}:{quote(app.client_secret, safe='')}"
        headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode("ascii")
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", BoundedAdapter(base, app.client_secret or "\0"))
        try:
            response = session.post(
                _TOKEN_URL, data={**form, "client_id": app.client_id}, headers=headers, allow_redirects=False
            )
        except SourceError:
            raise
        except requests.Timeout:
            raise SlowError("X did not answer a request for a token in time.") from None
        except requests.RequestException as error:  # its message may contain the form
            raise UnreachableError(f"X can't be reached for a token ({type(error).__name__}).") from None
        try:
            return response.status_code, response.json()
        except ValueError:
            return response.status_code, None


def _refusal(status: int, payload: object) -> SourceError:
    """Return the error of a refused request for tokens; a code of X's appears in it, but no text, which may echo."""
    code = payload.get("error") if isinstance(payload, dict) else None
    if status in {400, 401, 403} and isinstance(code, str) and _ERROR_CODE.fullmatch(code):
        return CredentialsError(f"X refused to grant access ({code}).", status=status)
    return StatusError(f"X responded to a request for a token with status {status}.", status=status)


def _is_token(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_TOKEN and value.isascii() and value.isprintable()


def _span(seconds: object, default: timedelta) -> timedelta:
    usable = isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds <= 10**9
    return timedelta(seconds=float(seconds)) if usable and isinstance(seconds, int | float) else default
