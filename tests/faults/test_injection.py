"""Cause a fault of many kinds in the whole stack; 'make faults' causes hundreds of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.injection.__main__ import finish
from tests.faults.injection.drill import Drill
from tests.faults.injection.stage import Stage

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(900)]

KINDS = (
    "worker: kill -9",
    "worker child: SIGSTOP",
    "scheduler: SIGSTOP",
    "reader-1: kill -9",
    "redis: kill -9",
    "postgresql: failover",
    "postgresql: disk full",
    "postgresql: no connection left",
    "workers to postgresql: cut",
    "all to redis: half-dead",
    "clock: ahead",
    "source: kills its child",
    "broker: poison",
    "reader: deaf listeners",
)
PATIENCE = 4.0  # the machine may be busy


def test_no_fault_loses_doubles_or_shows_anything_that_it_must_not(tmp_path: Path) -> None:
    with Stage(tmp_path, seed=20, feeds=6, accounts=2) as stage:
        drill = Drill(stage, seed=20, longest=3.0, patience=PATIENCE)
        chosen = drill.choose(len(KINDS), KINDS)
        drill.run(chosen)
        assert len({outcome.kind.name for outcome in drill.outcomes}) == len(chosen)
        assert finish(stage, drill) == []
