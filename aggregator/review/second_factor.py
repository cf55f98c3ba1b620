"""Ask for a code after the password, and check codes of authenticator apps and recovery codes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response

from aggregator.config.credential_encryption import HeaderCipher
from aggregator.config.totp import step_of
from aggregator.domain.access.recovery_codes import LONGEST, recovery_digest
from aggregator.domain.errors import SignInError
from aggregator.domain.secrets import Secret
from aggregator.review.attempts import client_of
from aggregator.review.context import HOME
from aggregator.review.errors import ConflictError, TooManyTriesError
from aggregator.review.one_time import spend
from aggregator.web.responses import HTML

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.requests import Request

    from aggregator.domain.access.accounts import Account
    from aggregator.review.auth import Gate
    from aggregator.review.context import DeskContext
    from aggregator.review.form import Form
    from aggregator.review.one_time import Claims
    from storage.store import Transaction

WRONG = "The code is incorrect or was used already. Enter the next code that the app shows."
RECOVERY = "a recovery code"
_LASTS = timedelta(minutes=5)  # from the password to the code
_LONGEST_TOKEN = 4000  # characters
_PURPOSE = "code after the password"


class CodeChecks:
    """Checks codes, each of which is accepted once, and encrypts the keys that make them."""

    def __init__(self, keys: Callable[[], tuple[Secret, ...]]) -> None:
        self._keys = keys  # the present one, then former ones

    def seal(self, account_id: int, key: Secret) -> str:
        """Encrypt the key of an app for the database."""
        return HeaderCipher(*self._keys()).close(_place(account_id), {"key": key.reveal()})

    def use(self, tx: Transaction, account_id: int, typed: str, now: datetime) -> str | None:
        """Use up a code; return which kind it was, for the audit log, or None if it is incorrect.

        Raises:
            ConflictError: the key can't be decrypted.
        """
        app = tx.access.totp.get(account_id)
        if app is None:
            return None
        digest = recovery_digest(typed)
        if digest is not None:
            return RECOVERY if tx.access.totp.use_recovery_code(account_id, digest) else None
        try:
            key = Secret(HeaderCipher(*self._keys()).open(_place(account_id), app.sealed)["key"])
        except SignInError:
            raise ConflictError(
                "Codes can't be checked, since the secret key of this installation has changed. Use a recovery code or "
                "a passkey, or ask an admin."
            ) from None
        step = step_of(key, typed, now)
        return "a code" if step is not None and tx.access.totp.use(account_id, step) else None


class CodePages:
    """The page that asks for a code after the password."""

    def __init__(self, desk: DeskContext, gate: Gate, *, has_passkeys: bool) -> None:
        self._desk = desk
        self._gate = gate
        self._has_passkeys = has_passkeys  # users can have some

    def ask(self, request: Request, account: Account, target: str) -> Response:
        """Show the page to a visitor who knows the password of an account. There is no session yet."""
        until = self._desk.clock() + _LASTS
        values = {"account": str(account.id), "password_set": account.password_set.isoformat(), "next": target}
        token = self._gate.tokens.issue(_PURPOSE, stranger := self._gate.stranger(request), until, **values)
        return self._page(stranger, token, account, target)

    def sign_in(self, request: Request, form: Form) -> Response:
        """Sign in with a code."""
        now, stranger = self._desk.clock(), self._gate.stranger(request)
        self._gate.check(request, stranger, form.text("csrf", most=200))
        token = form.text("token", most=_LONGEST_TOKEN)
        claims = self._gate.tokens.open(token, _PURPOSE, stranger, now)
        account = None if claims is None else self._account(claims)
        if claims is None or account is None:
            return RedirectResponse(self._desk.pages.link(f"{HOME}/sign-in"), status_code=303)
        target, address = claims.values["next"], client_of(request)
        try:
            kind = self._gate.use_code(account, form.text("code", most=LONGEST), address, now)
        except TooManyTriesError as problem:
            answer = self._page(stranger, token, account, target, str(problem), 429)
            answer.headers.update(problem.headers)
            return answer
        if kind is None:
            return self._page(stranger, token, account, target, WRONG, 422)
        return self._entered(token, claims, kind, address, now)

    def _entered(self, token: str, claims: Claims, kind: str, address: str, now: datetime) -> Response:
        with self._desk.store.writing() as tx:
            account = self._account_in(tx, claims)
            if account is None or not spend(tx, token, claims):
                return RedirectResponse(self._desk.pages.link(f"{HOME}/sign-in"), status_code=303)
            session = self._gate.enter(tx, account, address, now, {"with": f"the password and {kind}"})
            app = tx.access.totp.get(account.id)
        left = app.codes_left if app is not None and kind == RECOVERY else None
        message = "" if left is None else f"Recovery codes left: {left}. You can make new ones at “My account”."
        answer = self._desk.onward(claims.values["next"], message)
        self._gate.hand_over(answer, session)
        return answer

    def _account(self, claims: Claims) -> Account | None:
        with self._desk.store.reading() as tx:
            return self._account_in(tx, claims)

    def _account_in(self, tx: Transaction, claims: Claims) -> Account | None:
        """Return the account of a token, if its password has not changed and it may still sign in."""
        account = tx.access.accounts.by_id(int(claims.values["account"]))
        is_same = account is not None and account.password_set.isoformat() == claims.values["password_set"]
        return account if account is not None and is_same and self._gate.may_sign_in_here(account) else None

    def _page(
        self, stranger: str, token: str, account: Account, target: str, complaint: str = "", status: int = 200
    ) -> Response:
        with self._desk.store.reading() as tx:
            has_passkeys = self._has_passkeys and bool(tx.access.passkeys.of(account.id))
        values = {
            "csrf_token": self._gate.token(stranger),
            "token": token,
            "next": target,
            "complaint": complaint,
            "has_passkeys": has_passkeys,
            "longest": LONGEST,
        }
        answer = Response(self._desk.pages.render("sign-in-code.html", values), status, media_type=HTML)
        self._gate.remember(answer, stranger)
        return answer


def _place(account_id: int) -> str:
    """Return the name to which the encrypted key of an account's app is bound."""
    return f"totp:{account_id}"
