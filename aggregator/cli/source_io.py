"""`source export` and `source import`: what is followed, as a file that other installations and feed readers take."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aggregator.cli.context import FAILED, WHO, opened
from aggregator.cli.output import counted, one_line
from aggregator.cli.source_apply import tables_in
from aggregator.domain.errors import AggregatorError, BadRequestError
from aggregator.domain.source import Policy, SourceState
from aggregator.services.subscription_lists.toml import (
    attributes_of,
    entry_of,
    secrets_of,
    table_in,
    table_of,
    toml_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from aggregator.container import Container
    from aggregator.domain.source import Source
    from aggregator.services.subscription_lists.importer import Brought, Outcome, Wanted
    from aggregator.services.subscription_lists.opml import Outline
    from aggregator.services.subscription_lists.toml import Entry, Table

_MOST_BYTES = 5 * 1024 * 1024
_MOST_SOURCES = 5000
_MARKUP = re.compile(rb"[\xef\xbb\xbf\xff\xfe\x00\s]*<")  # behind a byte order mark
_FORMATS = {".toml": "toml", ".opml": "opml", ".xml": "opml"}  # by the file's ending


@click.command("export")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["opml", "toml"]), help="By default as FILE ends; OPML on standard output."
)
def export_(file: Path | None, form: str | None) -> None:
    """Write what is followed to FILE or standard output: OPML for feed readers, TOML for 'source apply'.

    'aggregator source import' reads both back with all that is set for each source, but for what is secret: what that
    concerns is said on standard error.
    """
    form = form or (_FORMATS.get(file.suffix.lower()) if file else "opml")
    if form is None:
        raise click.UsageError("Say which: --format opml or --format toml.")
    from aggregator.sources import kinds

    with opened() as container:
        with container.store.reading() as tx:
            sources = [
                one for one in tx.polling.sources.each() if one.kind in kinds()
            ]  # our own items come from no address
        now = container.clock()
    body = toml_of(table_of(one) for one in sources).encode() if form == "toml" else _opml(sources, now)
    if file is None:
        click.echo(body, nl=False)
    else:
        try:
            file.write_bytes(body)
        except OSError as problem:
            raise BadRequestError(f"{file} can't be written: {problem.strerror}.") from None
    for one in sources:
        told = secrets_of(one)
        if one.state is SourceState.STOPPED:
            told.append(f"it had stopped ({one.state_reason}) and is exported as paused")
        for sentence in told:
            click.echo(f"{one.slug}: {one_line(sentence, 300)}.", err=True)
    if file is not None:
        click.echo(f"{counted(len(sources), 'source')} written to {file}.", err=True)


def _opml(sources: Sequence[Source], now: datetime) -> bytes:
    from aggregator.services.subscription_lists.opml import written

    return written("Sources of the activity stream", now, [_outline(one) for one in sources])


def _outline(one: Source) -> Outline:
    """Return what OPML has for a source; what no feed reader follows is a link there."""
    from aggregator.services.subscription_lists.opml import Outline

    table = table_of(one)
    own = attributes_of(table)
    if one.kind == "rss":
        del own["address"]
        return Outline(one.name, feed=table["address"], own=own)
    return Outline(one.name, link=_page_of(table["address"]), own=own)


def _page_of(address: str) -> str:
    """Return where people find what is no feed."""
    if address.startswith("@"):
        return f"https://x.com/{address[1:]}"
    address = re.sub(r"(?i)^webcal:", "https:", address)
    return address if address.startswith(("http://", "https://")) else ""


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be done; nothing is asked of anybody.")
@click.option(
    "--policy",
    type=click.Choice([policy.value for policy in Policy]),
    help="Of sources of which FILE says none; auto by default.",
)
@click.option(
    "--delay", type=click.IntRange(60, 7 * 24 * 3600), metavar="SECONDS", help="How long --policy delay waits."
)
@click.option("--no-fetch", is_flag=True, help="Add feeds without asking for them; their first poll finds out.")
def import_(file: Path, dry_run: bool, policy: str | None, delay: int | None, no_fetch: bool) -> None:
    """Add what FILE (OPML of any feed reader, or TOML as 'source export' writes it) says.

    Each feed is fetched once, as by 'source add'. What is there already is left as it is, so that a second run does no
    harm and takes up what failed in the first.
    """
    if (policy == Policy.DELAY.value) != (delay is not None):
        raise click.UsageError("--policy delay and --delay SECONDS go together.")
    entries, nowhere = read(file)
    if policy is not None:
        entries = [_with_policy(one, Policy(policy), delay) for one in entries]
    from aggregator.services.subscription_lists.importer import Wanted, planned

    total = len(entries)
    tally = {"added": 0, "there": 0, "failed": 0}

    def report(what: Wanted | AggregatorError, outcome: Outcome | str) -> None:
        number = f"{sum(tally.values()) + 1:>{len(str(total))}}/{total}"
        if isinstance(outcome, AggregatorError):
            tally["failed"] += 1
            about = f"{one_line(what.shown)}: " if isinstance(what, Wanted) else ""
            click.echo(f"{number} {about}not added. {outcome}", err=True)
        elif isinstance(outcome, str):
            tally["there"] += 1
            click.echo(f"{number} {outcome}")
        else:
            tally["added"] += 1
            click.echo(f"{number} {_said(outcome)}")

    with opened() as container:
        with container.store.reading() as tx:
            plan = planned(tx, entries)
        for one, outcome in plan.settled:
            report(one, outcome)
        if dry_run:
            for wanted in plan.wanted:
                tally["added"] += 1
                click.echo(f"{sum(tally.values()):>{len(str(total))}}/{total} would be added: {one_line(wanted.shown)}")
        else:
            _bring(container, plan.wanted, file.name, report, no_fetch=no_fetch)
    would = "would be added" if dry_run else "added"
    click.echo(
        f"{counted(total, 'source')} in {file.name}: {tally['added']} {would}, {tally['there']} already there, "
        f"{tally['failed']} not added." + (f" {counted(nowhere, 'outline')} named no feed." if nowhere else "")
    )
    if tally["failed"]:
        sys.exit(FAILED)


def _bring(
    container: Container,
    wanted: Sequence[Wanted],
    file: str,
    report: Callable[[Wanted, Outcome], None],
    *,
    no_fetch: bool,
) -> None:
    from aggregator.services.subscription_lists.importer import Target, bring

    tagger, networks = container.configuration.tagger, container.settings.private_networks
    target = Target(container.store, container.clock, lambda: container.seal, tagger, networks, WHO, file)

    async def work() -> None:
        await bring(wanted, target, await container.context(), report, no_fetch=no_fetch)

    container.run(work())


def read(file: Path) -> tuple[list[Entry | AggregatorError], int]:
    """Return what a file says of each source, or why that can't be used, and how many outlines name no feed.

    Raises:
        BadRequestError: the file as a whole can't be used.
    """
    try:
        with file.open("rb") as opened_file:
            body = opened_file.read(_MOST_BYTES + 1)
    except OSError as problem:
        raise BadRequestError(f"{file} can't be read: {problem.strerror}.") from None
    form = _FORMATS.get(file.suffix.lower())
    if form == "opml" or (form is None and _MARKUP.match(body)):
        return _read_opml(body, file.name)
    if len(body) > _MOST_BYTES:
        raise BadRequestError(f"{file.name} is larger than {_MOST_BYTES // (1024 * 1024)} MB; no list of sources is.")
    try:
        tables = tables_in(body.decode("utf-8-sig"), str(file))
    except UnicodeError as problem:
        raise BadRequestError(f"{file} can't be read: {problem}.") from None
    if len(tables) > _MOST_SOURCES:
        raise BadRequestError(f"{file.name} has more than {_MOST_SOURCES} sources; split it.")
    return [_checked(table, f"source {place}") for place, table in enumerate(tables, 1)], 0


def _read_opml(body: bytes, name: str) -> tuple[list[Entry | AggregatorError], int]:
    from aggregator.services.subscription_lists.opml import read as read_opml

    said = read_opml(body, name)
    return [_checked(one, f"line {one.line}") for one in said.outlines], said.nowhere


def _checked(said: Any, where: str) -> Entry | AggregatorError:  # noqa: ANN401  # an outline, or whatever TOML holds
    """Check what a file says of one source; what is wrong with it costs this one alone."""
    from aggregator.services.subscription_lists.opml import Outline

    try:
        return entry_of(_table(said, where) if isinstance(said, Outline) else said, where)
    except BadRequestError as problem:
        return problem


def _table(one: Outline, where: str) -> Table:
    table = table_in(one.own, where)
    return table | ({"address": one.feed} if one.feed else {}) | ({"name": one.title} if one.title else {})


def _with_policy(one: Entry | AggregatorError, policy: Policy, delay: int | None) -> Entry | AggregatorError:
    if isinstance(one, AggregatorError) or one.says_policy:
        return one
    changes = {**one.changes, "policy": policy.value, "delay": delay}
    return replace(one, changes=changes, policy=policy, delay=timedelta(seconds=delay) if delay else None)


def _said(brought: Brought) -> str:
    one, first = brought.source, brought.first
    items = counted(first.new, "item") if first else "paused" if one.state is SourceState.PAUSED else "due now"
    renamed = f"; its slug {brought.asked_slug} is taken here" if brought.asked_slug else ""
    return f"added {one.slug} ({one.kind}, {one_line(one.name, 60)}, {items}{renamed})"
