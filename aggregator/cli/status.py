"""`status`: show whether the system runs, what needs a person, and which sources have problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aggregator.cli.context import FAILED, opened
from aggregator.cli.output import ago, print_json, print_table, source_facts
from aggregator.cli.system_lines import scheduler_line, system_json, system_lines
from aggregator.domain.errors import SetupError
from aggregator.domain.monitoring.attention import is_ticking
from aggregator.domain.source import SourceState
from aggregator.domain.source_health import is_stale
from aggregator.text.plain import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from aggregator.container import Container
    from aggregator.domain.source import Source
    from aggregator.services.system_status import SystemStatus
    from storage.store import Transaction

_MOST_LISTED = 200  # sources
_PAGE = 500  # sources in memory at a time


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line: the system first, then each source.")
@click.option("--ticking", is_flag=True, help="Print nothing; exit with 0 if the scheduler ran within a minute.")
@click.pass_context
def status(context: click.Context, as_json: bool, ticking: bool) -> None:
    """Show the state of the system and of all sources.

    Covers the scheduler, workers, broker, database, budget, review queue and paused hosts, and every source with its
    state, last success and next poll. The exit code is 1 if something needs a person; the last line names it.
    """
    with opened() as container:
        now = container.clock()
        if ticking:
            _check_ticking(container, now)
            return
        found = _read(container, now)
        if as_json:
            print_json(system_json(found))
            with container.store.reading() as tx:
                for source in _each_worst_first(tx, now):
                    print_json({**source_facts(source), "unread_entries": found.unread.get(source.id, 0)})
        else:
            _print(container, found, now)
    if found.needs_attention:
        context.exit(FAILED)


def _read(container: Container, now: datetime) -> SystemStatus:
    from aggregator.services.system_status import read_status

    def responding() -> dict[str, list[str]]:
        from worker import responding_workers

        return responding_workers(container)

    return read_status(container.store, container.settings, now, responding, container.replica)


def _check_ticking(container: Container, now: datetime) -> None:
    with container.store.reading() as tx:
        last_tick = tx.stream.state.last_tick()
    if not is_ticking(last_tick, now):
        raise SetupError(f"The scheduler {scheduler_line(last_tick, now)}.")


def _print(container: Container, found: SystemStatus, now: datetime) -> None:
    for line in system_lines(found, now):
        click.echo(line)
    click.echo()
    with container.store.reading() as tx:
        sources = _worst(tx, now)
    if sources:
        print_table(
            ("SOURCE", "KIND", "STATE", "LAST SUCCESS", "LAST NEW", "NEXT POLL", "PROBLEM"),
            [_row(source, now, found.unread.get(source.id, 0)) for source in sources],
        )
    else:
        click.echo("There are no sources yet; add one with 'aggregator source add URL'.")
    if found.sources > len(sources):
        more = found.sources - len(sources)
        click.echo(f"\n{more} more; 'aggregator source list' and 'status --json' show all of them.")
    click.echo()
    click.echo(f"Needs attention: {'; '.join(found.needs_attention)}" if found.needs_attention else "All is well.")


def _worst(tx: Transaction, now: datetime) -> list[Source]:
    """Return the sources to list, those with problems first; above the limit, the rest is omitted."""
    listed = tx.polling.sources.page(_MOST_LISTED + 1)
    if len(listed) > _MOST_LISTED:
        stale = tx.polling.sources.with_slugs([source.slug for source in tx.polling.sources.stale(now, _MOST_LISTED)])
        listed = [*{source.slug: source for source in (*stale, *listed)}.values()]
    return sorted(listed, key=lambda source: _rank(source, now))[:_MOST_LISTED]


def _each_worst_first(tx: Transaction, now: datetime) -> Iterator[Source]:
    """Yield all sources, those with problems first, reading a page at a time."""
    stale = sorted(tx.polling.sources.each_stale(now), key=lambda source: source.state is not SourceState.STOPPED)
    slugs = [source.slug for source in stale]
    for start in range(0, len(slugs), _PAGE):
        page = tx.polling.sources.with_slugs(slugs[start : start + _PAGE])
        yield from sorted(page, key=lambda source: _rank(source, now))
    known = frozenset(slugs)
    yield from (source for source in tx.polling.sources.each() if source.slug not in known)


def _rank(source: Source, now: datetime) -> tuple[int, str]:
    """Return the sort key of a source: stopped, out of date, failing, then the others."""
    if source.state is SourceState.STOPPED:
        return 0, source.slug
    if is_stale(source.state, source.poll, now):
        return 1, source.slug
    is_failing = source.state is SourceState.ACTIVE and source.poll.last_error is not None
    return (2 if is_failing else 3), source.slug


def _row(source: Source, now: datetime, unread: int) -> Sequence[str]:
    kept = f"{counted(unread, 'item')} not readable" if unread else ""
    problem = source.poll.last_error or source.poll.document_note or kept
    if source.state is not SourceState.ACTIVE:
        problem = source.state_reason
    upcoming = ago(source.poll.due, now) if source.state is SourceState.ACTIVE and source.poll.due else "-"
    if source.state is SourceState.ACTIVE and source.poll.due and source.poll.due <= now:
        upcoming = "now"
    state = "failing" if source.state is SourceState.ACTIVE and source.poll.last_error else source.state.value
    return (
        source.slug,
        source.kind,
        state,
        ago(source.poll.last_success, now),
        ago(source.poll.last_new, now),
        upcoming,
        one_line(problem, 200),
    )
