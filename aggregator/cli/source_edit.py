"""`source set|sign-in|revert|release|drop|backfill`: what changes a source that is there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aggregator.cli.context import WHO, existing, opened
from aggregator.cli.output import counted
from aggregator.domain.errors import BadRequestError
from aggregator.domain.polling.schedule import LONGEST_INTERVAL, SHORTEST_FLOOR
from aggregator.domain.source import OnEdit, Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aggregator.domain.source import Source
    from aggregator.services.poll_report import Report

_F = TypeVar("_F", bound="Callable[..., Any]")


def kind_options(command: _F) -> _F:
    """Give a command the options that feeds and accounts have."""
    for option in (
        click.option(
            "--exclude",
            metavar="replies,retweets",
            help="What of an account on X is left out, which saves money; '' leaves out nothing.",
        ),
        click.option(
            "--identity",
            type=click.Choice(["layers", "guid", "link"]),
            help="What makes an entry the same: its id or else what it is recognised by, its id alone, or its address.",
        ),
        click.option(
            "--slow/--not-slow", default=None, help="Whether the publisher may ask for up to 31 days between polls."
        ),
        click.option(
            "--downgrade/--no-downgrade", default=None, help="Whether a redirect from https to http is followed."
        ),
    ):
        command = option(command)
    return command


def sign_in_options(command: _F) -> _F:
    """Give a command the options of a sign-in."""
    for option in (
        click.option(
            "--user", help="Name for an HTTP sign-in; the password is asked for, or read from standard input."
        ),
        click.option(
            "--header",
            multiple=True,
            metavar="NAME",
            help="A header that requests carry; its value is asked for, or read from standard input.",
        ),
    ):
        command = option(command)
    return command


def asked_headers(user: str | None, names: Sequence[str]) -> Mapping[str, str]:
    """Ask for the secrets of a sign-in and return its headers."""
    headers: dict[str, str] = {}
    if user is not None:
        from aggregator.config.encryption import basic

        headers |= basic(user, _secret(f"Password of {user}"))
    for name in names:
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise BadRequestError(f"{name!r} is no name of a header.")
        headers[name] = _secret(f"Value of {name}")
    return headers


def _secret(prompt: str) -> str:
    """Read a secret: hidden from a person, or the next line of standard input."""
    if sys.stdin.isatty():
        return str(click.prompt(prompt, hide_input=True, err=True))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line or not line.isprintable():
        raise BadRequestError(f"{prompt}: standard input had no such line.")
    return line


def _every(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | str | None:
    if value is None or value == "auto":
        return value
    if value.isdecimal() and 1 <= int(value) <= LONGEST_INTERVAL:
        return int(value)
    raise click.BadParameter("give a number of seconds, or 'auto'")


@click.command("set")
@click.argument("slug")
@click.option("--every", callback=_every, metavar="SECONDS|auto", help="Time between polls, or its own rhythm.")
@click.option(
    "--floor",
    type=click.IntRange(SHORTEST_FLOOR, LONGEST_INTERVAL),
    metavar="SECONDS",
    help="Never poll more often; four times as long where answers carry no validators.",
)
@click.option(
    "--ceiling",
    type=click.IntRange(SHORTEST_FLOOR, LONGEST_INTERVAL),
    metavar="SECONDS",
    help="Poll at least so often.",
)
@click.option("--policy", type=click.Choice([one.value for one in Policy]), help="What becomes of what it brings.")
@click.option(
    "--delay", type=click.IntRange(60, 7 * 24 * 3600), metavar="SECONDS", help="How long --policy delay waits."
)
@click.option(
    "--on-edit",
    type=click.Choice([one.value for one in OnEdit]),
    help="What an edit does to what a person approved: stay keeps the approved words, return sends it back for review.",
)
@click.option("--trust", multiple=True, metavar="AUTHOR", help="A handle or name that needs no review.")
@click.option("--no-trust", "distrust", multiple=True, metavar="AUTHOR", help="One that does again.")
@kind_options
def set_(
    slug: str,
    every: int | str | None,
    floor: int | None,
    ceiling: int | None,
    policy: str | None,
    delay: int | None,
    on_edit: str | None,
    trust: Sequence[str],
    distrust: Sequence[str],
    **options: str | bool | None,
) -> None:
    """Change how a source is polled and read, and what becomes of what it brings."""
    from aggregator.sources import kinds

    given = {name: value for name, value in options.items() if value is not None}
    with opened() as container, container.store.writing() as tx:
        one = existing(tx, slug)
        if one.managed:
            raise BadRequestError(f"{slug} is set by {one.managed}; change it there, and run 'source apply' again.")
        least = floor if floor is not None else round(one.floor.total_seconds())
        changes: dict[str, Any] = {}
        if floor is not None:
            changes["floor"] = floor
        if ceiling is not None:
            changes["ceiling"] = ceiling
        if every is not None:
            changes["every"] = None if every == "auto" else int(every)
        wanted = changes.get("every", one.every and one.every.total_seconds())
        most = ceiling if ceiling is not None else one.ceiling.total_seconds()
        if wanted is not None and wanted < least:
            raise BadRequestError(f"{slug} may be polled every {least} s at the most often; see --floor.")
        if least > most:
            raise BadRequestError(f"The floor of {slug} ({least} s) is above its ceiling ({most:g} s).")
        changes |= _review_terms(one, policy, delay, on_edit, trust, distrust)
        if given:
            changes["options"] = dict(kinds()[one.kind].parse_options({**one.options, **given}))
        if not changes:
            raise click.UsageError("Say what to change; --help shows what can be.")
        tx.polling.sources.change(one.id, **changes)
        tx.moderation.audit.note(container.clock(), WHO, "changed a source", f"source:{slug}", changes)
    click.echo(f"{slug}: changed; it counts from the next poll on.")


def _review_terms(
    one: Source,
    policy: str | None,
    delay: int | None,
    on_edit: str | None,
    trust: Sequence[str],
    distrust: Sequence[str],
) -> dict[str, Any]:
    """Return what of a source's terms of review is to change."""
    changes: dict[str, Any] = {}
    wanted = Policy(policy) if policy else one.policy
    if wanted is Policy.DELAY and delay is None and one.delay is None:
        raise BadRequestError("Say how long it waits: --policy delay --delay SECONDS.")
    if delay is not None and wanted is not Policy.DELAY:
        raise BadRequestError(f"--delay goes with --policy delay; the policy of {one.slug} is {wanted.value}.")
    if policy is not None:
        changes["policy"] = policy
        changes["delay"] = None
    if wanted is Policy.DELAY and (delay is not None or policy is not None):
        changes["delay"] = delay if delay is not None else round(one.delay.total_seconds()) if one.delay else None
    if on_edit is not None:
        changes["on_edit"] = on_edit
    if trust or distrust:
        gone = {name.removeprefix("@").casefold() for name in distrust}
        names = dict.fromkeys([*one.trusted, *(name.removeprefix("@") for name in trust)])
        changes["trusted"] = [name for name in names if name.casefold() not in gone] or None
    return changes


