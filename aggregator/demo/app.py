"""Build the sample upstream as an ASGI application."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.applications import Starlette

from aggregator.demo.news import News
from aggregator.demo.world import World
from aggregator.demo.x_api import XApi

if TYPE_CHECKING:
    from collections.abc import Callable

RATE_LIMIT = 900  # calls per endpoint in 15 minutes


def _now() -> datetime:
    return datetime.now(UTC)


def create_upstream(
    clock: Callable[[], datetime] = _now,
    *,
    seed: int = 0,
    rate_limit: int = RATE_LIMIT,
    empty: bool = False,
    vocabulary: str = "both",
    search: bool = False,
) -> Starlette:
    """Return the application; `app.state` has its `world`, and its `x` with the bill, the faults and the jobs.

    Args:
        clock: returns the time, aware, in UTC.
        seed: selects the sequence of authors.
        rate_limit: calls per endpoint of the X-shaped API in a window of 15 minutes before it responds with 429.
        empty: whether to start without accounts and items.
        vocabulary: of X's API: "tweets", "posts" or "both".
        search: whether the plan includes search.
    """
    world = World(clock, seed, empty=empty)
    x = XApi(world, clock, rate_limit, vocabulary=vocabulary, search=search)
    app = Starlette(routes=[*x.routes(), *News(world).routes()])
    app.state.world, app.state.x = world, x
    return app
