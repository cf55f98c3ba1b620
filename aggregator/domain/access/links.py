"""Make single-use links of accounts: to set a new password, and to confirm an e-mail address. Pure."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import NamedTuple

from aggregator.domain.access.accounts import LinkPurpose
from aggregator.domain.access.api_tokens import digest_of

LASTS = {LinkPurpose.PASSWORD: timedelta(hours=1), LinkPurpose.EMAIL: timedelta(days=1)}
PATHS = {LinkPurpose.PASSWORD: "/review/new-password", LinkPurpose.EMAIL: "/review/confirm-email"}
_TOKEN_BYTES = 32


class NewLink(NamedTuple):
    """A new link: the only time its token is known."""

    purpose: LinkPurpose
    token: str

    @property
    def digest(self) -> str:
        """The stored part."""
        return digest_of(self.token)

    @property
    def lasts(self) -> timedelta:
        """How long it is valid."""
        return LASTS[self.purpose]

    def address(self, base: str) -> str:
        """Return the address to open; the token is in its query, which is not logged."""
        return f"{base}{PATHS[self.purpose]}?token={self.token}"


def make_link(purpose: LinkPurpose) -> NewLink:
    """Return a link with 256 random bits."""
    return NewLink(purpose, secrets.token_urlsafe(_TOKEN_BYTES))