@click.command("sign-in")
@click.argument("slug")
@sign_in_options
@click.option("--none", "remove", is_flag=True, help="Forget the sign-in.")
def sign_in(slug: str, user: str | None, header: Sequence[str], remove: bool) -> None:
    """Keep a sign-in for a source, encrypted; its host alone gets it."""
    if remove == bool(user or header):
        raise click.UsageError("Give --user or --header, or --none.")
    headers = asked_headers(user, header)
    with opened() as container, container.store.writing() as tx:
        one = existing(tx, slug)
        tx.polling.sources.change(one.id, sealed=container.seal.close(one.own_host, headers) if headers else None)
        done = "kept" if headers else "forgotten"
        tx.moderation.audit.note(container.clock(), WHO, f"sign-in {done}", f"source:{slug}", {"headers": [*headers]})
    click.echo(f"{slug}: sign-in {done}." + ("" if remove else f" 'aggregator source resume {slug}' tries it now."))


@click.command()
@click.argument("slug")
def revert(slug: str) -> None:
    """Take back the last move of a source to another address; the redirect is not followed for good again."""
    from aggregator.domain.polling.permanent_redirects import refused

    with opened() as container, container.store.writing() as tx:
        one = existing(tx, slug)
        former = tx.polling.sources.former_addresses(one.id)
        if not former:
            raise BadRequestError(f"{slug} has always lived at {one.address}.")
        place = former[0].place
        if not tx.polling.sources.move(one, place, "taken back by hand", container.clock(), who=WHO):
            raise BadRequestError(f"{place.address} is another source by now; remove that one first.")
        tx.polling.sources.change(one.id, moving=dict(refused(one.address)))
    click.echo(f"{slug}: polled at {place.address} again.")


@click.command()
@click.argument("slug")
def release(slug: str) -> None:
    """Let out what came in a suspicious burst and was kept apart: shown, or to review, as the source's policy says."""
    from aggregator.domain.activity import Review

    with opened() as container, container.store.writing() as tx:
        one = existing(tx, slug)
        shown = one.policy is Policy.AUTO
        review = Review.PUBLISHED if shown else Review.WAITING
        count = tx.moderation.reviews.release(
            one.id, review, by="person", reason="let out of quarantine", now=container.clock()
        )
        tx.moderation.audit.note(container.clock(), WHO, "released a burst", f"source:{slug}", {"items": count})
    click.echo(f"{slug}: {counted(count, 'item')} {'shown' if shown else 'waiting for review'}.")


@click.command()
@click.argument("slug")
def drop(slug: str) -> None:
    """Forget what came in a suspicious burst and was kept apart; it does not come back."""
    with opened() as container, container.store.writing() as tx:
        count = tx.stream.activities.drop_quarantined(existing(tx, slug).id, container.clock())
        tx.moderation.audit.note(container.clock(), WHO, "dropped a burst", f"source:{slug}", {"items": count})
    click.echo(f"{slug}: {counted(count, 'item')} dropped.")


@click.command()
@click.argument("slug")
@click.option("--pages", type=click.IntRange(1, 1000), default=20, show_default=True, help="Archive pages at most.")
def backfill(slug: str, pages: int) -> None:
    """Read a feed's archive (RFC 5005), one page a minute, and store what is new."""
    with opened() as container:
        with container.store.reading() as tx:
            one = existing(tx, slug)
        reports: list[Report] = []

        def tell(report: Report) -> None:
            reports.append(report)
            click.echo(f"Page {len(reports)}: {report.new} new, {report.changed} changed, {report.unchanged} known.")

        container.backfill.run(one, pages, tell)
    count = len(reports)
    click.echo(f"{slug}: {counted(count, 'archive page')} read." if count else f"{slug}: it names no archive.")
