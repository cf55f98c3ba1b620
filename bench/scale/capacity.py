"""Calculate the machines for many sources from the measured cost of a poll."""

from __future__ import annotations

from dataclasses import dataclass

HOUR = 3600.0  # seconds between two polls of a source
SIZES = (1_000_000, 40_000_000)
GOAL = 312_500  # sources per core: half of the 625,000 feeds a server that Superfeedr published
BUSY = 0.7  # of a core; the rest is for bursts


@dataclass(frozen=True, slots=True)
class Costs:
    """What polls cost: seconds of CPU, bytes, and rows. The measured values are in `docs/scale.md`."""

    worker: float = 0.0030  # CPU per poll, 5 % of which find news
    database: float = 0.0011  # CPU per poll
    locked: float = 0.0019  # seconds per poll during which the stream's row is locked
    per_task: int = 50  # polls
    news: float = 0.05  # share of polls that find news
    items: float = 1.0  # new items per poll that finds news
    body: float = 83_000  # bytes of a document
    unchanged: float = 0.5  # share of polls that are answered with 304; an assumption
    written: float = 9_200  # bytes of write-ahead log per poll
    source_row: float = 1_550  # bytes with indexes
    log_row: float = 230  # of a poll in the fetch log, with indexes
    item_row: float = 3_600  # of an item with tags and words, without raw payload
    kept_days: int = 30  # of the fetch log


def show(costs: Costs | None = None) -> None:
    """Print the stack for each number of sources."""
    costs = costs or Costs()
    per_core = HOUR / costs.worker
    print(f"\nsources per worker core at one poll an hour: {per_core:,.0f}, {per_core / GOAL:.1f} times {GOAL:,}")
    for sources in SIZES:
        print(f"{sources:,} sources")
        for name, value in needs(sources, costs).items():
            print(f"  {name:<44}{value:>14,.1f}")


def needs(sources: int, costs: Costs) -> dict[str, float]:
    """Return what a number of sources needs at one poll an hour."""
    polls = sources / HOUR
    items = polls * costs.news * costs.items
    return {
        "polls per second": polls,
        "tasks per second": polls / costs.per_task,
        "worker cores": polls * costs.worker / BUSY,
        "database cores": polls * costs.database / BUSY,
        "share of time with the stream locked": polls * costs.locked,
        "network in, Mbit/s": polls * costs.body * (1 - costs.unchanged) * 8 / 1e6,
        "write-ahead log, MB/s": polls * costs.written / 1e6,
        "new items per second": items,
        "sources, GB": sources * costs.source_row / 1e9,
        f"fetch log of {costs.kept_days} days, GB": polls * 86_400 * costs.kept_days * costs.log_row / 1e9,
        "items of a year, GB": items * 86_400 * 365 * costs.item_row / 1e9,
    }
