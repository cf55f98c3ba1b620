"""`pull`: poll sources now."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from aggregator.cli.context import FAILED, existing, on_terminal, opened
from aggregator.cli.output import print_json
from aggregator.cli.parameters import slug_argument
from aggregator.domain.errors import BadRequestError
from aggregator.domain.source import SourceFilter, SourceState
from aggregator.text.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.container import Container
    from aggregator.domain.source import Source
    from aggregator.services.poll_report import Report


@click.command()
@slug_argument("slugs", nargs=-1, metavar="[SLUG...]")
@click.option("--all", "everything", is_flag=True, help="Every active source.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object per source: slug, outcome, new, changed, unchanged, error."
)
def pull(slugs: Sequence[str], everything: bool, as_json: bool) -> None:
    """Poll sources now and print the result. On SQLite, the running process polls them."""
    if bool(slugs) == everything:
        raise click.UsageError("Name the sources to pull, or --all.")
    with opened() as container:
        sources = _chosen(container, slugs)
        if not sources:
            click.echo("There is no active source to pull; 'aggregator source list' shows them all.", err=True)
            return
        reports: list[Report] = []
        bar = click.progressbar(
            length=len(sources), label="Pulling", file=sys.stderr, hidden=as_json or not on_terminal()
        )
        with bar:

            def ended(report: Report) -> None:
                reports.append(report)
                bar.update(1)
                if as_json:
                    print_json(report)

            container.pull.run(sources, ended)
    if not as_json:
        for report in sorted(reports, key=lambda item: item.slug):
            click.echo(_sentence(report))
    if any(report.error for report in reports):
        sys.exit(FAILED)


def _chosen(container: Container, slugs: Sequence[str]) -> list[Source]:
    with container.store.reading() as tx:
        if not slugs:
            return [*tx.polling.sources.each(SourceFilter(state=SourceState.ACTIVE))]
        sources = {slug: existing(tx, slug) for slug in slugs}
    for slug in slugs:
        if sources[slug].state is not SourceState.ACTIVE:
            raise BadRequestError(
                f"{slug} is {sources[slug].state.value}; 'aggregator source resume {slug}' makes it active again."
            )
    return [sources[slug] for slug in dict.fromkeys(slugs)]


def _sentence(report: Report) -> str:
    if report.error:
        return f"{report.slug}: failed. {one_line(report.error, 300)}"
    return f"{report.slug}: {report.outcome} ({report.new} new, {report.changed} changed, {report.unchanged} known)"
