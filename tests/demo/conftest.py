"""Provide the sample upstream to the tests of the demonstration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.demo import Upstream
from aggregator.demo.world import World
from tests.demo.client import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """Give a sample upstream that has published for a while and stands still."""
    world = World(lambda: NOW)
    world.fill()
    for _ in range(60):
        world.publish()
    with Upstream(world, every=0) as running:
        yield running
