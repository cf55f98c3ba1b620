"""Measure the stack under a steady load: `make steady MINUTES=60`.

500 sources, 20 polls a second, two readers under requests. Prints the memory of every process with its slope, the
lengths of the queues and the growth of the tables; the exit code is 1 if memory exceeds its limits or grows.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from aggregator.config.broker import key_prefix
from aggregator.services.queues import QUEUES
from tests.faults.injection.report import p99
from tests.faults.injection.stage import READERS, SCHEDULER, WORKERS, Stage
from tests.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SOURCES = 500
EVERY = 25  # seconds between two polls of a source: 20 polls a second
LEASE = 300  # seconds: the usual one, since the number of polls of a host in a tick follows from it
SAMPLE = 10.0  # seconds between two samples
CHILD, READER = 120.0, 250.0  # megabytes that a worker's child and a reader may need
SLOPE = 1.0  # percent per 10 minutes
_SETTLED = 0.3  # the part of the run after which memory must be flat
_SIZES = (
    "SELECT relname, pg_total_relation_size(oid), reltuples FROM pg_class WHERE relkind = 'r' AND relnamespace = 2200"
)
_HITS = "SELECT count(*), count(error_code) FROM fetch_log"
Samples = dict[str, list[tuple[float, float]]]  # by process: minutes since the start, megabytes


def memory(pid: int) -> float:
    """Return the resident memory of a process in megabytes, with what it shares with others; 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """Return the growth in percent per 10 minutes, by linear regression over the settled part."""
    last = samples[-1][0]
    settled = [(at, size) for at, size in samples if at >= _SETTLED * last]
    if len(settled) < 3:
        return 0.0
    fitted = statistics.linear_regression([at for at, _ in settled], [size for _, size in settled])
    return 1000 * fitted.slope / statistics.mean(size for _, size in settled)


def look(stage: Stage) -> dict[str, float]:
    """Return the memory of all processes by name; a recycled child has another name than the one before."""
    found = {}
    for name in (*WORKERS, SCHEDULER, *READERS):
        pid = stage.pid(name)
        found[name] = memory(pid)
        for child in _children(pid):
            found[f"{name} child {child}"] = memory(child)
            for parser in _children(child):
                found[f"{name} parser {parser}"] = memory(parser)
    found["redis"] = memory(stage.broker.pid or 0)
    return found


def _children(pid: int) -> list[int]:
    lists = (path.read_text(encoding="ascii") for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for children in lists for child in children.split()]


def queues(stage: Stage) -> dict[str, int]:
    """Return the number of messages that wait in each queue, and of those that are being processed."""
    client, prefix = stage.broker.client(), key_prefix(stage.operator.installation())
    lengths = {queue: client.llen(prefix + queue) for queue in QUEUES}
    return {**lengths, "unacked": client.hlen(f"{prefix}unacked")}


def tables(stage: Stage) -> dict[str, int]:
    """Return the size of each table with its indexes, in bytes."""
    return {str(name): int(str(size)) for name, size, _ in stage.database.ask(_SIZES)}


def measure(stage: Stage, minutes: float) -> tuple[Samples, dict[str, list[int]]]:
    """Sample until the time is over."""
    began, samples = time.monotonic(), defaultdict[str, list[tuple[float, float]]](list)
    lengths = defaultdict[str, list[int]](list)
    while time.monotonic() - began < 60 * minutes:
        at = (time.monotonic() - began) / 60
        for name, size in look(stage).items():
            samples[name].append((at, size))
        for queue, length in queues(stage).items():
            lengths[queue].append(length)
        time.sleep(SAMPLE)
    return dict(samples), dict(lengths)


def show(samples: Samples, lengths: Mapping[str, Sequence[int]]) -> list[str]:
    """Print memory and queues, and return what breaks a limit."""
    problems = []
    span = max(points[-1][0] for points in samples.values())
    print(f"{'process':28}{'samples':>8}{'first MB':>10}{'last MB':>10}{'most MB':>10}{'% / 10 min':>12}")
    for name, points in sorted(samples.items()):
        sizes = [size for _, size in points]
        grows = slope(points)
        print(f"{name:28}{len(points):8}{sizes[0]:10.1f}{sizes[-1]:10.1f}{max(sizes):10.1f}{grows:12.2f}")
        limit = CHILD if " child " in name else READER if name in READERS else float("inf")
        if max(sizes) > limit:
            problems.append(f"{name} needs {max(sizes):.0f} MB, more than {limit:.0f}")
        if grows > SLOPE and points[-1][0] - points[0][0] > 0.9 * span:
            problems.append(f"{name} grows by {grows:.1f} % in 10 minutes")
    for queue, found in lengths.items():
        half = len(found) // 2
        early, late = statistics.mean(found[:half] or [0]), statistics.mean(found[half:])
        print(f"queue {queue:10} mean {early:6.1f}, then {late:6.1f}")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--sources", type=int, default=SOURCES)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that everything that was started ends
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), 1, feeds=arguments.sources, accounts=0, every=EVERY, lease=LEASE)
        with stage:
            problems = run(stage, arguments.minutes)
    for problem in problems:
        print(f"VIOLATION {problem}")
    return 1 if problems else 0


def run(stage: Stage, minutes: float) -> list[str]:
    """Measure once everything has been polled; print the results, and return what breaks a limit."""
    since = time.monotonic()
    eventually("all is polled", lambda: min(stage.farm.asked().values()) > since, 180)
    stage.answers.take()
    before, (polls, _) = tables(stage), stage.database.ask(_HITS)[0]
    samples, lengths = measure(stage, minutes)
    after, (polled, failed) = tables(stage), stage.database.ask(_HITS)[0]
    problems = show(samples, lengths)
    rate = (int(str(polled)) - int(str(polls))) / (60 * minutes)
    print(f"{rate:.1f} polls a second, {failed} failed since the start; {len(stage.farm.items)} items")
    for name in sorted(after, key=lambda name: before.get(name, 0) - after[name])[:8]:
        print(f"table {name:24} {before.get(name, 0) / 1024:10.0f} kB, then {after[name] / 1024:10.0f} kB")
    answers = stage.answers.take()
    cached, others = ([answer for answer in answers if answer.cached is kind] for kind in (True, False))
    wrong = sum(answer.status not in {200, 404} for answer in answers)
    times = f"{1000 * p99(cached):.0f} ms for cached addresses, {1000 * p99(others):.0f} ms for others"
    print(f"{len(answers)} requests, {wrong} wrong; p99 {times}")
    return problems


if __name__ == "__main__":
    sys.exit(main())
