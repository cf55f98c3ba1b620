"""Faults of our own processes."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.faults.injection.servers import send

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.faults.injection.stage import Stage

    Cause = Callable[[Stage, random.Random], AbstractContextManager[None]]

STOP_LIMIT = 60.0  # seconds: 30 for running requests, and a busy machine


def killed(name: str) -> Cause:
    """Kill the main process alone; its children must not go on as orphans."""

    @contextmanager
    def cause(stage: Stage, _: random.Random) -> Iterator[None]:
        os.kill(stage.pid(name), signal.SIGKILL)
        yield
        stage.restart(name)

    return cause


def stopped(name: str) -> Cause:
    """Stop a process with its children, as a machine that swaps or a paused container does."""

    @contextmanager
    def cause(stage: Stage, _: random.Random) -> Iterator[None]:
        pids = [stage.pid(name), *stage.children(name)]
        send(pids, signal.SIGSTOP)
        yield
        send(pids, signal.SIGCONT)

    return cause


def restarted(name: str) -> Cause:
    """Restart a process in order."""

    @contextmanager
    def cause(stage: Stage, _: random.Random) -> Iterator[None]:
        stage.processes.terminate(name, patience=STOP_LIMIT)
        yield
        stage.start(name)

    return cause


def child_killed(name: str) -> Cause:
    """Kill a child of a worker."""

    @contextmanager
    def cause(stage: Stage, chance: random.Random) -> Iterator[None]:
        children = stage.children(name)
        if children:
            send([chance.choice(children)], signal.SIGKILL)
        yield

    return cause


def child_stopped(name: str) -> Cause:
    """Stop a child of a worker."""

    @contextmanager
    def cause(stage: Stage, chance: random.Random) -> Iterator[None]:
        children = stage.children(name)
        pids = [chance.choice(children)] if children else []
        send(pids, signal.SIGSTOP)
        yield
        send(pids, signal.SIGCONT)

    return cause


@contextmanager
def clock_ahead(stage: Stage, chance: random.Random) -> Iterator[None]:
    """Let the clock of all our processes jump ahead, and back in the end."""
    stage.set_clock(chance.choice((90, 3_600, 86_400)))
    yield
    stage.set_clock(0)


@contextmanager
def clock_behind(stage: Stage, chance: random.Random) -> Iterator[None]:
    """Let the clock of all our processes jump back, and ahead in the end."""
    stage.set_clock(-chance.choice((90, 3_600, 86_400)))
    yield
    stage.set_clock(0)
