"""Assemble the ways to sign in, and their routes that need no session."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.access.accounts import LinkPurpose
from aggregator.domain.access.links import PATHS
from aggregator.domain.access.single_sign_on import CALLBACK
from aggregator.review.accounts import UserPages
from aggregator.review.authenticator_apps import AuthenticatorAppPages
from aggregator.review.confirmation import ConfirmationPages
from aggregator.review.context import HOME
from aggregator.review.email import EmailPages
from aggregator.review.links import LinkPages
from aggregator.review.passkey_ceremonies import RelyingParty
from aggregator.review.passkeys import PasskeyChecks, PasskeyPages
from aggregator.review.second_factor import CodePages
from aggregator.review.sign_in import SignInPages
from aggregator.review.sign_on import SignOnPages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from aggregator.domain.access.accounts import Account
    from aggregator.domain.secrets import Secret
    from aggregator.review.auth import Gate
    from aggregator.review.context import DeskContext, Section
    from aggregator.review.form import Form
    from aggregator.review.links import AccountMail
    from aggregator.review.sign_on import SignOn


@dataclass(frozen=True, slots=True)
class SignInOptions:
    """How users may sign in."""

    local: frozenset[str] | None = None  # the accounts that may use a password or passkey; None: all
    sign_on: SignOn | None = None  # the provider
    mail: AccountMail | None = None  # None: mail can't be sent


class NoMail:
    """Sends nothing."""

    is_configured = False

    def request_reset(self, email: str) -> None:
        """Do nothing."""

    def mail_reset(self, account: Account, email: str) -> None:
        """Do nothing."""

    def mail_confirmation(self, account: Account, email: str) -> None:
        """Do nothing."""

    def mail_notice(self, account: Account, email: str, what: str) -> None:
        """Do nothing."""


class Work(Enum):
    """What a route may wait for: each kind has its own threads, so that none keeps others waiting."""

    USUAL = 0
    HASHING = 1  # the slow hash of a password
    PROVIDER = 2  # the sign-on provider


class OpenRoute(NamedTuple):
    """A route that needs no session."""

    method: str
    path: str
    handle: Callable[[Request, Form], Response]
    work: Work = Work.USUAL


class Entrance:
    """The ways to sign in, and the pages of the own account."""

    def __init__(
        self,
        desk: DeskContext,
        gate: Gate,
        options: SignInOptions,
        keys: Callable[[], tuple[Secret, ...]],
        public_url: str | None,
    ) -> None:
        site = RelyingParty.of(public_url) if options.local is None or options.local else None
        self._checks = None if site is None else PasskeyChecks(desk, gate, site)
        self._codes = CodePages(desk, gate, has_passkeys=site is not None)
        self._pages = SignInPages(desk, gate, options, self._checks, self._codes)
        self._sign_on = None
        if options.sign_on is not None and public_url is not None:
            self._sign_on = SignOnPages(desk, gate, options.sign_on, keys, public_url, self._pages.refuse)
            self._pages.end_at_provider = self._sign_on.end
        self._passkeys = PasskeyPages(desk, self._checks)
        self._apps = AuthenticatorAppPages(desk, gate.codes, keys, public_url)
        self.mail = options.mail or NoMail()
        self._links = LinkPages(desk, gate, self.mail)
        self._users = UserPages(desk, self.mail)
        self._email = EmailPages(desk, gate, self.mail)
        self.confirmation = ConfirmationPages(desk, gate, keys, self._checks, options.sign_on)

    def sections(self) -> Sequence[Section]:
        """Return the sections with routes that need a session."""
        own: list[Section] = [self._pages, self._passkeys, self._apps, self._email]
        found = [*own, self._users, self.confirmation]
        return found if self._sign_on is None else [*found, self._sign_on]

    def open_routes(self) -> Iterable[OpenRoute]:
        """Yield the routes that need no session."""
        yield OpenRoute("GET", f"{HOME}/sign-in", self._pages.show)
        yield OpenRoute("POST", f"{HOME}/sign-in", self._pages.sign_in, Work.HASHING)
        yield OpenRoute("POST", f"{HOME}/sign-in/code", self._codes.sign_in)
        if self._checks is not None:
            yield OpenRoute("GET", f"{HOME}/sign-in/passkey", self._checks.sign_in_options)
            yield OpenRoute("POST", f"{HOME}/sign-in/passkey", self._pages.sign_in_by_passkey)
        if self.mail.is_configured:
            yield OpenRoute("GET", f"{HOME}/reset", self._links.ask)
            yield OpenRoute("POST", f"{HOME}/reset", self._links.send)
        yield OpenRoute("GET", PATHS[LinkPurpose.PASSWORD], self._links.show_password)
        yield OpenRoute("POST", PATHS[LinkPurpose.PASSWORD], self._links.set_password, Work.HASHING)
        yield OpenRoute("GET", PATHS[LinkPurpose.EMAIL], self._links.show_email)
        yield OpenRoute("POST", PATHS[LinkPurpose.EMAIL], self._links.confirm_email)
        if self._sign_on is not None:
            yield OpenRoute("GET", f"{HOME}/sign-in/provider", self._sign_on.begin, Work.PROVIDER)
            yield OpenRoute("GET", CALLBACK, self._sign_on.finish, Work.PROVIDER)
            yield OpenRoute("POST", f"{HOME}/sign-in/ended", self._sign_on.ended, Work.PROVIDER)
