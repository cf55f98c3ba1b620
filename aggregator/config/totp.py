"""Make the keys of authenticator apps, and check their codes (RFC 6238)."""

from __future__ import annotations

import base64
import re
import secrets
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from aggregator.domain.secrets import Secret

if TYPE_CHECKING:
    from datetime import datetime

_SECONDS = 30  # of a time step
_DIGITS = 6
_KEY_BYTES = 20  # as RFC 4226 recommends
_WINDOW = 1  # steps before and after the present one, for clocks that differ
_CODE = re.compile(rf"[0-9]{{{_DIGITS}}}")


def new_key() -> Secret:
    """Return a random key in base32, as apps read it."""
    return Secret(base64.b32encode(secrets.token_bytes(_KEY_BYTES)).decode())


def address_of(key: Secret, issuer: str, name: str) -> str:
    """Return the address in a QR code, from which apps read the key and the label of its codes."""
    query = urlencode({"secret": key.reveal(), "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{quote(issuer)}:{quote(name)}?{query}"


def step_of(key: Secret, typed: str, now: datetime) -> int | None:
    """Return the time step of a correct code; None if the code is not valid now."""
    code = "".join(typed.split())
    if not _CODE.fullmatch(code):
        return None
    # Apps know no other hash than SHA-1, of which HMAC needs no resistance to collisions.
    checker = TOTP(base64.b32decode(key.reveal()), _DIGITS, SHA1(), _SECONDS)  # noqa: S303
    present = int(now.timestamp()) // _SECONDS
    for step in range(max(present - _WINDOW, 0), present + _WINDOW + 1):
        try:
            checker.verify(code.encode(), step * _SECONDS)
        except InvalidToken:
            continue
        return step
    return None
