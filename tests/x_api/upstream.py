"""Run the simulated X, and the news site of its world, on loopback."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aggregator.demo.server import Upstream
from aggregator.demo.x_api import RATE_LIMIT
from tests.x_api.api import SimulatedX
from tests.x_api.world import SimulatedWorld

if TYPE_CHECKING:
    from collections.abc import Callable


def _now() -> datetime:
    return datetime.now(UTC)


class SimulatedUpstream(Upstream):
    """A sample upstream without automatic publishing; use it as a context manager.

    Args:
        clock: returns the time, aware, in UTC.
        empty: whether to start without accounts and items.
        rate_limit: calls per endpoint of the API in a window of 15 minutes before it responds with 429.
        vocabulary: of the API: "tweets", "posts" or "both".
        search: whether the plan includes search.
    """

    world: SimulatedWorld

    def __init__(
        self,
        clock: Callable[[], datetime] = _now,
        *,
        empty: bool = False,
        rate_limit: int = RATE_LIMIT,
        vocabulary: str = "both",
        search: bool = False,
    ) -> None:
        world = SimulatedWorld(clock, empty=empty)
        self.x = SimulatedX(world, rate_limit=rate_limit, vocabulary=vocabulary, search=search)
        super().__init__(world, self.x, every=0)

    def stop(self) -> None:
        """Stop listening, and release calls that hang."""
        self.x.faults.clear()
        self.x.activity.send(None)
        super().stop()
