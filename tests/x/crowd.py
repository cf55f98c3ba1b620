"""Simulate accounts that post at their own rates on the simulated X, by a controlled clock."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from aggregator.demo.world import Account, Post
    from tests.x_api.bill import Bill

OUTSIDERS = 40  # accounts that are not followed, whose posts are reposted or quoted
_PASSED_ON = 0.4  # part of all posts that repost or quote another account's


class Crowd:
    """The accounts and the server. `rates` are posts a day, one account each; `delay` is in seconds per response."""

    def __init__(
        self, clock: Callable[[], datetime], rates: Sequence[float], *, seed: int = 7, delay: float = 0
    ) -> None:
        self._upstream = SimulatedUpstream(clock, empty=True, rate_limit=1_000_000)
        self._upstream.x.delay = delay
        self._world = self._upstream.world
        self._chance = random.Random(seed)
        self._outsiders = [self._world.add_account(f"outsider_{number}") for number in range(OUTSIDERS)]
        self.accounts = [self._world.add_account(f"desk_{number}") for number in range(1, len(rates) + 1)]
        self.rates = {account.username: rate for account, rate in zip(self.accounts, rates, strict=True)}

    def __enter__(self) -> Self:
        self._upstream.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._upstream.stop()

    @property
    def url(self) -> str:
        """Its base URL."""
        return self._upstream.url

    @property
    def bill(self) -> Bill:
        """Its bill."""
        return self._upstream.x.bill

    @property
    def handles(self) -> list[str]:
        """Return all accounts to follow."""
        return [f"@{account.username}" for account in self.accounts]

    def live(self, start: datetime, span: timedelta) -> None:
        """Let all accounts post for a while."""
        for account in self.accounts:
            expected = self.rates[account.username] * (span / timedelta(days=1))
            for _ in range(int(expected) + (self._chance.random() < expected % 1)):
                self._say(account, start + span * self._chance.random())

    def _say(self, account: Account, at: datetime) -> None:
        words = f"What {account.username} has to say at {at:%H:%M:%S}."
        if self._chance.random() >= _PASSED_ON:
            self._world.write(account, words, at)
            return
        original = self._world.write(self._chance.choice(self._outsiders), words, at - timedelta(minutes=5))
        if self._chance.random() < 0.5:
            self._world.repost(account, original, at)
        else:
            self._world.write(account, "Read this.", at, references=(("quoted", original.id),))

    def posts_of(self, account: Account) -> list[Post]:
        """Return an account's posts, newest first."""
        return self._world.timeline(account.id)

    def followed(self) -> list[int]:
        """Return the ids of all posts of followed accounts, oldest first."""
        return sorted(post.id for account in self.accounts for post in self.posts_of(account))

    def mentioned(self) -> dict[int, str]:
        """Return the authors, by id, of all posts that those repost or quote."""
        ids = {id_ for account in self.accounts for post in self.posts_of(account) for _, id_ in post.references}
        return {id_: post.author for id_ in ids if (post := self._world.post(id_))}
