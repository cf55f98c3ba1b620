"""`source add|list|show|remove`; `source_edit` and `source_state` change sources, `source_io` exports them."""

from __future__ import annotations

import sys
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from aggregator.cli.aliases import add_alias
from aggregator.cli.context import ACTOR, FAILED, existing, opened
from aggregator.cli.kind_options import KindOptionsCommand, given
from aggregator.cli.output import ago, newest_id, print_json, print_table, source_facts
from aggregator.cli.parameters import Duration, slug_argument
from aggregator.cli.source_apply import apply
from aggregator.cli.source_costs import approved
from aggregator.cli.source_edit import (
    backfill,
    credential_options,
    drop,
    import_archive,
    prompted_headers,
    release,
    revert,
    set_,
    sign_in,
)
from aggregator.cli.source_io import export_, import_
from aggregator.cli.source_preview import preview
from aggregator.cli.source_state import pause, resume
from aggregator.domain.errors import AggregatorError, BadRequestError
from aggregator.domain.polling.schedule import LONGEST_INTERVAL
from aggregator.domain.source import Policy, SourceState
from aggregator.text.durations import spoken
from aggregator.text.plain import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from typing import TextIO

    from aggregator.domain.polling.host_limits import Pause
    from aggregator.domain.polling.results import PollRecord
    from aggregator.domain.source import Source
    from aggregator.services.dispatch import Added
    from aggregator.services.subscribe import Subscription
    from storage.polling.sources import FormerAddress

_LOG_LINES = 10
_TABLE = 500  # sources per printed table


@click.group()
def source() -> None:
    """Add, list, show, change and remove sources."""


for _command in (
    set_,
    sign_in,
    revert,
    release,
    drop,
    backfill,
    import_archive,
    apply,
    export_,
    import_,
    preview,
    pause,
    resume,
):
    source.add_command(_command)
add_alias(source, "sign-in", sign_in)


@source.command(cls=KindOptionsCommand)
@click.argument("addresses", nargs=-1, metavar="ADDRESS...")
@click.option("--from", "listed", type=click.File(encoding="utf-8"), help="Read addresses from a file, one per line.")
@click.option("--slug", help="Short name in URLs and commands; default: from the source's name.")
@click.option("--name", help="Displayed name; default: the source's title.")
@click.option(
    "--every", type=Duration(1, LONGEST_INTERVAL), help="Time between polls, such as 10m or 2h; default: adaptive."
)
@click.option(
    "--policy",
    type=click.Choice([policy.value for policy in Policy]),
    default=Policy.AUTO.value,
    show_default=True,
    help="auto publishes items at once, delay after a delay, hold after review.",
)
@click.option("--delay", type=Duration(60, 7 * 24 * 3600), help="Delay of --policy delay.")
@click.option("--yes", is_flag=True, help="Add sources with a recurring cost without asking.")
@credential_options
def add(
    addresses: Sequence[str],
    listed: TextIO | None,
    slug: str | None,
    name: str | None,
    every: int | None,
    policy: str,
    delay: int | None,
    yes: bool,
    user: str | None,
    header: Sequence[str],
    **parameters: Any,  # noqa: ANN401  # the options of kinds
) -> None:
    """Add feeds, calendars or accounts.

    A page leads to the feed that it announces. Each address is fetched once to detect its kind. Nothing is stored for
    an address that isn't a source.
    """
    every_address = [*addresses, *_addresses(listed)]
    if not every_address:
        raise click.UsageError("Give at least one address, or --from FILE.")
    if (policy == Policy.DELAY.value) != (delay is not None):
        raise click.UsageError("--policy delay and --delay DURATION go together.")
    if len(every_address) > 1 and (slug or name or user or header):
        raise click.UsageError("--slug, --name, --user and --header go with one address.")
    from aggregator.services.subscribe import Subscription

    terms = Subscription(
        slug=slug,
        name=name,
        every=timedelta(seconds=every) if every else None,
        policy=Policy(policy),
        delay=timedelta(seconds=delay) if delay else None,
        options=given(parameters),
        headers=prompted_headers(user, header),
        approve=partial(approved, yes=yes),
    )
    if not _add_all(every_address, terms):
        sys.exit(FAILED)


