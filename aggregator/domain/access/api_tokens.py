"""Portal tokens: what they look like and how they are recognised. Pure."""

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
    """What a token allows."""

    READ = "read"  # everything that is published, with the content of posts on X


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that has just been made: the only moment at which its text is known."""

    id: str
    text: str

    @property
    def digest(self) -> str:
        """What is stored of it."""
        return digest_of(self.text)


@dataclass(frozen=True, slots=True)
class PortalToken:
    """What is stored of a token; nobody can make the token of it."""

    id: str
    name: str  # unique among those that are not revoked
    scope: Scope
    digest: str
    created: datetime
    last_used: datetime | None = None  # to the minute
    revoked: datetime | None = None


def make_token() -> NewToken:
    """Make a token: "agg_", an id that says nothing of its name, and 32 random bytes.

    The prefix lets scanners find tokens that were published by mistake, and the id tells which one to revoke.
    """
    id_ = secrets.token_hex(_ID_BYTES)
    return NewToken(id_, f"agg_{id_}_{secrets.token_urlsafe(_SECRET_BYTES)}")


def id_in(text: str) -> str | None:
    """Return the id of something that looks like a token, or None."""
    found = _TOKEN.fullmatch(text)
    return found[1] if found else None


def digest_of(text: str) -> str:
    """Return what is stored of a token, in hex.

    One round of SHA-256 is enough: slow hashes protect what people can remember, and nobody guesses 256 random bits.
    """
    return hashlib.sha256(text.encode()).hexdigest()


def is_same(digest: str, other: str) -> bool:
    """Compare two digests in a time that does not tell how much of them is the same."""
    return hmac.compare_digest(digest, other)


def is_name(text: str) -> bool:
    """Say whether a token may be called so: 1 to 64 letters, digits, dots, hyphens and underscores."""
    return _NAME.fullmatch(text) is not None
