"""Passwords of the review desk: argon2id hashes, and which passwords are good enough."""

from __future__ import annotations

import secrets
import threading

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from aggregator.domain.errors import BadRequestError

SHORTEST = 12  # characters
LONGEST = 256
_COMMON = frozenset(
    {"123456789012", "1234567890123", "password1234", "passwordpassword", "qwertyuiopas", "qwerty123456"}
    | {"iloveyou1234", "letmein12345", "changeme1234", "administrator", "welcome12345", "correcthorsebatterystaple"}
)
_AT_ONCE = 1  # hashes that one process makes at a time: each takes 64 MiB, and several processors

_hasher = PasswordHasher()  # RFC 9106's profile for little memory
_turns = threading.BoundedSemaphore(_AT_ONCE)
_nobody: list[str] = []


def hashed(password: str) -> str:
    """Return the argon2id hash of a password, with its salt and parameters."""
    with _turns:
        return _hasher.hash(password)


def fits(hash_: str | None, password: str) -> bool:
    """Say whether a password belongs to a hash; None takes as long as any, so that time tells nobody who exists."""
    if hash_ is None and not _nobody:
        _nobody.append(hashed(secrets.token_hex()))
    try:
        with _turns:
            _hasher.verify(_nobody[0] if hash_ is None else hash_, password[:LONGEST])
    except (Argon2Error, InvalidHashError):
        return False
    return hash_ is not None


def is_outdated(hash_: str) -> bool:
    """Say whether a hash was made with other parameters than are used now."""
    return _hasher.check_needs_rehash(hash_)


def check(password: str, name: str) -> None:
    """Refuse a password that is too easy to guess.

    Raises:
        BadRequestError: the sentence says why.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadRequestError(f"A password has {SHORTEST} to {LONGEST} characters; this one has {len(password)}.")
    folded = password.casefold()
    if folded in _COMMON or name.casefold() in folded or len(set(folded)) < SHORTEST // 3:
        raise BadRequestError("That password is too easy to guess; take a longer or less usual one.")


def generated() -> str:
    """Return a password of 120 random bits that can be typed."""
    return "-".join(secrets.token_hex(3) for _ in range(5))
