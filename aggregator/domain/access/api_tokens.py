"""Create and recognize API tokens for portals. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_ID_BYTES = 6
_SECRET_BYTES = 32
_TOKEN = re.compile(r"agg_([0-9a-f]{12})_[A-Za-z0-9_-]{43}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", re.ASCII)


class Scope(StrEnum):
    """The permission of a token."""

    READ = "read"  # all published items with the content of posts on X
    METRICS = "metrics"  # `/metrics`, and no items


@dataclass(frozen=True, slots=True)
class NewToken:
    """A new token: the only time its text is known."""

    id: str
    text: str

    @property
    def digest(self) -> str:
        """The stored part."""
        return digest_of(self.text)


@dataclass(frozen=True, slots=True)
class PortalToken:
    """The stored part of a token, from which the token can't be derived."""

    id: str
    name: str  # unique among active tokens
    scope: Scope
    digest: str
    created: datetime
    last_used: datetime | None = None  # to the minute
    revoked: datetime | None = None


def make_token() -> NewToken:
    """Create a token: "agg_", a random id, and 32 random bytes.

    The prefix lets scanners find leaked tokens, and the id identifies the one to revoke.
    """
    id_ = secrets.token_hex(_ID_BYTES)
    return NewToken(id_, f"agg_{id_}_{secrets.token_urlsafe(_SECRET_BYTES)}")


def id_in(text: str) -> str | None:
    """Return the id in a text that looks like a token, or None."""
    found = _TOKEN.fullmatch(text)
    return found[1] if found else None


def digest_of(text: str) -> str:
    """Return the stored digest of a token, in hex.

    One round of SHA-256 is enough: slow hashes protect passwords, but 256 random bits can't be guessed.
    """
    return hashlib.sha256(text.encode()).hexdigest()


def is_same(digest: str, other: str) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(digest, other)


def is_name(text: str) -> bool:
    """Return whether a name is valid: 1 to 64 letters, digits, dots, hyphens and underscores."""
    return _NAME.fullmatch(text) is not None
