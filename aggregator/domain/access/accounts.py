"""Define the users and roles of the review desk. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


class Role(StrEnum):
    """The roles, each including all earlier ones."""

    VIEWER = "viewer"  # read only
    REVIEWER = "reviewer"  # decide on items
    EDITOR = "editor"  # rules, sources, freezes, our own posts
    ADMIN = "admin"  # users

    def may(self, needed: Role) -> bool:
        """Return whether this role includes another."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the review desk."""

    id: int
    name: str
    role: Role
    created: datetime
    password_set: datetime
    last_sign_in: datetime | None = None
    disabled: datetime | None = None
    issuer: str | None = None  # the sign-on provider; None: the user has a password or passkeys here
    subject: str | None = None  # the provider's id of the user
    passkey_required: bool = False  # the password alone is not enough

    @property
    def is_local(self) -> bool:
        """Whether the user signs in here, and not at a sign-on provider."""
        return self.issuer is None

    def is_last_admin(self, role: Role | None, *, disable: bool, others: int) -> bool:
        """Return whether a change would leave no admin who may sign in; `others` are the admins besides this one."""
        loses = disable or (role is not None and role is not Role.ADMIN)
        return self.role is Role.ADMIN and self.disabled is None and loses and others == 0


@dataclass(frozen=True, slots=True)
class Passkey:
    """The public part of a passkey."""

    id: int
    account_id: int
    credential: str  # the authenticator's id of it, in base64url
    name: str
    public_key: bytes
    sign_count: int
    created: datetime
    last_used: datetime | None = None


class AuthenticatorApp(NamedTuple):
    """The authenticator app of an account, whose codes are asked for after the password."""

    sealed: str  # its key, encrypted
    created: datetime
    codes_left: int  # recovery codes that were not used


class ProviderSession(NamedTuple):
    """The session at a sign-on provider to which a session belongs."""

    digest: str | None  # of the provider's id of it
    id_token: str  # encrypted


class LinkPurpose(StrEnum):
    """What a single-use link allows."""

    PASSWORD = "password"  # noqa: S105  # set a new password
    EMAIL = "email"  # confirm an e-mail address


class AccountLink(NamedTuple):
    """A valid single-use link."""

    account: Account
    email: str | None
