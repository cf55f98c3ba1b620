"""`host list|group|ungroup|resume`: group hosts, and show or end pauses."""

from __future__ import annotations

import re
from datetime import timedelta

import click

from aggregator.cli.context import opened
from aggregator.cli.output import print_json, print_table
from aggregator.cli.parameters import Duration
from aggregator.domain.errors import BadRequestError, NotFoundError
from aggregator.domain.polling.host_groups import HostGroup, Pauses
from aggregator.text.durations import spoken
from aggregator.text.plain import one_line

_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")


@click.group()
def host() -> None:
    """Group hosts of one service, and show paused hosts."""


@host.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line: groups, then pauses.")
def list_(as_json: bool) -> None:
    """List host groups and paused hosts."""
    with opened() as container, container.store.reading() as tx:
        now = container.clock()
        groups, paused = tx.polling.host_groups.all(), tx.polling.hosts.paused(now)
    if as_json:
        for group in groups:
            print_json(group)
        for pause in paused:
            print_json(pause._asdict())
        return
    print_table(
        ("HOSTS BELOW", "GROUP", "SPACING", "AT A TIME", "429 PAUSES"),
        [
            (
                group.suffix,
                group.name,
                "as set" if group.spacing is None else spoken(group.spacing),
                str(group.concurrency or "as set"),
                "the group" if group.pauses is Pauses.GROUP else "the address",
            )
            for group in groups
        ],
    )
    for pause in paused:
        click.echo(
            f"Paused: {pause.host}, for another {spoken(_rounded(pause.until - now))} ({one_line(pause.reason)})"
        )


@host.command()
@click.argument("suffix", metavar="HOST")
@click.option("--name", help="Name of the group, shared by several hosts; default: HOST.")
@click.option(
    "--spacing", type=Duration(0, 3600, fractions=True), help="Time between the starts of requests, such as 2s."
)
@click.option("--concurrency", type=click.IntRange(1, 64), metavar="NUMBER", help="Requests at the same time.")
@click.option(
    "--pauses",
    type=click.Choice([pauses.value for pauses in Pauses]),
    default=Pauses.GROUP.value,
    show_default=True,
    help="Whether a 429 or 503 pauses the whole group or only that address.",
)
def group(suffix: str, name: str | None, spacing: float | None, concurrency: int | None, pauses: str) -> None:
    """Treat HOST and all hosts below it as one service."""
    suffix, name = _checked(suffix), _checked(name or suffix)
    put = HostGroup(suffix, name, None if spacing is None else timedelta(seconds=spacing), concurrency, Pauses(pauses))
    with opened() as container, container.store.writing() as tx:
        tx.polling.host_groups.put(put)
    click.echo(f"{suffix}: in the group {name}; workers know within a minute.")


@host.command()
@click.argument("suffix", metavar="HOST")
def ungroup(suffix: str) -> None:
    """Treat the hosts below HOST separately again."""
    with opened() as container, container.store.writing() as tx:
        if not tx.polling.host_groups.drop(suffix.lower()):
            raise NotFoundError(f"There is no group for {suffix!r}; 'aggregator host list' shows them.")
    click.echo(f"{suffix}: no longer a group.")


@host.command()
@click.argument("name", metavar="HOST:PORT")
def resume(name: str) -> None:
    """End the pause of a host early; do that only if its owner agreed."""
    with opened() as container, container.store.writing() as tx:
        if not tx.polling.hosts.lift(name, container.clock()):
            raise NotFoundError(f"{name!r} is not paused; 'aggregator host list' shows the paused hosts.")
    click.echo(f"{name}: polled again.")


def _checked(name: str) -> str:
    name = name.lower().rstrip(".")
    if not _NAME.fullmatch(name):
        raise BadRequestError(f"{name!r} is not a host name; give it without scheme and port, as in example.org.")
    return name


def _rounded(span: timedelta) -> timedelta:
    return timedelta(seconds=round(span.total_seconds()))
