"""Define which items are removed together, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Removal:
    """The result of a removal."""

    posts: int = 0  # posts themselves
    reposts: int = 0  # reposts of them
    quotes: int = 0  # and replies that embedded them and keep their own text
    revision: int | None = None  # the newest published one
    is_new: bool = False  # it was not yet removed for all readers
    more: bool = False  # the rest needs another transaction

    @property
    def activities(self) -> int:
        """The number of affected activities."""
        return self.posts + self.reposts + self.quotes

    def add(self, other: Removal) -> None:
        """Add the counts of another removal."""
        self.posts += other.posts
        self.reposts += other.reposts
        self.quotes += other.quotes
        self.revision = max(filter(None, (self.revision, other.revision)), default=None)
        self.is_new |= other.is_new
        self.more = other.more
