"""`status`: show whether the system runs, and which sources have problems."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from aggregator.cli.context import opened
from aggregator.cli.output import ago, print_json, print_table, source_facts
from aggregator.domain.errors import SetupError
from aggregator.domain.networks import network_of
from aggregator.domain.source import SourceState
from aggregator.text.plain import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from aggregator.container import Container
    from aggregator.domain.polling.api_refusals import Refusal
    from aggregator.domain.source import Source
    from storage.store import Transaction

_TICKS_STOPPED = timedelta(seconds=60)
_MOST_LISTED = 200  # sources


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line: the system first, then each source.")
@click.option("--ticking", is_flag=True, help="Print nothing; exit with 0 if the scheduler ran within a minute.")
def status(as_json: bool, ticking: bool) -> None:
    """Show the state of the system and of all sources.

    Covers the scheduler, the workers, paused hosts, and every source with its state, last success and next poll.
    """
    with opened() as container:
        now = container.clock()
        if ticking:
            _check_ticking(container, now)
            return
        with container.store.reading() as tx:
            last_tick = tx.stream.state.last_tick()
            revision = tx.stream.state.revision()
            count = tx.polling.sources.count()
            sources = [] if as_json else _sources(tx, now)
            paused = tx.polling.hosts.paused(now)
            refusals = [refusal for refusal in tx.api.refusals.all() if refusal.stops_polls]
            unread = tx.stream.unread.counts()
            content = tx.stream.reduction.count()
        workers = _workers(container)
        if as_json:
            paused_hosts = [pause._asdict() for pause in paused]
            system = {"last_tick": last_tick, "revision": revision, "workers": workers, "paused_hosts": paused_hosts}
            system |= {"refusals": [refusal._asdict() for refusal in refusals], "content_to_remove": content}
            _print_json(container, system, unread)
            return
        click.echo(f"Scheduler: {_scheduler(last_tick, now)}")
        if workers is not None:
            click.echo(f"Workers: {', '.join(workers) if workers else 'none responds'}")
        for pause in paused:
            click.echo(f"Paused: {pause.host}, until {pause.until:%H:%M:%S} UTC ({one_line(pause.reason)})")
        _print_refusals(refusals, now)
        _print_unread(unread)
        _print_ids_only(container, content)
        click.echo(f"Stream: revision {revision}, {counted(count, 'source')}\n")
        if not sources:
            click.echo("There are no sources yet; add one with 'aggregator source add URL'.")
            return
        print_table(
            ("SOURCE", "KIND", "STATE", "LAST SUCCESS", "LAST NEW", "NEXT POLL", "PROBLEM"),
            [_row(source, now, unread.get(source.id, 0)) for source in sources],
        )
        if count > len(sources):
            click.echo(f"\n{count - len(sources)} more; 'aggregator source list' and 'status --json' show all of them.")


def _print_json(container: Container, system: Mapping[str, object], unread: Mapping[int, int]) -> None:
    print_json({**system, "unread_entries": sum(unread.values())})
    with container.store.reading() as tx:
        for source in tx.polling.sources.each():
            print_json({**source_facts(source), "unread_entries": unread.get(source.id, 0)})


def _print_refusals(refusals: Sequence[Refusal], now: datetime) -> None:
    for refusal in refusals:
        click.echo(
            f"Refused: {one_line(refusal.reason, 300)} Since {ago(refusal.since, now)}; one call tries again "
            f"{ago(refusal.until, now)}, or at once: aggregator source resume --all"
        )


def _print_unread(unread: Mapping[int, int]) -> None:
    if unread:
        kept = f"{counted(sum(unread.values()), 'item')} of {counted(len(unread), 'source')}"
        click.echo(f"Not readable: {kept}, kept until a newer version can read them")


def _print_ids_only(container: Container, content: int) -> None:
    """Show the networks of which only ids are stored, and how much of their content is still to be removed."""
    for network in sorted(container.store.ids_only):
        rest = f"{counted(content, 'item')} still have content, which 'aggregator migrate' removes at once"
        click.echo(f"Ids only: {network_of(network).label}; {rest if content else 'no content is stored'}")


def _sources(tx: Transaction, now: datetime) -> list[Source]:
    """Return all sources by slug; above the limit, failing sources first and the rest omitted."""
    listed = tx.polling.sources.page(_MOST_LISTED + 1)
    if len(listed) <= _MOST_LISTED:
        return listed
    failing = tx.polling.sources.with_slugs([source.slug for source in tx.polling.sources.stale(now, _MOST_LISTED)])
    found = {source.slug: source for source in (*failing, *listed)}
    return [*found.values()][:_MOST_LISTED]


def _check_ticking(container: Container, now: datetime) -> None:
    with container.store.reading() as tx:
        last_tick = tx.stream.state.last_tick()
    if last_tick is None or abs(now - last_tick) > _TICKS_STOPPED:
        raise SetupError(f"The scheduler {_scheduler(last_tick, now)}.")


def _workers(container: Container) -> list[str] | None:
    """Return the names of the workers that respond within a second, or None with an embedded broker."""
    if container.settings.embedded_broker:
        return None
    from worker import answering

    return answering(container)


def _scheduler(last_tick: datetime | None, now: datetime) -> str:
    if last_tick is None:
        return "has never run; start 'aggregator run', or a worker and 'celery -A scheduler beat'"
    if last_tick - now > _TICKS_STOPPED:
        return f"last ticked {ago(last_tick, now)}, which is in the future: the clock was set back or is wrong"
    if now - last_tick > _TICKS_STOPPED:
        return f"last ticked {ago(last_tick, now)}; start it again, or check that a worker consumes the queue 'control'"
    return f"ticking (last {ago(last_tick, now)})"


def _row(source: Source, now: datetime, unread: int) -> tuple[str, ...]:
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
