"""Define the users and roles of the review desk. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

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
