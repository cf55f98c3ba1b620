"""Sign in with passkeys, and manage one's own."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from starlette.responses import Response

from aggregator.domain.access.accounts import Role
from aggregator.domain.errors import NotFoundError
from aggregator.review.attempts import client_of, succeeded
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.errors import ConflictError
from aggregator.review.form import id_in
from aggregator.review.one_time import spend
from aggregator.review.passkey_ceremonies import (
    LONGEST_RESPONSE,
    PasskeyError,
    creation_options,
    credential_in,
    new_count,
    registered,
    request_options,
)
from aggregator.web.responses import JSON

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from starlette.requests import Request

    from aggregator.domain.access.accounts import Account, Passkey
    from aggregator.review.auth import Gate
    from aggregator.review.context import DeskContext, DeskRequest
    from aggregator.review.form import Form
    from aggregator.review.passkey_ceremonies import RelyingParty
    from storage.store import Transaction

MOST = 20  # passkeys of a user
_LONGEST_NAME = 60  # characters
_LASTS = timedelta(minutes=5)  # from the options to the browser's message
_LONGEST_TOKEN = 1000  # characters
_ADD, _SIGN_IN, _CONFIRM = "passkey add", "passkey sign-in", "passkey confirm"  # purposes of challenges
_EXPIRED = "This took too long, or was used already. Try again."


class PasskeyChecks:
    """Issues challenges, and checks what browsers answer."""

    def __init__(self, desk: DeskContext, gate: Gate, site: RelyingParty) -> None:
        self._desk = desk
        self._gate = gate
        self._site = site

    def sign_in_options(self, request: Request, _form: Form) -> Response:
        """Return the options for signing in."""
        challenge = self._challenge(_SIGN_IN, self._gate.stranger(request))
        return _options(challenge, request_options(self._site, challenge))

    def confirm_options(self, request: DeskRequest) -> Response:
        """Return the options for confirming who the user is."""
        challenge = self._challenge(_CONFIRM, request.session)
        with self._desk.store.reading() as tx:
            own = tx.access.passkeys.of(request.account.id)
        return _options(challenge, request_options(self._site, challenge, own))

    def add_options(self, request: DeskRequest) -> Response:
        """Return the options for a new passkey."""
        challenge = self._challenge(_ADD, request.session)
        with self._desk.store.reading() as tx:
            own = tx.access.passkeys.of(request.account.id)
        return _options(challenge, creation_options(self._site, request.account, challenge, own))

    def sign_in(self, form: Form, stranger: str, address: str, now: datetime) -> str:
        """Sign in; return the token of the new session.

        Raises:
            PasskeyError: the passkey was not accepted.
            TooManyTriesError: attempts are paused after too many failures.
        """
        subjects = {"address": f"address:{address}"}
        count = self._gate.attempts.count(subjects, now)
        try:
            challenge, response = self._spent(form, _SIGN_IN, stranger, now)
            with self._desk.store.writing() as tx:
                account, used = self._used(tx, challenge, response, now)
                succeeded(tx, subjects)
                return self._gate.enter(tx, account, address, now, {"with": f"the passkey {used.name}"})
        except PasskeyError as problem:
            detail = {"address": address, "with": "a passkey", "problem": str(problem)}
            self._gate.attempts.note_failure(subjects, count, now, detail)
            raise

    def check_confirmation(self, request: DeskRequest) -> None:
        """Check that the user of a session used one of their passkeys.

        Raises:
            PasskeyError: they did not.
        """
        challenge, response = self._spent(request.form, _CONFIRM, request.session, request.now)
        with self._desk.store.writing() as tx:
            account, _ = self._used(tx, challenge, response, request.now)
            if account.id != request.account.id:
                raise PasskeyError("The passkey is another user's.")  # rolls the use back

    def new(self, request: DeskRequest, name: str) -> Passkey:
        """Return the new passkey in the browser's message."""
        challenge, response = self._spent(request.form, _ADD, request.session, request.now)
        return registered(self._site, request.account, name, challenge, response, request.now)

    def _challenge(self, purpose: str, binding: str) -> str:
        return self._gate.tokens.issue(purpose, binding, self._desk.clock() + _LASTS)

    def _spent(self, form: Form, purpose: str, binding: str, now: datetime) -> tuple[str, str]:
        """Return the challenge and the browser's message; the challenge can't be used again."""
        challenge = form.text("challenge", most=_LONGEST_TOKEN)
        response = form.raw("credential", most=LONGEST_RESPONSE)
        claims = self._gate.tokens.open(challenge, purpose, binding, now)
        if claims is None:
            raise PasskeyError(_EXPIRED)
        with self._desk.store.writing(lock_stream=False) as tx:
            if not spend(tx, challenge, claims):
                raise PasskeyError(_EXPIRED)
        return challenge, response

    def _used(self, tx: Transaction, challenge: str, response: str, now: datetime) -> tuple[Account, Passkey]:
        """Check the use of a passkey, and store its new counter."""
        passkey = tx.access.passkeys.get(credential_in(response))
        account = None if passkey is None else tx.access.accounts.by_id(passkey.account_id)
        if passkey is None or account is None or not self._gate.may_sign_in_here(account):
            raise PasskeyError("This passkey is not registered here.")
        count = new_count(self._site, passkey, account, challenge, response)
        if not tx.access.passkeys.use(passkey, count, now):
            raise PasskeyError(_EXPIRED)
        return account, passkey


