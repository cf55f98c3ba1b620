"""Sign tokens that are bound to a purpose and a browser, expire soon, and are used once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aggregator.domain.secrets import Secret
    from storage.store import Transaction

_LONGEST = 4000  # characters
_RANDOM_BYTES = 32


class Claims(NamedTuple):
    """The content of a valid token."""

    values: Mapping[str, str]
    expires: datetime


class OneTimeTokens:
    """Issues and checks tokens. Nothing is stored until a token is used, so that visitors can't fill the database."""

    def __init__(self, keys: Callable[[], tuple[Secret, ...]]) -> None:
        self._keys = keys  # the present one, then former ones

    def issue(self, purpose: str, binding: str, until: datetime, **values: str) -> str:
        """Return a token for a purpose, which is valid in the browser with the session or cookie `binding` only."""
        content = {**values, "random": secrets.token_urlsafe(_RANDOM_BYTES), "until": until.timestamp()}
        body = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
        return f"{body}.{_mac(self._keys()[0], purpose, binding, body)}"

    def open(self, token: str, purpose: str, binding: str, now: datetime) -> Claims | None:
        """Return the content of a token; None if it is not valid here and now."""
        body, _, mac = token.partition(".")
        fits = [
            hmac.compare_digest(mac.encode(), _mac(key, purpose, binding, body).encode())
            for key in (self._keys() if len(token) <= _LONGEST else ())
        ]
        if not any(fits):
            return None
        content = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        expires = datetime.fromtimestamp(content.pop("until"), UTC)
        return Claims(content, expires) if expires > now else None

    def derive(self, token: str, label: str) -> str:
        """Return a value that only this installation can compute from a token: 256 bits in base64url."""
        mac = hmac.new(_key(self._keys()[0]), f"{label}\n{token}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(mac).decode().rstrip("=")


def spend(tx: Transaction, token: str, claims: Claims) -> bool:
    """Record that a valid token was used; return False if it was used before."""
    return tx.access.spent.spend(hashlib.sha256(token.encode()).hexdigest(), claims.expires)


def _mac(secret: Secret, purpose: str, binding: str, body: str) -> str:
    return hmac.new(_key(secret), f"{purpose}\n{binding}\n{body}".encode(), hashlib.sha256).hexdigest()


def _key(secret: Secret) -> bytes:
    return hashlib.sha256(b"review desk, one-time tokens\n" + secret.reveal().encode()).digest()
