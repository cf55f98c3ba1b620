"""Provide the fixtures of the tests of requirements for X."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sources.twitter.fake_x import FakeX
from tests.x.following import Following, Time
from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from storage.store import Store


@pytest.fixture
def time() -> Time:
    """Give a clock."""
    return Time()


@pytest.fixture
def x(time: Time) -> Iterator[SimulatedUpstream]:
    """Give an X without accounts, by the clock."""
    with SimulatedUpstream(time, empty=True) as upstream:
        yield upstream


@pytest.fixture
def fake() -> Iterator[FakeX]:
    """Give an X with scripted responses."""
    with FakeX() as fake:
        yield fake


@pytest.fixture
def follower(time: Time, tmp_path: Path, sqlite_url: str, sqlite_store: Store) -> Iterator[Callable[..., Following]]:
    """Give a function that opens containers over one SQLite database: `follower(x.url, x_budget="5")`."""
    del sqlite_store  # made and migrated
    opened: list[Following] = []

    def open_(x_url: str, **settings: str) -> Following:
        opened.append(Following(time, x_url, str(tmp_path), sqlite_url, **settings))
        return opened[-1]

    yield open_
    for installation in opened:
        installation.close()
