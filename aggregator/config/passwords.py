"""Hash passwords of the review desk with argon2id, and reject weak passwords."""

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
_AT_ONCE = 1  # concurrent hashes in a process: each uses 64 MiB and several processors

_hasher = PasswordHasher()  # RFC 9106's profile for low memory
_slots = threading.BoundedSemaphore(_AT_ONCE)
_dummy_hash: list[str] = []


def hashed(password: str) -> str:
    """Return the argon2id hash of a password, with its salt and parameters."""
    with _slots:
        return _hasher.hash(password)


def fits(hash_: str | None, password: str) -> bool:
    """Return whether a password matches a hash; None takes the same time, so that timing reveals no user names."""
    if hash_ is None and not _dummy_hash:
        _dummy_hash.append(hashed(secrets.token_hex()))
    try:
        with _slots:
            _hasher.verify(_dummy_hash[0] if hash_ is None else hash_, password[:LONGEST])
    except (Argon2Error, InvalidHashError):
        return False
    return hash_ is not None


def is_outdated(hash_: str) -> bool:
    """Return whether a hash was made with outdated parameters."""
    return _hasher.check_needs_rehash(hash_)


def check(password: str, name: str) -> None:
    """Check the strength of a password.

    Raises:
        BadRequestError: it is too weak; the message contains the reason.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadRequestError(f"A password has {SHORTEST} to {LONGEST} characters; this one has {len(password)}.")
    folded = password.casefold()
    if folded in _COMMON or name.casefold() in folded or len(set(folded)) < SHORTEST // 3:
        raise BadRequestError("That password is too easy to guess; choose a longer or less common one.")


def generated() -> str:
    """Return a random password of 120 bits that is easy to type."""
    return "-".join(secrets.token_hex(3) for _ in range(5))
