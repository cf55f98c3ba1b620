"""Test waits for the database: their limit, and how soon a failure during a wait is noticed."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from aggregator.domain.errors import StoreUnavailableError
from aggregator.web.database_threads import PATIENCE, DatabaseThreads


@pytest.fixture(autouse=True)
def unhurried() -> None:
    """Keep the limits of production, which are tested here."""


class Ailing:
    """A probe of a database that is found stuck by the look of a given number."""

    def __init__(self, look: int) -> None:
        self._last = look
        self.looks = 0

    def look(self) -> None:
        self.looks += 1

    @property
    def is_stuck(self) -> bool:
        return self.looks >= self._last


@pytest.mark.parametrize(("look", "earliest"), [(1, PATIENCE), (12, 1.2)])
def test_work_is_given_up_soon_after_the_database_is_stuck(look: int, earliest: float) -> None:
    """Also where it was well when the work began: looks follow closely."""
    assert earliest - 0.05 < _given_up(Ailing(look)) < earliest + 1.0  # the machine may be busy


def _given_up(probe: Ailing) -> float:
    ended = threading.Event()
    threads = DatabaseThreads(probe, most=1)
    began = time.monotonic()
    try:
        with pytest.raises(StoreUnavailableError):
            asyncio.run(threads.run(ended.wait))
        return time.monotonic() - began
    finally:
        ended.set()
        threads.close()
