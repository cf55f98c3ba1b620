"""Who works at the review desk, and what each role may do. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Role(StrEnum):
    """What somebody may do; each role may all that those before it may."""

    VIEWER = "viewer"  # look
    REVIEWER = "reviewer"  # decide on items
    EDITOR = "editor"  # rules, sources, freezes, items of our own
    ADMIN = "admin"  # accounts

    def may(self, needed: Role) -> bool:
        """Say whether this role includes another."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in."""

    id: int
    name: str
    role: Role
    created: datetime
    password_set: datetime
    last_sign_in: datetime | None = None
    disabled: datetime | None = None
