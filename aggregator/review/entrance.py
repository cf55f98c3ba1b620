"""Assemble the ways to sign in, and their routes that need no session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.access.single_sign_on import CALLBACK
from aggregator.review.confirmation import ConfirmationPages
from aggregator.review.context import HOME
from aggregator.review.passkey_ceremonies import RelyingParty
from aggregator.review.passkeys import PasskeyChecks, PasskeyPages
from aggregator.review.sign_in import SignInPages
from aggregator.review.sign_on import SignOnPages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from aggregator.domain.secrets import Secret
    from aggregator.review.auth import Gate
    from aggregator.review.context import DeskContext, Section
    from aggregator.review.form import Form
    from aggregator.review.sign_on import SignOn


@dataclass(frozen=True, slots=True)
class SignInOptions:
    """How users may sign in."""

    local: frozenset[str] | None = None  # the accounts that may use a password or passkey; None: all
    sign_on: SignOn | None = None  # the provider


class OpenRoute(NamedTuple):
    """A route that needs no session."""

    method: str
    path: str
    handle: Callable[[Request, Form], Response]
    hashes: bool = False  # computes the slow hash of a password


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
        self._pages = SignInPages(desk, gate, options, self._checks)
        self._sign_on = None
        if options.sign_on is not None and public_url is not None:
            self._sign_on = SignOnPages(desk, gate, options.sign_on, keys, public_url, self._pages.refuse)
            self._pages.end_at_provider = self._sign_on.end
        self._passkeys = PasskeyPages(desk, self._checks)
        self.confirmation = ConfirmationPages(desk, gate, keys, self._checks, options.sign_on)

    def sections(self) -> Sequence[Section]:
        """Return the sections with routes that need a session."""
        found: list[Section] = [self._pages, self._passkeys, self.confirmation]
        return found if self._sign_on is None else [*found, self._sign_on]

    def open_routes(self) -> Iterable[OpenRoute]:
        """Yield the routes that need no session."""
        yield OpenRoute("GET", f"{HOME}/sign-in", self._pages.show)
        yield OpenRoute("POST", f"{HOME}/sign-in", self._pages.sign_in, hashes=True)
        if self._checks is not None:
            yield OpenRoute("GET", f"{HOME}/sign-in/passkey", self._checks.sign_in_options)
            yield OpenRoute("POST", f"{HOME}/sign-in/passkey", self._pages.sign_in_by_passkey)
        if self._sign_on is not None:
            yield OpenRoute("GET", f"{HOME}/sign-in/provider", self._sign_on.begin)
            yield OpenRoute("GET", CALLBACK, self._sign_on.finish)
            yield OpenRoute("POST", f"{HOME}/sign-in/ended", self._sign_on.ended)
