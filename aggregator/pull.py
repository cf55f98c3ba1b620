"""Pull sources now: in this process where nobody else polls, else by asking whoever does and waiting."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from aggregator.errors import WriterRunningError
from aggregator.ingest import Report
from aggregator.turns import left_alone
from aggregator.wiring import BATCH, House, writer_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aggregator.source import Source
    from storage.store import Transaction

_LOOK = 0.3  # seconds between looks at whether an asked-for poll has ended
_TRY = 2.0  # seconds between tries to do it here after all, should whoever polls have ended


def pull(house: House, sources: Sequence[Source], report: Callable[[Report], None]) -> None:
    """Poll sources and report each as it ends.

    A source that nobody takes up within a lease is reported as failed: no worker is running.
    """
    left = _try_here(house, sources, report)
    if left:
        _ask_and_wait(house, left, report)


def _try_here(house: House, sources: Sequence[Source], report: Callable[[Report], None]) -> list[Source]:
    """Poll in this process what nobody holds, if this process may; return the others."""
    try:
        with writer_lock(house.settings):
            return _pull_here(house, sources, report)
    except WriterRunningError:
        return list(sources)


def _pull_here(house: House, sources: Sequence[Source], report: Callable[[Report], None]) -> list[Source]:
    """Poll what nobody holds; return the others."""
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
    tried = time.monotonic()
    while by_id and time.monotonic() < deadline:
        time.sleep(_LOOK)
        with house.store.reading() as tx:
            ended = _ended(house, tx, by_id, before)
        for id_, one in ended.items():
            del by_id[id_]
            report(one)
        if by_id and time.monotonic() - tried > _TRY:
            by_id = {source.id: source for source in _try_here(house, list(by_id.values()), report)}
            tried = time.monotonic()
    for source in by_id.values():
        report(Report(source.slug, "failed", error="no worker took it up; is one running?"))


def _ended(
    house: House, tx: Transaction, waiting: Mapping[int, Source], before: Mapping[int, int | None]
) -> dict[int, Report]:
    """Return how it went for those that were polled meanwhile, or will not be for a while."""
    now = house.clock()
    paused = {one.host: one for one in tx.hosts.paused(now)}
    asked = tx.schedule.still_asked(waiting.keys())
    ended: dict[int, Report] = {}
    for id_, source in waiting.items():
        if id_ not in asked:
            ended[id_] = _report(source, tx.schedule.log(id_, 1), before[id_])
        elif host := paused.get(source.host):  # no tick takes it up before that is over
            ended[id_] = Report(source.slug, "failed", error=str(left_alone(host.host, host.until, host.reason, now)))
    return ended


def _report(source: Source, newest: Sequence[Mapping[str, Any]], before: int | None) -> Report:
    if _newest(newest) in {None, before}:
        return Report(source.slug, "failed", error="it was paused or removed meanwhile")
    line = newest[0]
    error = line["message"] if line["error_code"] is not None else None
    return Report(source.slug, line["outcome"], line["new"], line["changed"], line["unchanged"], error)


def _newest(lines: Sequence[Mapping[str, Any]]) -> int | None:
    return next((line["id"] for line in lines), None)
