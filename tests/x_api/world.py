"""Simulate what accounts of X do besides writing: edits, deletions, restrictions, new names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from aggregator.demo.world import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from aggregator.demo.world import Account, Post


@dataclass
class AccountList:
    """A list of accounts, by their ids."""

    name: str
    members: set[str]


class SimulatedWorld(World):
    """A world whose posts and accounts change. `empty` omits the portal's page and the sample content."""

    def __init__(self, clock: Callable[[], datetime], seed: int = 0, *, empty: bool = False) -> None:
        super().__init__(clock, seed)
        self.listeners: list[Callable[[str, Post], None]] = []  # called with the type of an event and its post
        self.restricted: dict[str, str] = {}  # user id -> "protected", "suspended" or "deactivated"
        self.deleted: set[int] = set()  # ids of posts, all versions
        self.withheld: dict[int, tuple[str, ...]] = {}  # post id -> countries
        self.lists: dict[str, AccountList] = {}  # by id
        self._versions: dict[int, tuple[int, ...]] = {}  # id of an edited post -> ids of all versions, oldest first
        if not empty:
            self.fill()

    def write(self, account: Account, text: str, at: datetime | None = None, **parts: Any) -> Post:
        """Publish a post of an account, and notify the listeners."""
        post = super().write(account, text, at, **parts)
        for listener in self.listeners:
            listener("post.create", post)
        return post

    @property
    def posts(self) -> tuple[Post, ...]:
        """Return the newest version of every post that is not deleted, oldest first."""
        return tuple(filter(self._is_current, super().posts))

    def timeline(self, user_id: str) -> list[Post]:
        """Return the newest version of each of an account's posts, newest first."""
        return list(filter(self._is_current, super().timeline(user_id)))

    def versions(self, post: Post) -> tuple[int, ...]:
        """Return the ids of all versions of a post, oldest first."""
        return self._versions.get(post.id, (post.id,))

    def fate(self, post_id: int) -> str | None:
        """Return why a post is hidden: "deleted", "protected", "suspended", "deactivated"; None if it is visible."""
        post = self.post(post_id)
        return "deleted" if post is None or post_id in self.deleted else self.restricted.get(post.author)

    def rename(self, account: Account, username: str) -> None:
        """Change an account's handle; the old one becomes available."""
        del self.by_username[account.username.casefold()]
        renamed = replace(account, username=username)
        self.accounts[account.id] = self.by_username[username.casefold()] = renamed

    def restrict(self, account: Account, how: str) -> None:
        """Protect, suspend or deactivate an account ("protected", ...); "" reverts that."""
        self.restricted.pop(account.id, None)
        if how:
            self.restricted[account.id] = how

    def edit(self, post: Post, text: str, at: datetime | None = None) -> Post:
        """Publish a new version of a post with its own id; timelines return only the newest version."""
        author = self.accounts[post.author]
        later = self.write(
            author, text, at, references=post.references, links=post.links, picture=post.picture, lang=post.lang
        )
        versions = (*self.versions(post), later.id)
        self._versions |= dict.fromkeys(versions, versions)
        return later

    def delete(self, post: Post) -> None:
        """Delete a post with all its versions, and its plain reposts."""
        versions = self.versions(post)
        reposts = {
            other.id
            for other in self.posts
            if any(kind == "retweeted" and id_ in versions for kind, id_ in other.references)
        }
        self.deleted |= reposts.union(versions)
        for listener in self.listeners:
            listener("post.delete", post)

    def withhold(self, post: Post, countries: tuple[str, ...]) -> None:
        """Withhold a post in some countries; "XX" means all of them."""
        self.withheld[post.id] = countries

    def _is_current(self, post: Post) -> bool:
        return post.id not in self.deleted and self.versions(post)[-1] == post.id
