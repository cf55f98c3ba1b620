"""What is removed together, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Removal:
    """What taking something out did."""

    posts: int = 0  # its own
    reposts: int = 0  # of it
    quotes: int = 0  # and replies that embedded it and keep their own words
    revision: int | None = None  # the newest of those that tell readers
    is_new: bool = False  # it was not gone for everybody yet
    more: bool = False  # the rest needs another transaction

    @property
    def activities(self) -> int:
        """How many activities it touched."""
        return self.posts + self.reposts + self.quotes

    def add(self, other: Removal) -> None:
        """Count another one in."""
        self.posts += other.posts
        self.reposts += other.reposts
        self.quotes += other.quotes
        self.revision = max(filter(None, (self.revision, other.revision)), default=None)
        self.is_new |= other.is_new
        self.more = other.more
