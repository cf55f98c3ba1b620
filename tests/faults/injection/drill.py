"""Cause one fault after the other, and measure what visitors get and when polling resumes."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.faults.injection.kinds import all_kinds
from tests.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.injection.answers import Answer
    from tests.faults.injection.kinds import Kind
    from tests.faults.injection.stage import Stage

TICKS = 10.0  # seconds: two ticks of the scheduler, in which polling must resume
RESUMED = TICKS + 5.0  # seconds: two ticks, and what a process needs to start or a connection to be replaced
SHOWN = 45.0  # seconds within which a new item must be shown by every reader
_SHORTEST, _LONGEST = 1.0, 6.0  # seconds that a fault lasts, unless its kind says otherwise
_CALM = 0.5  # the part of the outages of the database before which nothing is edited or removed
_RENEWED = 3.0  # seconds in which a reader renews its cached pages after a change
_REMOVALS_EVERY = 0.5  # seconds


@dataclass
class Outcome:
    """What one fault did."""

    kind: Kind
    resumed: float = 0.0  # seconds until a source was polled again
    shown: float = 0.0  # seconds until a new item was shown by every reader
    during: list[Answer] = field(default_factory=list)
    after: list[Answer] = field(default_factory=list)
    calm: bool = False  # nothing was edited or removed just before, so that cached pages must be served
    problem: str | None = None


class Drill:
    """A run of faults on a stage, in an order that follows from the seed."""

    def __init__(self, stage: Stage, seed: int, *, longest: float = _LONGEST, patience: float = 1.0) -> None:
        """Prepare a run.

        Args:
            stage: the running stack.
            seed: of the order of the faults and of their details.
            longest: seconds that a fault may last.
            patience: by how much more than promised everything may take, on a busy machine.
        """
        self.stage = stage
        self.patience = patience
        self.outcomes: list[Outcome] = []
        self.quiet: list[Answer] = []  # before the first fault
        self.gaps: dict[str, float] = {}  # the longest time between two requests of each feed
        self._longest = longest
        self._random = random.Random(seed)
        self._stopping = threading.Event()
        self._hands = [threading.Thread(target=work, daemon=True) for work in (self._remove_on, self._watch_gaps)]

    def run(self, chosen: Sequence[Kind], minutes: float = 60.0) -> None:
        """Cause these faults, or as many of them as fit into the time."""
        deadline = time.monotonic() + 60 * minutes
        for hand in self._hands:
            hand.start()
        self._warm_up()
        for number, kind in enumerate(chosen):
            if time.monotonic() > deadline:
                print(f"stopped after {number} of {len(chosen)} faults: {minutes:g} minutes are over")
                break
            outcome = self._cause(kind)
            self.outcomes.append(outcome)
            print(
                f"{number + 1:4} {kind.name:36} polling {outcome.resumed:5.1f} s  shown {outcome.shown:5.1f} s  "
                f"{outcome.problem or ''}",
                flush=True,
            )
        self.stage.farm.rest()
        self._stopping.set()

    def choose(self, count: int, only: Sequence[str] = ("",)) -> list[Kind]:
        """Return every kind whose name contains one of these words about equally often, in random order."""
        kinds = [kind for kind in all_kinds() if any(word in kind.name for word in only) and kind.possible(self.stage)]
        chosen: list[Kind] = []
        while len(chosen) < count:
            chosen += self._random.sample(kinds, len(kinds))
        return chosen[:count]

    def _warm_up(self) -> None:
        stage = self.stage
        since = time.monotonic()
        eventually("new items are shown", lambda: min(stage.answers.newest.values()) > since, 120)
        stage.answers.disturbed = dict.fromkeys(stage.answers.disturbed, 0.0)
        stage.answers.take()
        time.sleep(10)
        self.quiet = stage.answers.take()

    def _cause(self, kind: Kind) -> Outcome:
        stage, outcome = self.stage, Outcome(kind)
        lasts = self._random.uniform(_SHORTEST, self._longest) if kind.lasts is None else kind.lasts
        if kind.away and self._random.random() < _CALM:
            outcome.calm = True
            self._calm_down()
        stage.answers.disturbed = dict.fromkeys(stage.answers.disturbed, float("inf"))
        stage.answers.take()
        try:
            with kind.cause(stage, self._random):
                time.sleep(lasts)
                outcome.during = stage.answers.take()
            ended = time.monotonic()
            outcome.resumed = self._await_poll(ended)
            outcome.shown = self._await_shown(ended)
        except (AssertionError, RuntimeError, OSError) as problem:
            outcome.problem = str(problem)
        stage.farm.calm = False
        outcome.after = stage.answers.take()
        if ended_alone := [name for name in stage.names if stage.processes.pid(name) is None]:
            outcome.problem = f"ended by itself: {', '.join(ended_alone)}"
            for name in ended_alone:
                stage.restart(name)
        stage.answers.disturbed = dict.fromkeys(stage.answers.disturbed, time.monotonic())
        if outcome.problem is None and outcome.resumed > RESUMED * self.patience:
            outcome.problem = f"polling resumed only after {outcome.resumed:.0f} s"
        return outcome

    def _calm_down(self) -> None:
        """Wait until every edit and removal is stored and the readers' caches have been renewed after it."""
        self.stage.farm.calm = True
        eventually("removals are certain", lambda: not self.stage.farm.removing)
        since = time.monotonic()
        eventually("edits are polled", lambda: min(self.stage.farm.asked().values()) > since)
        time.sleep(_RENEWED)

    def _await_poll(self, since: float) -> float:
        def newest() -> float:
            return max(self.stage.farm.asked().values(), default=0.0)

        eventually("polling resumes", lambda: newest() > since, SHOWN * self.patience)
        first = min(when for when in self.stage.farm.asked().values() if when > since)
        return first - since

    def _await_shown(self, since: float) -> float:
        newest = self.stage.answers.newest
        eventually("a new item is shown by every reader", lambda: min(newest.values()) > since, SHOWN * self.patience)
        return time.monotonic() - since

    def _remove_on(self) -> None:
        """Remove items as the farm chooses them, and delete posts."""
        chance = random.Random(1)
        while not self._stopping.wait(_REMOVALS_EVERY):
            if chance.random() < 0.05 and not self.stage.farm.calm:
                self.stage.farm.delete_post()
            self.stage.farm.remove_some(self.stage.remove)

    def _watch_gaps(self) -> None:
        while not self._stopping.wait(0.5):
            now = time.monotonic()
            for path, when in self.stage.farm.asked().items():
                self.gaps[path] = max(self.gaps.get(path, 0.0), now - when)