def _add_all(addresses: Sequence[str], terms: Subscription) -> bool:
    """Add sources and print each outcome; return whether all were added."""
    from aggregator.fetching.request_target import display_url

    failed = False

    def report(address: str, outcome: Added | AggregatorError) -> None:
        nonlocal failed
        if isinstance(outcome, AggregatorError):
            failed = True
            click.echo(f"{one_line(display_url(address))}: not added. {outcome}", err=True)
        else:
            _print_added(*outcome)
            with container.store.writing() as tx:
                detail = {"policy": outcome[0].policy.value}
                tx.moderation.audit.note(
                    container.clock(), ACTOR, "added a source", f"source:{outcome[0].slug}", detail
                )

    with opened() as container:
        container.subscribe_all(addresses, terms, report)
    return not failed


@source.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_(as_json: bool) -> None:
    """List the sources."""
    with opened() as container, container.store.reading() as tx:
        sources = tx.polling.sources.each()
        if as_json:
            for source in sources:
                print_json(source_facts(source))
            return
        head: tuple[str, ...] = ("SOURCE", "KIND", "STATE", "POLICY", "INTERVAL", "NAME", "ADDRESS")
        printed = False
        while part := [*islice(sources, _TABLE)]:  # the columns of each table are as wide as its rows need
            rows = [
                (s.slug, s.kind, s.state.value, s.policy.value, _interval(s), one_line(s.name, 40), s.address)
                for s in part
            ]
            print_table(head, rows)
            printed = True
    if not printed:
        click.echo("There are no sources yet; add one with 'aggregator source add URL'.")


@source.command()
@slug_argument()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line: the source, then its polls.")
def show(slug: str, as_json: bool) -> None:
    """Show a source and its last polls."""
    with opened() as container, container.store.reading() as tx:
        now = container.clock()
        row = existing(tx, slug)
        lines = tx.polling.schedule.log(row.id, _LOG_LINES)
        former = tx.polling.sources.former_addresses(row.id)
        pauses = [pause for pause in tx.polling.hosts.paused(now) if _affects(pause, row)]
    if as_json:
        not_before = max((pause.until for pause in pauses), default=None)
        print_json({**source_facts(row), "not_before": not_before})
        for line in lines:
            print_json(line)
        return
    for label, value in _facts(row, former, pauses, now):
        click.echo(f"{click.style(label, bold=True)}: {one_line(value, 300)}")
    if lines:
        click.echo()
        _print_log(lines, now)


def _facts(
    row: Source, former: Sequence[FormerAddress], pauses: Sequence[Pause], now: datetime
) -> Iterator[tuple[str, str]]:
    """Yield the lines of `source show`: a label and a value."""
    yield from (
        ("Name", row.name),
        ("Address", f"{row.address} ({row.kind})"),
        ("State", f"{row.state.value} {row.state_reason}".strip()),
        ("Policy", row.policy.value),
        ("Options", ", ".join(f"{name}: {value}" for name, value in sorted(row.options.items())) or "none"),
        ("Credentials", "stored" if row.sealed else "none"),
        ("Interval", f"{_interval(row)}, between {spoken(row.floor)} and {spoken(row.ceiling)}"),
        *(("Former address", f"{old.place.address}, left {ago(old.left, now)}: {old.reason}") for old in former),
        *((("Redirected", _redirect(row)),) if row.poll.pending_redirect else ()),
        (
            "Next poll",
            f"{ago(row.poll.due, now)}: {row.poll.due_reason}" if row.state is SourceState.ACTIVE else "none",
        ),
        *(("Paused host", f"until {pause.until:%H:%M:%S} UTC: {pause.reason}") for pause in pauses),
        ("Last success", ago(row.poll.last_success, now)),
        ("Last new item", ago(row.poll.last_new, now)),
        *((("Newest id", str(newest_id(row))),) if newest_id(row) else ()),
        *((("Costs", f"about ${row.poll.daily_cost:,.4f} a day"),) if row.poll.daily_cost is not None else ()),
        ("Consecutive failures", str(row.poll.failures)),
        ("Last error", f"{row.poll.last_error} ({row.poll.last_error_code})" if row.poll.last_error else "none"),
    )


