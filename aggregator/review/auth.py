"""Authenticate users: sessions, form tokens and sign-in."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from aggregator.config import passwords
from aggregator.review.context import HOME
from aggregator.review.errors import ForeignFormError, TooManyTriesError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from aggregator.domain.access.accounts import Account
    from aggregator.domain.secrets import Secret
    from storage.store import Store, Transaction

LASTS = timedelta(hours=12)  # maximum duration of a session
IDLE = timedelta(hours=2)  # maximum time between two requests
_NOTED = timedelta(minutes=1)  # interval at which the last use of a session is stored
_COUNTED = timedelta(days=1)  # how long failed attempts are counted
_FIRST_PAUSE = timedelta(seconds=30)
_TOKEN_BYTES = 32
_OURS = frozenset({"same-origin", "none"})


class Limit(NamedTuple):
    """Number of failed attempts before sign-ins pause, and the longest pause; pauses double."""

    tries: int
    longest: timedelta


# Guesses from one address are paused for a long time. Guesses at one name from many addresses pause its owner for at
# most half a minute at a time, which leaves about three thousand guesses a day.
_LIMITS = {
    "both": Limit(5, timedelta(minutes=15)),
    "address": Limit(20, timedelta(minutes=15)),
    "name": Limit(50, _FIRST_PAUSE),
}


class Present(NamedTuple):
    """A signed-in account and its session."""

    account: Account
    session: str  # its token


class Gate:
    """Creates and checks sessions and form tokens."""

    def __init__(
        self, store: Store, keys: Callable[[], tuple[Secret, ...]], *, secure: bool, hosts: frozenset[str]
    ) -> None:
        self._store = store
        self._keys = keys  # the present one, then former ones
        self._secure = secure
        self._hosts = hosts  # accepted besides the request's own host
        self._cookie = "__Host-desk" if secure else "desk"
        self._form_cookie = "__Host-desk-form" if secure else "desk-form"

    # Sessions

    def present(self, request: Request, now: datetime) -> Present | None:
        """Return the signed-in account and its session, or None."""
        token = request.cookies.get(self._cookie)
        if not token or len(token) > 2 * _TOKEN_BYTES:
            return None
        digest = _digest(token)
        with self._store.reading() as tx:
            found = tx.access.accounts.session(digest, now, idle=IDLE)
        if found is None:
            return None
        if now - found.last_used >= _NOTED:
            with self._store.writing(lock_stream=False) as tx:
                tx.access.accounts.touch(digest, now)
        return Present(found.account, token)

    def begin(self, tx: Transaction, account: Account, now: datetime) -> str:
        """Start a new session and return its token; earlier tokens stay unknown, which prevents session fixation."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        tx.access.accounts.open(_digest(token), account.id, now, now + LASTS)
        return token

    def hand_over(self, answer: Response, token: str) -> None:
        """Set the session cookie."""
        answer.set_cookie(self._cookie, token, path="/", secure=self._secure, httponly=True, samesite="lax")

    def end(self, tx: Transaction, answer: Response, token: str) -> None:
        """End the session and delete its cookie."""
        tx.access.accounts.close(_digest(token))
        answer.delete_cookie(self._cookie, path="/", secure=self._secure, httponly=True, samesite="lax")

    # Forms

    def token(self, session: str) -> str:
        """Return the CSRF token of a session."""
        return _form_token(self._keys()[0], session)

    def check(self, request: Request, session: str, sent: str) -> None:
        """Check the origin and the CSRF token of a form.

        Raises:
            ForeignFormError: one of them doesn't match.
        """
        valid = [hmac.compare_digest(sent.encode(), _form_token(key, session).encode()) for key in self._keys()]
        if not self._is_ours(request) or not any(valid):
            raise ForeignFormError("This form has expired, so nothing was changed. Reload the page and try again.")

    def stranger(self, request: Request) -> str:
        """Return the id of a visitor without a session, which the sign-in form's token is bound to."""
        token = request.cookies.get(self._form_cookie, "")
        return token if re.fullmatch(r"[A-Za-z0-9_-]{43}", token) else secrets.token_urlsafe(_TOKEN_BYTES)

    def remember(self, answer: Response, stranger: str) -> None:
        """Set the cookie of a visitor without a session."""
        answer.set_cookie(self._form_cookie, stranger, path="/", secure=self._secure, httponly=True, samesite="strict")

    def _is_ours(self, request: Request) -> bool:
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if site is not None and site not in _OURS:
            return False
        return origin is None or origin.partition("://")[2] in {request.url.netloc, *self._hosts}

    # Signing in

    def sign_in(self, name: str, password: str, address: str, now: datetime) -> tuple[Account, str] | None:
        """Return the account and the token of a new session, or None if name or password is incorrect.

        Raises:
            TooManyTriesError: attempts are paused after too many failures.
        """
        subjects = _subjects(name, address)
        with self._store.reading() as tx:  # refused attempts write nothing
            until = tx.access.accounts.blocked(list(subjects.values()), now)
            hash_ = tx.access.accounts.password_of(name)
        if until is not None:
            raise _pausing(until, now)
        count = self._count(subjects, now)
        if not passwords.fits(hash_, password):
            self._note_failure(name, address, count, now)
            return None
        with self._store.writing() as tx:
            account = tx.access.accounts.get(name)
            if account is None or account.disabled is not None or tx.access.accounts.password_of(name) != hash_:
                return None  # the account changed during the check
            if hash_ is not None and passwords.is_outdated(hash_):
                tx.access.accounts.rehash(account.id, passwords.hashed(password))
            tx.access.accounts.forgive([subjects["both"], subjects["name"]])
            tx.access.accounts.uncount(subjects["address"], _LIMITS["address"].tries)
            token = self.begin(tx, account, now)
            tx.moderation.audit.note(now, account.name, "signed in", f"account:{account.name}", {"address": address})
        return account, token

    def _count(self, subjects: dict[str, str], now: datetime) -> int:
        """Count an attempt as failed before it is checked; a successful one is subtracted afterwards.

        Counting afterwards would let concurrent attempts exceed the limit. Returns the number of attempts for this name
        from this address.

        Raises:
            TooManyTriesError: too many attempts have failed or are in progress.
        """
        with self._store.writing(lock_stream=False) as tx:
            counts = tx.access.accounts.count_attempt(list(subjects.values()), now, since=now - _COUNTED)
            until = tx.access.accounts.blocked(list(subjects.values()), now)
            if until is not None:
                raise _pausing(until, now)  # rolls the count back
            for kind, subject in subjects.items():
                over, limit = counts[subject] - _LIMITS[kind].tries, _LIMITS[kind]
                if over >= 0:
                    tx.access.accounts.block(subject, now + _pause(over, limit))
        return counts[subjects["both"]]

    def _note_failure(self, name: str, address: str, count: int, now: datetime) -> None:
        """Log the first failure and each that extends the pause, so that the audit log stays small."""
        if 1 < count < _LIMITS["both"].tries:
            return
        with self._store.writing() as tx:
            subject = f"account:{name}" if tx.access.accounts.get(name) is not None else "account:unknown"
            tx.moderation.audit.note(
                now, "somebody", "failed to sign in", subject, {"address": address, "tries": count}
            )


