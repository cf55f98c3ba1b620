"""Set up and remove one's own authenticator app, and make recovery codes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import segno

from aggregator.config.credential_encryption import HeaderCipher
from aggregator.config.totp import address_of, new_key, step_of
from aggregator.domain.access.accounts import Role
from aggregator.domain.access.recovery_codes import LONGEST, make_codes, recovery_digest
from aggregator.domain.errors import SignInError
from aggregator.domain.secrets import Secret
from aggregator.review.attempts import client_of
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.responses import Response

    from aggregator.review.context import DeskContext, DeskRequest
    from aggregator.review.second_factor import CodeChecks
    from storage.store import Transaction

_LASTS = timedelta(minutes=30)  # from the page with a new key to its first code
_LONGEST_SEALED = 1000  # characters
_BORDER = 4  # modules around a QR code, by its standard


class QrCode(NamedTuple):
    """A QR code as a path of SVG."""

    size: int  # modules of a side, with the border
    path: str

    @classmethod
    def of(cls, text: str) -> QrCode:
        """Return the QR code of a text."""
        rows = list(segno.make(text, error="m", micro=False).matrix_iter(border=_BORDER))
        dark = [(x, y) for y, row in enumerate(rows) for x, module in enumerate(row) if module]
        return cls(len(rows), "".join(f"M{x} {y}h1v1h-1z" for x, y in dark))


class AuthenticatorAppPages:
    """The pages for the own authenticator app.

    Args:
        desk: what the desk's sections share.
        codes: encrypts keys.
        keys: the keys that encrypt a new key in its form.
        public_url: names the installation in the app.
    """

    def __init__(
        self,
        desk: DeskContext,
        codes: CodeChecks,
        keys: Callable[[], tuple[Secret, ...]],
        public_url: str | None,
    ) -> None:
        self._desk = desk
        self._codes = codes
        self._keys = keys
        host = urlsplit(public_url or "").hostname
        self._issuer = f"Review desk ({host})" if host and ":" not in host else "Review desk"

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/account/totp", Role.VIEWER, self.page, confirm=True)
        yield DeskRoute("POST", "/account/totp", Role.VIEWER, self.add, confirm=True)
        yield DeskRoute("POST", "/account/totp/codes", Role.VIEWER, self.make_codes, confirm=True)
        yield DeskRoute("POST", "/account/totp/remove", Role.VIEWER, self.remove, confirm=True)

    def page(self, request: DeskRequest) -> Response:
        """Show a new key. It is stored only after a first code was entered."""
        _check_local(request)
        return self._page(request, new_key())

    def add(self, request: DeskRequest) -> Response:
        """Store a key whose first code is correct, and show recovery codes."""
        _check_local(request)
        key = self._key_in(request)
        if key is None:
            return self._page(request, new_key(), "This took too long. Scan the new code, and remove the former one.")
        step = step_of(key, request.form.text("code", most=LONGEST), request.now)
        if step is None:
            return self._page(request, key, "The code is incorrect. Enter the code that the app shows now.")
        sealed = self._codes.seal(request.account.id, key)
        with self._desk.store.writing() as tx:
            if not tx.access.totp.add(request.account.id, sealed, step, request.now):
                raise ConflictError("You have an authenticator app; remove it first.")
            codes = self._new_codes(tx, request)
            self._note(tx, request, "added an authenticator app")
        return self._show_codes(request, codes, is_new=True)

    def make_codes(self, request: DeskRequest) -> Response:
        """Replace the recovery codes, and show the new ones."""
        with self._desk.store.writing() as tx:
            if tx.access.totp.get(request.account.id) is None:
                raise ConflictError("Set up an authenticator app first.")
            codes = self._new_codes(tx, request)
            self._note(tx, request, "made recovery codes")
        return self._show_codes(request, codes, is_new=False)

    def remove(self, request: DeskRequest) -> Response:
        """Delete the app and the recovery codes."""
        with self._desk.store.writing() as tx:
            if not tx.access.totp.remove(request.account.id):
                raise ConflictError("You have no authenticator app.")
            self._note(tx, request, "removed their authenticator app")
        return self._desk.onward(f"{HOME}/account", "The authenticator app is removed. You sign in without a code now.")

    def _new_codes(self, tx: Transaction, request: DeskRequest) -> list[str]:
        codes = make_codes()
        tx.access.totp.set_recovery_codes(request.account.id, [found for found in map(recovery_digest, codes) if found])
        return codes

    def _show_codes(self, request: DeskRequest, codes: list[str], *, is_new: bool) -> Response:
        return self._desk.page(request, "recovery-codes.html", {"codes": codes, "is_new": is_new})

    def _key_in(self, request: DeskRequest) -> Secret | None:
        """Return the new key in the form, which has it encrypted for this user; None if it is too old."""
        sealed = request.form.text("sealed", most=_LONGEST_SEALED)
        try:
            found = HeaderCipher(*self._keys()).open(_place(request), sealed)
        except SignInError:
            return None
        return Secret(found["key"]) if found["until"] >= request.now.isoformat() else None

    def _page(self, request: DeskRequest, key: Secret, complaint: str = "") -> Response:
        text, until = key.reveal(), (request.now + _LASTS).isoformat()
        values = {
            "complaint": complaint,
            "qr": QrCode.of(address_of(key, self._issuer, request.account.name)),
            "key": " ".join(text[start : start + 4] for start in range(0, len(text), 4)),
            "sealed": HeaderCipher(*self._keys()).close(_place(request), {"key": text, "until": until}),
        }
        return self._desk.page(request, "authenticator-app.html", values, 422 if complaint else 200)

    def _note(self, tx: Transaction, request: DeskRequest, what: str) -> None:
        name = request.account.name
        tx.moderation.audit.note(request.now, name, what, f"account:{name}", {"address": client_of(request.http)})


def _check_local(request: DeskRequest) -> None:
    if not request.account.is_local:
        raise ConflictError("Users of the sign-on provider sign in there.")


def _place(request: DeskRequest) -> str:
    return f"new totp:{request.account.id}"
