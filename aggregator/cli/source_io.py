"""`source export` and `source import`: exchange sources with other installations and feed readers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aggregator.cli.context import ACTOR, FAILED, opened
from aggregator.cli.parameters import Duration
from aggregator.domain.errors import BadRequestError
from aggregator.domain.source import Policy, SourceState
from aggregator.domain.source_import import ImportLine, ImportReport, ImportStatus, Lookup
from aggregator.services.subscription_lists.document import FORMATS, MOST_BYTES, read_document, with_policy
from aggregator.services.subscription_lists.toml import attributes_of, secrets_of, table_of, toml_of
from aggregator.text.plain import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from aggregator.domain.errors import AggregatorError
    from aggregator.domain.source import Source
    from aggregator.services.subscription_lists.opml import Outline
    from aggregator.services.subscription_lists.toml import Entry


@click.command("export")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["opml", "toml"]),
    help="Default: by the extension of FILE; OPML on standard output.",
)
def export_(file: Path | None, form: str | None) -> None:
    """Write the sources to FILE or standard output.

    OPML is for feed readers, TOML for 'source apply'. 'aggregator source import' reads both formats with all settings
    of each source. Secrets are not written; standard error lists the sources that have some.
    """
    form = form or (FORMATS.get(file.suffix.lower()) if file else "opml")
    if form is None:
        raise click.UsageError("Give the format: --format opml or --format toml.")
    from aggregator.sources import kinds

    with opened() as container:
        with container.store.reading() as tx:
            sources = [
                source for source in tx.polling.sources.each() if source.kind in kinds()
            ]  # our own posts have no address
        now = container.clock()
    body = toml_of(table_of(source) for source in sources).encode() if form == "toml" else _opml(sources, now)
    if file is None:
        click.echo(body, nl=False)
    else:
        try:
            file.write_bytes(body)
        except OSError as problem:
            raise BadRequestError(f"{file} can't be written: {problem.strerror}.") from None
    for source in sources:
        notes = secrets_of(source)
        if source.state is SourceState.STOPPED:
            notes.append(f"it had stopped ({source.state_reason}) and is exported as paused")
        for sentence in notes:
            click.echo(f"{source.slug}: {one_line(sentence, 300)}.", err=True)
    if file is not None:
        click.echo(f"{counted(len(sources), 'source')} written to {file}.", err=True)


def _opml(sources: Sequence[Source], now: datetime) -> bytes:
    from aggregator.services.subscription_lists.opml import written

    return written("Sources of the activity stream", now, [_outline(source) for source in sources])


def _outline(source: Source) -> Outline:
    """Return the OPML attributes of a source; a source that feed readers can't subscribe to is a link."""
    from aggregator.services.subscription_lists.opml import Outline
    from aggregator.sources import kinds

    kind, table = kinds()[source.kind], table_of(source)
    own = attributes_of(table)
    if kind.syndicated:
        del own["address"]
        return Outline(source.name, feed=table["address"], own=own)
    return Outline(source.name, link=kind.web_page(source), own=own)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Print the changes without making them; no requests are sent.")
@click.option(
    "--policy",
    type=click.Choice([policy.value for policy in Policy]),
    help="For sources without a policy in FILE; default: auto.",
)
@click.option("--delay", type=Duration(60, 7 * 24 * 3600), help="Delay of --policy delay.")
@click.option("--no-fetch", is_flag=True, help="Add feeds without fetching them; their first poll does.")
def import_(file: Path, dry_run: bool, policy: str | None, delay: int | None, no_fetch: bool) -> None:
    """Add the sources that FILE lists.

    It is OPML of any feed reader, or TOML of 'source export'. Each feed is fetched once, as with 'source add'. Existing
    sources are not changed, so a second run retries the failures of the first.
    """
    if (policy == Policy.DELAY.value) != (delay is not None):
        raise click.UsageError("--policy delay and --delay DURATION go together.")
    entries, nowhere = read(file)
    if policy is not None:
        entries = [with_policy(entry, Policy(policy), delay) for entry in entries]
    total = len(entries)
    result = ImportReport([], nowhere)
    from aggregator.services.subscription_lists.importer import Target, import_entries

    def report(line: ImportLine) -> None:
        result.lines.append(line)
        number = f"{len(result.lines):>{len(str(total))}}/{total}"
        click.echo(f"{number} {line.sentence}", err=line.status is ImportStatus.FAILED)

    with opened() as container:
        lookup = Lookup.NONE if no_fetch else Lookup.ALL
        target = Target.of(container, lambda: container.seal, ACTOR, file.name)
        container.run(import_entries(entries, target, container.context, report, lookup=lookup, preview=dry_run))
    added = result.count(ImportStatus.PLANNED if dry_run else ImportStatus.ADDED)
    failed = result.count(ImportStatus.FAILED)
    click.echo(
        f"{counted(total, 'source')} in {file.name}: {added} {'would be added' if dry_run else 'added'}, "
        f"{result.count(ImportStatus.KNOWN)} already there, {failed} not added."
        + (f" {counted(nowhere, 'outline')} named no feed." if nowhere else "")
    )
    if failed:
        sys.exit(FAILED)


def read(file: Path) -> tuple[list[Entry | AggregatorError], int]:
    """Parse a file: return each source or its error, and the number of outlines without a feed.

    Raises:
        BadRequestError: the whole file is invalid.
    """
    try:
        with file.open("rb") as opened_file:
            body = opened_file.read(MOST_BYTES + 1)
    except OSError as problem:
        raise BadRequestError(f"{file} can't be read: {problem.strerror}.") from None
    return read_document(body, file.name)