def settle(stage: Stage) -> list[str]:
    """Wait until everything was polled after the last publication, and compare; return what differs."""
    farm = stage.farm
    eventually("removals are certain", lambda: farm.remove_some(stage.remove), 120)
    since = time.monotonic()
    problems: list[str] = []
    try:
        eventually("everything is polled", lambda: min(farm.asked().values()) > since, 120)
        eventually("the store has it all", lambda: not _differences(stage), 120)
    except AssertionError as problem:
        problems.append(str(problem))
    problems += _differences(stage)
    for name, port in stage.ports.items():
        stage.processes.port = port
        problems += [f"{name}: {problem}" for problem in _pages(stage, stage.processes.items())]
    return problems


def _pages(stage: Stage, items: Sequence[dict[str, object]]) -> list[str]:
    """Compare all pages of a reader with the truth."""
    ids = [str(item["native_id"]) for item in items]
    must = {item.native_id: item.title for item in stage.farm.items.values() if item.removed is None}
    titles = {str(item["native_id"]): str(item["title"] or item["text"]) for item in items}
    problems = [f"{len(ids) - len(set(ids))} items twice"] if len(ids) != len(set(ids)) else []
    problems += [f"{id_} is not shown" for id_ in must if id_ not in titles]
    problems += [f"{id_} is shown" for id_ in set(ids) - set(must)]
    return problems + [f"{id_} has a former text" for id_, title in must.items() if titles.get(id_, title) != title]


def _differences(stage: Stage) -> list[str]:
    """Compare the store with the truth."""
    rows = stage.database.ask("SELECT native_id, visible FROM activity")
    stored = [str(row[0]) for row in rows]
    visible = {str(row[0]) for row in rows if row[1]}
    must = {item.native_id for item in stage.farm.items.values() if item.removed is None}
    problems = [f"{len(stored) - len(set(stored))} stored twice"] if len(stored) != len(set(stored)) else []
    problems += [f"{native_id} is lost" for native_id in sorted(set(stage.farm.items) - set(stored))]
    problems += [f"{native_id} is not visible" for native_id in sorted((must & set(stored)) - visible)]
    return problems + [f"{native_id} is visible" for native_id in sorted(visible - must)]
