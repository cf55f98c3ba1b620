"""Authenticate users: sessions, form tokens and sign-in."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from aggregator.config import passwords
from aggregator.review.attempts import Attempts, subjects_of, subjects_of_code, succeeded
from aggregator.review.context import HOME
from aggregator.review.errors import ForeignFormError, SecondFactorNeededError
from aggregator.review.one_time import OneTimeTokens
from aggregator.review.second_factor import WRONG, CodeChecks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from aggregator.domain.access.accounts import Account, ProviderSession
    from aggregator.domain.secrets import Secret
    from aggregator.review.sign_on import SignOn
    from storage.store import Store, Transaction

LASTS = timedelta(hours=12)  # maximum duration of a session
IDLE = timedelta(hours=2)  # maximum time between two requests
_NOTED = timedelta(minutes=1)  # interval at which the last use of a session is stored
CONFIRMED = timedelta(minutes=10)  # how long a user's proof of who they are is enough for changes of accounts
LONGEST_NEXT = 2000  # characters of the page to open after sign-in, which a cookie has meanwhile
_TOKEN_BYTES = 32
_OURS = frozenset({"same-origin", "none"})


class Present(NamedTuple):
    """A signed-in account and its session."""

    account: Account
    session: str  # its token
    confirmed: datetime | None = None  # when the user last proved who they are

    def is_confirmed(self, now: datetime) -> bool:
        """Return whether the user has proved recently who they are."""
        return self.confirmed is not None and now - self.confirmed <= CONFIRMED


class Gate:
    """Creates and checks sessions and form tokens."""

    def __init__(
        self,
        store: Store,
        keys: Callable[[], tuple[Secret, ...]],
        *,
        secure: bool,
        hosts: frozenset[str],
        local: frozenset[str] | None = None,
        sign_on: SignOn | None = None,
    ) -> None:
        self._store = store
        self._keys = keys  # the present one, then former ones
        self._secure = secure
        self._hosts = hosts  # accepted besides the request's own host
        self._local = local  # the names that may sign in with a password or passkey; None: all
        self._sign_on = sign_on
        self.attempts = Attempts(store)
        self.tokens = OneTimeTokens(keys)
        self.codes = CodeChecks(keys)
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
        if found is None or not self._may_stay(found.account):
            return None
        if now - found.last_used >= _NOTED:
            with self._store.writing(lock_stream=False) as tx:
                tx.access.accounts.touch(digest, now)
        return Present(found.account, token, found.confirmed)

    def _may_stay(self, account: Account) -> bool:
        """Return whether the settings, which may have changed since, allow the way in which an account signs in."""
        if account.is_local:
            return self.allows(account.name)
        return self._sign_on is not None and self._sign_on.issuer == account.issuer

    def begin(self, tx: Transaction, account: Account, now: datetime, provider: ProviderSession | None = None) -> str:
        """Start a new session and return its token; earlier tokens stay unknown, which prevents session fixation."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        tx.access.accounts.open(_digest(token), account.id, now, now + LASTS, provider=provider)
        return token

    def hand_over(self, answer: Response, token: str) -> None:
        """Set the session cookie."""
        answer.set_cookie(self._cookie, token, path="/", secure=self._secure, httponly=True, samesite="lax")

    def end(self, tx: Transaction, answer: Response, token: str) -> str | None:
        """End the session and delete its cookie; return the sign-on provider's encrypted ID token."""
        answer.delete_cookie(self._cookie, path="/", secure=self._secure, httponly=True, samesite="lax")
        return tx.access.accounts.close(_digest(token))

    def confirm(self, tx: Transaction, token: str, now: datetime) -> None:
        """Record that the user of a session has proved again who they are."""
        tx.access.accounts.confirm(_digest(token), now)

    def set_pending(self, tx: Transaction, token: str, sealed: str | None) -> None:
        """Store the encrypted form that waits for a confirmation."""
        tx.access.accounts.set_pending(_digest(token), sealed)

    def pending(self, tx: Transaction, token: str) -> str | None:
        """Return the encrypted form that waits for a confirmation."""
        return tx.access.accounts.pending(_digest(token))

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

    def may_sign_in_here(self, account: Account) -> bool:
        """Return whether an account may sign in with a password or passkey."""
        return account.is_local and account.disabled is None and self.allows(account.name)

    def allows(self, name: str) -> bool:
        """Return whether the settings allow a name to sign in here."""
        return self._local is None or name in self._local

    def sign_in(self, name: str, password: str, address: str, now: datetime) -> tuple[Account, str] | None:
        """Return the account and the token of a new session, or None if name or password is incorrect.

        Raises:
            SecondFactorNeededError: they are correct, but the user must enter a code or use a passkey, too.
            TooManyTriesError: attempts are paused after too many failures.
        """
        hash_ = self._checked(name, password, address, now)
        if hash_ is None:
            return None
        subjects = subjects_of(name, address)
        with self._store.writing() as tx:
            account = tx.access.accounts.get(name)
            if account is None or account.disabled is not None or tx.access.accounts.password_of(name) != hash_:
                return None  # the account changed during the check
            if passwords.is_outdated(hash_):
                tx.access.accounts.rehash(account.id, passwords.hashed(password))
            succeeded(tx, subjects)
            has_app = tx.access.totp.get(account.id) is not None
            needs_more = has_app or (account.passkey_required and bool(tx.access.passkeys.of(account.id)))
            token = "" if needs_more else self.enter(tx, account, address, now)
        if needs_more:
            raise SecondFactorNeededError(account, has_app=has_app)
        return account, token

    def is_confirmed_by(self, name: str, password: str, address: str, now: datetime) -> bool:
        """Return whether a signed-in user knows their password.

        Raises:
            TooManyTriesError: attempts are paused after too many failures.
        """
        if self._checked(name, password, address, now) is None:
            return False
        with self._store.writing(lock_stream=False) as tx:
            succeeded(tx, subjects_of(name, address))
        return True

    def confirmation_problem(self, account: Account, password: str, code: str, address: str, now: datetime) -> str:
        """Return why a signed-in user is not confirmed by a password, and a code if they have an app; "": they are.

        Raises:
            TooManyTriesError: attempts are paused after too many failures.
        """
        if not self.is_confirmed_by(account.name, password, address, now):
            return "The password is incorrect."
        with self._store.reading() as tx:
            has_app = tx.access.totp.get(account.id) is not None
        return WRONG if has_app and self.use_code(account, code, address, now) is None else ""

    def use_code(self, account: Account, code: str, address: str, now: datetime) -> str | None:
        """Use up a code of a user's app or a recovery code; return which of them it was, or None if it is incorrect.

        Raises:
            TooManyTriesError: attempts are paused after too many failures.
        """
        subjects = subjects_of_code(account.id, address)
        self.attempts.check(subjects, now)
        count = self.attempts.count(subjects, now)
        with self._store.writing(lock_stream=False) as tx:
            kind = self.codes.use(tx, account.id, code, now)
            if kind is not None:
                succeeded(tx, subjects)
        if kind is None:
            detail = {"name": account.name, "address": address, "with": "a code"}
            self.attempts.note_failure(subjects, count, now, detail)
        return kind

    def enter(
        self,
        tx: Transaction,
        account: Account,
        address: str,
        now: datetime,
        how: Mapping[str, str] | None = None,
        provider: ProviderSession | None = None,
    ) -> str:
        """Begin the session of a user who proved who they are, with an entry in the audit log; return its token."""
        token = self.begin(tx, account, now, provider)
        detail = {"address": address, **(how or {})}
        tx.moderation.audit.note(now, account.name, "signed in", f"account:{account.name}", detail)
        return token

    def _checked(self, name: str, password: str, address: str, now: datetime) -> str | None:
        """Return the hash of a correct password, or None."""
        subjects = subjects_of(name, address)
        self.attempts.check(subjects, now)
        with self._store.reading() as tx:
            hash_ = tx.access.accounts.password_of(name) if self.allows(name) else None
        count = self.attempts.count(subjects, now)
        if not passwords.fits(hash_, password):
            self.attempts.note_failure(subjects, count, now, {"name": name, "address": address})
            return None
        return hash_


def safe_next(path: str) -> str:
    """Return the page to open after sign-in: `path` if it is a page of the desk, else the queue."""
    fits = re.fullmatch(rf"{HOME}(/[a-z0-9/_-]*)?(\?[A-Za-z0-9=&%+._~:-]*)?", path)
    return path if fits and "//" not in path and len(path) <= LONGEST_NEXT else HOME


def _form_token(secret: Secret, session: str) -> str:
    key = hashlib.sha256(b"review desk\n" + secret.reveal().encode()).digest()
    return hmac.new(key, b"form\n" + session.encode(), hashlib.sha256).hexdigest()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
