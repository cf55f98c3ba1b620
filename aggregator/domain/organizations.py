"""Define organizations: accounts on several networks that belong together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from aggregator.domain.activity import Actor


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization with accounts on several networks."""

    slug: str
    within: timedelta  # posts with the same text within this time are one announcement


@dataclass(frozen=True)
class Organizations:
    """The declared organizations, by their accounts."""

    by_account: Mapping[str, Organization] = field(default_factory=dict)  # "network:handle" or "network:id"

    def __bool__(self) -> bool:
        return bool(self.by_account)

    def of_actor(self, actor: Actor) -> Organization | None:
        """Return the organization of an account, by its id or its handle."""
        named = self.of_handle(actor.network, actor.handle) if actor.handle else None
        return self.by_account.get(f"{actor.network}:{actor.native_id}") or named

    def of_handle(self, network: str, handle: str) -> Organization | None:
        """Return the organization whose account has a handle."""
        return self.by_account.get(f"{network}:{handle.casefold()}")


NO_ORGANIZATIONS = Organizations()
