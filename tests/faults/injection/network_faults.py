"""Faults of the connections between our processes and their servers."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.faults.injection.stage import Stage
    from tests.faults.tcp_proxy import TcpProxy

    Cause = Callable[[Stage, random.Random], AbstractContextManager[None]]

_DELAY = 0.05  # seconds, in either direction


def broken(where: str, how: str) -> Cause:
    """Break the connections of one kind in one way."""

    @contextmanager
    def cause(stage: Stage, _: random.Random) -> Iterator[None]:
        proxies = {
            "workers to postgresql": stage.for_workers,
            "readers to postgresql": stage.for_readers,
            "all to redis": stage.for_broker,
        }
        _break(proxies[where], how)
        yield
        proxies[where].restore()

    return cause


def _break(proxy: TcpProxy, how: str) -> None:
    ways: dict[str, Callable[[], None]] = {
        "refused": proxy.refuse,
        "hung": proxy.hang,
        "reset": proxy.reset,
        "slow": lambda: proxy.slow(_DELAY),
        "cut": proxy.cut,
        "half-dead": proxy.forget,
        "stalled": proxy.stall,
    }
    ways[how]()
