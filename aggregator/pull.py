"""Pull sources now: in this process where nobody else polls, else by asking whoever does and waiting."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aggregator.errors import WriterRunningError
from aggregator.ingest import Report
from aggregator.wiring import BATCH, House, writer_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aggregator.source import Source

_LOOK = 0.3  # seconds between looks at whether an asked-for poll has ended


def pull(house: House, sources: Sequence[Source], report: Callable[[Report], None]) -> None:
    """Poll sources and report each as it ends.

    A source that nobody takes up within a lease is reported as failed: no worker is running.
    """
    try:
        with writer_lock(house.settings):
            left = _pull_here(house, sources, report)
    except WriterRunningError:
        left = list(sources)
    if left:
        _ask_and_wait(house, left, report)


def _pull_here(house: House, sources: Sequence[Source], report: Callable[[Report], None]) -> list[Source]:
    """Poll in this process what nobody holds; return the others."""
    waiting, held = list(sources), []
    while waiting:
        batch, waiting = waiting[:BATCH], waiting[BATCH:]
        ended = {one.slug: one for one in house.poll_now([source.id for source in batch])}
        for one in ended.values():
            report(one)
        missed = [source for source in batch if source.slug not in ended]
        if ended:
            waiting += missed  # there was no time to begin them
        else:
            held += missed  # another worker has them
    return held


def _ask_and_wait(house: House, sources: Sequence[Source], report: Callable[[Report], None]) -> None:
    by_id = {source.id: source for source in sources}
    with house.store.writing() as tx:
        before = {source.id: _newest(tx.schedule.log(source.id, 1)) for source in sources}
        tx.schedule.ask(by_id.keys(), house.clock())
    deadline = time.monotonic() + house.settings.lease.total_seconds()
    while by_id and time.monotonic() < deadline:
        time.sleep(_LOOK)
        with house.store.reading() as tx:
            for id_ in by_id.keys() - tx.schedule.still_asked(by_id.keys()):
                line = next(iter(tx.schedule.log(id_, 1)), None)
                source = by_id.pop(id_)
                if line is None or line["id"] == before[id_]:
                    report(Report(source.slug, "failed", error="it was paused or removed meanwhile"))
                else:
                    failed = line["error_code"] is not None
                    report(
                        Report(
                            source.slug,
                            line["outcome"],
                            line["new"],
                            line["changed"],
                            line["unchanged"],
                            line["message"] if failed else None,
                        )
                    )
    for source in by_id.values():
        report(Report(source.slug, "failed", error="no worker took it up; is one running?"))


def _newest(lines: Sequence[Mapping[str, int]]) -> int | None:
    return next((line["id"] for line in lines), None)