def safe_next(path: str) -> str:
    """Return the page to open after sign-in: `path` if it is a page of the desk, else the queue."""
    fits = re.fullmatch(rf"{HOME}(/[a-z0-9/_-]*)?(\?[A-Za-z0-9=&%+._~:-]*)?", path)
    return path if fits and "//" not in path else HOME


def client_of(request: Request) -> str:
    """Return the key under which attempts of an address are counted; IPv6 addresses count by network."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "unknown"
    if address.version == 6:  # noqa: PLR2004
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _subjects(name: str, address: str) -> dict[str, str]:
    who = hashlib.sha256(name.encode()).hexdigest()[:32]  # people type passwords there by mistake
    return {"both": f"both:{who}:{address}", "address": f"address:{address}", "name": f"name:{who}"}


def _pause(over: int, limit: Limit) -> timedelta:
    return min(_FIRST_PAUSE * (1 << min(over, 10)), limit.longest)


def _pausing(until: datetime, now: datetime) -> TooManyTriesError:
    seconds = max(int((until - now).total_seconds()) + 1, 1)
    wait = f"{seconds} seconds" if seconds < 100 else f"{seconds // 60 + 1} minutes"  # noqa: PLR2004
    return TooManyTriesError(f"Too many failed sign-ins. Try again in {wait}.", seconds)


def _form_token(secret: Secret, session: str) -> str:
    key = hashlib.sha256(b"review desk\n" + secret.reveal().encode()).digest()
    return hmac.new(key, b"form\n" + session.encode(), hashlib.sha256).hexdigest()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
