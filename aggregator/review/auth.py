"""Who is there: sessions, the tokens of forms, and signing in."""

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
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from aggregator.config.secrets import Secret
    from aggregator.domain.access.accounts import Account
    from storage.store import Store, Transaction

LASTS = timedelta(hours=12)  # a sign-in at the most
IDLE = timedelta(hours=2)  # without a request
_NOTED = timedelta(minutes=1)  # after which the use of a session is written again
_COUNTED = timedelta(days=1)  # that failures are remembered
_FIRST_PAUSE = timedelta(seconds=30)
_TOKEN_BYTES = 32
_OURS = frozenset({"same-origin", "none"})


class Limit(NamedTuple):
    """After how many failures in a row sign-ins pause, and for how long at the most; the pauses double."""

    tries: int
    longest: timedelta


# Who guesses from one place waits long. Who guesses one name from many places can't lock its owner out for more than
# half a minute at a time, and has some three thousand tries a day.
_LIMITS = {
    "both": Limit(5, timedelta(minutes=15)),
    "address": Limit(20, timedelta(minutes=15)),
    "name": Limit(50, _FIRST_PAUSE),
}


class Present(NamedTuple):
    """Somebody with a session."""

    account: Account
    session: str  # its token


class Gate:
    """Lets people in, and knows them again."""

    def __init__(self, store: Store, secret: Secret, *, secure: bool, hosts: frozenset[str]) -> None:
        self._store = store
        self._key = hashlib.sha256(b"review desk\n" + secret.reveal().encode()).digest()
        self._secure = secure
        self._hosts = hosts  # under which we are known besides the one that a request names
        self._cookie = "__Host-desk" if secure else "desk"
        self._form_cookie = "__Host-desk-form" if secure else "desk-form"

    # Sessions

    def present(self, request: Request, now: datetime) -> Present | None:
        """Return who is signed in."""
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
        """Sign somebody in and return the token of a new session: one that was known before is worth nothing."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        tx.access.accounts.open(_digest(token), account.id, now, now + LASTS)
        return token

    def hand_over(self, answer: Response, token: str) -> None:
        """Give the browser its session."""
        answer.set_cookie(self._cookie, token, path="/", secure=self._secure, httponly=True, samesite="lax")

    def end(self, tx: Transaction, answer: Response, token: str) -> None:
        """Sign somebody out."""
        tx.access.accounts.close(_digest(token))
        answer.delete_cookie(self._cookie, path="/", secure=self._secure, httponly=True, samesite="lax")

    # Forms

    def token(self, session: str) -> str:
        """Return what every form of a session carries."""
        return hmac.new(self._key, b"form\n" + session.encode(), hashlib.sha256).hexdigest()

    def check(self, request: Request, session: str, sent: str) -> None:
        """Refuse a form that does not come from a page of ours that this session got.

        Raises:
            ForeignFormError: it does not.
        """
        if not self._is_ours(request) or not hmac.compare_digest(sent.encode(), self.token(session).encode()):
            raise ForeignFormError(
                "This form is too old, or it does not come from the desk, so nothing was done. Load the page again and "
                "repeat it there."
            )

    def stranger(self, request: Request) -> str:
        """Return what stands for a session before somebody signs in."""
        held = request.cookies.get(self._form_cookie, "")
        return held if re.fullmatch(r"[A-Za-z0-9_-]{43}", held) else secrets.token_urlsafe(_TOKEN_BYTES)

    def remember(self, answer: Response, stranger: str) -> None:
        """Give it to the browser."""
        answer.set_cookie(self._form_cookie, stranger, path="/", secure=self._secure, httponly=True, samesite="strict")

    def _is_ours(self, request: Request) -> bool:
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if site is not None and site not in _OURS:
            return False
        return origin is None or origin.partition("://")[2] in {request.url.netloc, *self._hosts}

    # Signing in

    def sign_in(self, name: str, password: str, address: str, now: datetime) -> tuple[Account, str] | None:
        """Return the account and a new session's token, or None where name and password don't fit.

        Raises:
            TooManyTriesError: too many have failed; it says for how long no more are taken.
        """
        subjects = _subjects(name, address)
        with self._store.reading() as tx:  # those who are refused write nothing
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
                return None  # changed while we looked
            if hash_ is not None and passwords.is_outdated(hash_):
                tx.access.accounts.rehash(account.id, passwords.hashed(password))
            tx.access.accounts.forgive([subjects["both"], subjects["name"]])
            tx.access.accounts.uncount(subjects["address"], _LIMITS["address"].tries)
            token = self.begin(tx, account, now)
            tx.moderation.audit.note(now, account.name, "signed in", f"account:{account.name}", {"address": address})
        return account, token

    def _count(self, subjects: dict[str, str], now: datetime) -> int:
        """Count an attempt as failed before it is tried; a good one is forgiven afterwards.

        Of attempts at the same time, all could pass a limit that counts when they are done. Returns how many attempts
        of this name from this address are counted.

        Raises:
            TooManyTriesError: too many have failed, or are being tried.
        """
        with self._store.writing(lock_stream=False) as tx:
            counts = tx.access.accounts.count_attempt(list(subjects.values()), now, since=now - _COUNTED)
            until = tx.access.accounts.blocked(list(subjects.values()), now)
            if until is not None:
                raise _pausing(until, now)  # which takes the count back
            for kind, subject in subjects.items():
                over, limit = counts[subject] - _LIMITS[kind].tries, _LIMITS[kind]
                if over >= 0:
                    tx.access.accounts.block(subject, now + _pause(over, limit))
        return counts[subjects["both"]]

    def _note_failure(self, name: str, address: str, count: int, now: datetime) -> None:
        """Note the first failure, and each that makes the pause longer; not thousands of the same."""
        if 1 < count < _LIMITS["both"].tries:
            return
        with self._store.writing() as tx:
            subject = f"account:{name}" if tx.access.accounts.get(name) is not None else "account:unknown"
            tx.moderation.audit.note(
                now, "somebody", "failed to sign in", subject, {"address": address, "tries": count}
            )


def safe_next(path: str) -> str:
    """Return where to go after signing in: a page of the desk, whatever an address asks for."""
    fits = re.fullmatch(rf"{HOME}(/[a-z0-9/_-]*)?(\?[A-Za-z0-9=&%+._~:-]*)?", path)
    return path if fits and "//" not in path else HOME


def client_of(request: Request) -> str:
    """Return whom failures from an address are counted for: the address, of IPv6 its network."""
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
    return TooManyTriesError(f"Too many sign-ins have failed. Try again in {wait}.", seconds)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
