"""Test that queues and tasks accept the names of the last release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.config.settings import Settings
from aggregator.container import Container
from worker import FORMER_TASKS, _consume_both_names, create_app

if TYPE_CHECKING:
    from pathlib import Path

    from celery import Celery


@pytest.fixture
def app(tmp_path: Path) -> Celery:
    return create_app(Container(Settings.from_environment({"AGGREGATOR_DATA_DIR": str(tmp_path)})))


@pytest.mark.parametrize(
    ("selected", "consumed"),
    [
        ("feeds,control", {"feeds", "control", "rss"}),
        ("rss,control", {"feeds", "control", "rss"}),
        ("api", {"api", "twitter"}),
        ("twitter", {"api", "twitter"}),
        ("control", {"control"}),
    ],
)
def test_a_worker_consumes_a_queue_under_both_its_names(app: Celery, selected: str, consumed: set[str]) -> None:
    app.amqp.queues.select(selected.split(","))
    _consume_both_names(app)
    assert set(app.amqp.queues.consume_from) == consumed


@pytest.mark.parametrize(("former", "name"), sorted(FORMER_TASKS.items()))
def test_a_task_is_known_under_its_former_name(app: Celery, former: str, name: str) -> None:
    assert app.tasks[former] is app.tasks[name]