class PasskeyPages:
    """The pages for the own passkeys."""

    def __init__(self, desk: DeskContext, checks: PasskeyChecks | None) -> None:
        self._desk = desk
        self._checks = checks

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        if self._checks is not None:
            yield DeskRoute("GET", "/account/passkeys", Role.VIEWER, self.page, confirm=True)
            yield DeskRoute("GET", "/account/passkeys/options", Role.VIEWER, self._checks.add_options)
            yield DeskRoute("POST", "/account/passkeys", Role.VIEWER, self.add, confirm=True)
        yield DeskRoute("POST", "/account/passkeys/required", Role.VIEWER, self.require, confirm=True)
        yield DeskRoute("POST", "/account/passkeys/{passkey_id}/remove", Role.VIEWER, self.remove, confirm=True)

    def page(self, request: DeskRequest) -> Response:
        """Show the form that adds a passkey."""
        return self._desk.page(request, "passkey-add.html", {"complaint": "", "longest": _LONGEST_NAME})

    def add(self, request: DeskRequest) -> Response:
        """Store a passkey that the browser made."""
        if self._checks is None or not request.account.is_local:
            raise ConflictError("Users of the sign-on provider sign in there.")
        name = " ".join(request.form.text("name", most=_LONGEST_NAME).split()) or f"Passkey of {request.now:%Y-%m-%d}"
        try:
            new = self._checks.new(request, name)
        except PasskeyError as problem:
            values = {"complaint": str(problem), "longest": _LONGEST_NAME}
            return self._desk.page(request, "passkey-add.html", values, 422)
        with self._desk.store.writing() as tx:
            if len(tx.access.passkeys.of(request.account.id)) >= MOST:
                raise ConflictError(f"You have {MOST} passkeys; remove one first.")
            if not tx.access.passkeys.add(new):
                raise ConflictError("This passkey is registered already.")
            self._note(tx, request, "added a passkey", {"passkey": name})
        return self._desk.onward(f"{HOME}/account", f"The passkey “{name}” is added.")

    def remove(self, request: DeskRequest) -> Response:
        """Delete a passkey."""
        id_ = id_in(str(request.http.path_params["passkey_id"]))
        with self._desk.store.writing() as tx:
            name = None if id_ is None else tx.access.passkeys.remove(request.account.id, id_)
            if name is None:
                raise NotFoundError("You have no such passkey.")
            if not tx.access.passkeys.of(request.account.id):
                tx.access.accounts.require_passkey(request.account.id, required=False)
            self._note(tx, request, "removed a passkey", {"passkey": name})
        return self._desk.onward(f"{HOME}/account", f"The passkey “{name}” is removed.")

    def require(self, request: DeskRequest) -> Response:
        """Require a passkey after the password, or don't."""
        required = request.form.checked("required")
        with self._desk.store.writing() as tx:
            if required and not tx.access.passkeys.of(request.account.id):
                raise ConflictError("Add a passkey first.")
            tx.access.accounts.require_passkey(request.account.id, required=required)
            self._note(tx, request, "changed their settings", {"to": {"passkey_required": required}})
        done = "Your password alone is not enough now." if required else "Your password alone is enough now."
        return self._desk.onward(f"{HOME}/account", done)

    def _note(self, tx: Transaction, request: DeskRequest, what: str, detail: dict[str, object]) -> None:
        detail = {**detail, "address": client_of(request.http)}
        tx.moderation.audit.note(request.now, request.account.name, what, f"account:{request.account.name}", detail)


def _options(challenge: str, options: str) -> Response:
    body = json.dumps({"challenge": challenge, "options": json.loads(options)})
    return Response(body, media_type=JSON)
