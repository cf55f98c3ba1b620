"""Test when the scheduler sends tasks: at its start, and after its clock was set back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.config.settings import Settings
from aggregator.container import Container
from scheduler import DISPATCH, SCHEDULE, SteadyScheduler
from worker import create_app

if TYPE_CHECKING:
    from pathlib import Path


class Sending(SteadyScheduler):
    """A scheduler that notes what it would send."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.sent: list[str] = []
        super().__init__(*args, **kwargs)

    def apply_entry(self, entry: Any, producer: Any = None) -> None:  # noqa: ARG002
        self.sent.append(entry.name)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 5, 4, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scheduler(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Sending:
    app = create_app(Container(Settings.from_environment({"AGGREGATOR_DATA_DIR": str(tmp_path)})))
    app.conf.beat_schedule = dict(SCHEDULE)
    monkeypatch.setattr(app, "now", clock)
    return Sending(app, lazy=True)


def ticks(scheduler: Sending) -> list[str]:
    """Return the dispatches that are sent at the start."""
    scheduler.setup_schedule()
    return more_ticks(scheduler)


def more_ticks(scheduler: Sending) -> list[str]:
    scheduler.sent.clear()
    while scheduler.tick() == 0:
        pass
    return [name for name in scheduler.sent if name == "dispatch"]


def test_the_first_dispatch_is_sent_at_the_start(scheduler: Sending, clock: Clock) -> None:
    assert ticks(scheduler) == ["dispatch"]
    assert more_ticks(scheduler) == []
    clock.now += timedelta(seconds=DISPATCH)
    assert more_ticks(scheduler) == ["dispatch"]


@pytest.mark.parametrize("back", [timedelta(seconds=90), timedelta(days=1)], ids=["seconds", "a day"])
def test_a_clock_that_is_set_back_costs_no_dispatch(scheduler: Sending, clock: Clock, back: timedelta) -> None:
    ticks(scheduler)
    clock.now -= back
    assert more_ticks(scheduler) == ["dispatch"]
    assert more_ticks(scheduler) == []
    clock.now += timedelta(seconds=DISPATCH)
    assert more_ticks(scheduler) == ["dispatch"]