def _print_log(lines: Sequence[Mapping[str, Any]], now: datetime) -> None:
    print_table(
        ("POLLED", "TOOK", "STATUS", "BYTES", "OUTCOME", "NEW", "CHANGED", "NEXT POLL"),
        [
            (
                ago(line["started"], now),
                f"{line['milliseconds']} ms",
                str(line["status"] or "-"),
                str(line["bytes"]),
                line["outcome"],
                str(line["new"]),
                str(line["changed"]),
                one_line(f"{line['next_reason']}{'. ' + line['message'] if line['message'] else ''}", 200),
            )
            for line in lines
        ],
    )


@source.command()
@slug_argument()
@click.option(
    "--items",
    type=click.Choice(["keep", "hide", "purge"]),
    help="keep leaves its items in the stream; hide removes them from it; purge deletes them permanently.",
)
def remove(slug: str, items: str | None) -> None:
    """Delete a source, and keep, hide or purge its items."""
    with opened() as container:
        with container.store.reading() as tx:
            row = existing(tx, slug)
        if items is None:
            if not sys.stdin.isatty():
                raise click.UsageError("Give --items keep, hide or purge.")
            choice = click.Choice(["keep", "hide", "purge"])
            items = click.prompt("Items: keep, hide or purge", type=choice, default="keep")
        now = container.clock()
        with container.store.writing() as tx:
            touched = 0
            if items == "hide":
                touched = tx.moderation.reviews.hide_source(
                    row.id, by="person", reason="its source was removed", now=now
                )
            elif items == "purge":
                touched = tx.stream.activities.withdraw_all(row.id, "purged with its source", now)
            tx.polling.sources.set_state(row.id, SourceState.REMOVED, f"removed by hand, items: {items}", now)
            tx.moderation.audit.note(
                now, ACTOR, "removed a source", f"source:{slug}", {"items": items, "touched": touched}
            )
    of_them = counted(touched, "item")
    done = {"keep": "its items stay", "hide": f"{of_them} hidden", "purge": f"{of_them} purged"}[items]
    click.echo(f"{slug}: removed, {done}.")


def _addresses(listed: TextIO | None) -> Iterator[str]:
    """Return the addresses in a list; blank lines and lines that start with # are ignored."""
    try:
        yield from (line.strip() for line in listed or () if line.strip() and not line.lstrip().startswith("#"))
    except UnicodeDecodeError as problem:
        raise BadRequestError(f"The list is not UTF-8 text: {problem}.") from None


def _redirect(row: Source) -> str:
    redirect = row.poll.pending_redirect or {}
    if redirect.get("refused"):
        return f"permanently to {redirect['to']}, reverted by hand"
    return f"permanently to {redirect['to']}, seen {counted(int(redirect['seen']), 'time')}"


def _print_added(added: Source, first: PollRecord | None) -> None:
    brought = f"{counted(first.new, 'item')}" if first else "due now"
    click.echo(f"{added.slug}: added {one_line(added.name, 60)} ({added.kind}, {_interval(added)}, {brought}).")


def _interval(row: Source) -> str:
    return f"every {spoken(row.every)}" if row.every else "adaptive"


def _affects(pause: Pause, row: Source) -> bool:
    """Return whether a pause of the host or of an endpoint there affects a source."""
    return pause.host == row.host or pause.host.startswith(f"{row.own_host}/")
