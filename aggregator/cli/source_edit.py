"""`source set|credentials|revert|release|drop|backfill`: change an existing source."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aggregator.cli.context import ACTOR, existing, opened
from aggregator.cli.kind_options import KindOptionsCommand, given
from aggregator.cli.parameters import Amount, Duration, Moment, slug_argument
from aggregator.cli.source_costs import confirmed, cost_sentence
from aggregator.domain.errors import BadRequestError
from aggregator.domain.polling.schedule import LONGEST_INTERVAL, SHORTEST_FLOOR
from aggregator.domain.source import OnEdit, Policy
from aggregator.text.plain import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.source import Source
    from aggregator.services.poll_report import Report

_F = TypeVar("_F", bound="Callable[..., Any]")


def credential_options(command: _F) -> _F:
    """Add the options for credentials to a command."""
    for option in (
        click.option(
            "--user",
            help="User name for HTTP authentication; the password is prompted for, or read from standard input.",
        ),
        click.option(
            "--header",
            multiple=True,
            metavar="NAME",
            help="A header of requests; its value is prompted for, or read from standard input.",
        ),
    ):
        command = option(command)
    return command


def prompted_headers(user: str | None, names: Sequence[str]) -> Mapping[str, str]:
    """Prompt for the secrets of credentials and return the headers."""
    headers: dict[str, str] = {}
    if user is not None:
        from aggregator.config.credential_encryption import basic

        headers |= basic(user, _secret(f"Password of {user}"))
    for name in names:
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise BadRequestError(f"{name!r} is not a header name.")
        headers[name] = _secret(f"Value of {name}")
    return headers


def _secret(prompt: str) -> str:
    """Read a secret: a hidden prompt on a terminal, or the next line of standard input."""
    if sys.stdin.isatty():
        return str(click.prompt(prompt, hide_input=True, err=True))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line or not line.isprintable():
        raise BadRequestError(f"{prompt}: standard input has no more lines.")
    return line


@click.command("set", cls=KindOptionsCommand)
@slug_argument()
@click.option(
    "--every",
    type=Duration(1, LONGEST_INTERVAL, "auto"),
    help="Time between polls, such as 10m or 2h; auto is adaptive.",
)
@click.option(
    "--floor",
    type=Duration(SHORTEST_FLOOR, LONGEST_INTERVAL),
    help="Shortest time between polls; four times as long for responses without validators.",
)
@click.option("--ceiling", type=Duration(SHORTEST_FLOOR, LONGEST_INTERVAL), help="Longest time between polls.")
@click.option("--policy", type=click.Choice([policy.value for policy in Policy]), help="What happens to new items.")
@click.option("--delay", type=Duration(60, 7 * 24 * 3600), help="Delay of --policy delay.")
@click.option(
    "--on-edit",
    type=click.Choice([choice.value for choice in OnEdit]),
    help="What happens to approved items that are edited: stay keeps the approved version, return sends it to review.",
)
@click.option("--trust", multiple=True, metavar="AUTHOR", help="A handle or name whose items need no review.")
@click.option(
    "--no-trust", "distrust", multiple=True, metavar="AUTHOR", help="A handle or name whose items need review again."
)
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
    **parameters: Any,  # noqa: ANN401  # the options of kinds
) -> None:
    """Change the polling and review settings of a source."""
    from aggregator.sources import kinds

    options = given(parameters)
    with opened() as container, container.store.writing() as tx:
        source = existing(tx, slug)
        if source.managed:
            raise BadRequestError(
                f"{slug} is managed by {source.managed}; change it there, and run 'source apply' again."
            )
        changes = _poll_terms(source, every, floor, ceiling)
        changes |= _review_terms(source, policy, delay, on_edit, trust, distrust)
        if options:
            changes["options"] = dict(kinds()[source.kind].parse_options({**source.options, **options}))
        if not changes:
            raise click.UsageError("Give at least one option; --help lists them.")
        tx.polling.sources.change(source.id, **changes)
        if changes.get("every"):
            tx.polling.schedule.follow_interval(source, timedelta(seconds=changes["every"]), container.clock())
        tx.moderation.audit.note(container.clock(), ACTOR, "changed a source", f"source:{slug}", changes)
    click.echo(f"{slug}: changed.")


def _poll_terms(source: Source, every: int | str | None, floor: int | None, ceiling: int | None) -> dict[str, Any]:
    """Return the changes to a source's poll interval, in seconds."""
    changes: dict[str, Any] = {
        name: value for name, value in (("floor", floor), ("ceiling", ceiling)) if value is not None
    }
    if every is not None:
        changes["every"] = None if every == "auto" else int(every)
    least = floor if floor is not None else round(source.floor.total_seconds())
    most = ceiling if ceiling is not None else source.ceiling.total_seconds()
    interval = changes.get("every", source.every and source.every.total_seconds())
    if interval is not None and interval < least:
        raise BadRequestError(f"{source.slug} must not be polled more often than every {least} s; see --floor.")
    if least > most:
        raise BadRequestError(f"The floor of {source.slug} ({least} s) is above its ceiling ({most:g} s).")
    return changes


def _review_terms(
    source: Source,
    policy: str | None,
    delay: int | None,
    on_edit: str | None,
    trust: Sequence[str],
    distrust: Sequence[str],
) -> dict[str, Any]:
    """Return the changes to a source's review settings."""
    changes: dict[str, Any] = {}
    target = Policy(policy) if policy else source.policy
    if target is Policy.DELAY and delay is None and source.delay is None:
        raise BadRequestError("Give the delay: --policy delay --delay DURATION.")
    if delay is not None and target is not Policy.DELAY:
        raise BadRequestError(f"--delay goes with --policy delay; the policy of {source.slug} is {target.value}.")
    if policy is not None:
        changes["policy"] = policy
        changes["delay"] = None
    if target is Policy.DELAY and (delay is not None or policy is not None):
        changes["delay"] = delay if delay is not None else round(source.delay.total_seconds()) if source.delay else None
    if on_edit is not None:
        changes["on_edit"] = on_edit
    if trust or distrust:
        gone = {name.removeprefix("@").casefold() for name in distrust}
        names = dict.fromkeys([*source.trusted, *(name.removeprefix("@") for name in trust)])
        changes["trusted"] = [name for name in names if name.casefold() not in gone] or None
    return changes


@click.command("credentials")
@slug_argument()
@credential_options
@click.option("--none", "remove", is_flag=True, help="Delete the credentials.")
def sign_in(slug: str, user: str | None, header: Sequence[str], remove: bool) -> None:
    """Store credentials for a source, encrypted.

    They are sent to its host only.
    """
    if remove == bool(user or header):
        raise click.UsageError("Give --user or --header, or --none.")
    headers = prompted_headers(user, header)
    with opened() as container, container.store.writing() as tx:
        source = existing(tx, slug)
        tx.polling.sources.change(source.id, sealed=container.seal.close(source.own_host, headers) if headers else None)
        done = "kept" if headers else "forgotten"
        tx.moderation.audit.note(container.clock(), ACTOR, f"sign-in {done}", f"source:{slug}", {"headers": [*headers]})
    click.echo(f"{slug}: sign-in {done}." + ("" if remove else f" 'aggregator source resume {slug}' tries it now."))


@click.command()
@slug_argument()
def revert(slug: str) -> None:
    """Undo the last permanent redirect of a source.

    That redirect is ignored from now on.
    """
    from aggregator.domain.polling.permanent_redirects import refused

    with opened() as container, container.store.writing() as tx:
        source = existing(tx, slug)
        former = tx.polling.sources.former_addresses(source.id)
        if not former:
            raise BadRequestError(f"{slug} has no permanent redirect to undo; its address is {source.address}.")
        place = former[0].place
        if not tx.polling.sources.move(source, place, "taken back by hand", container.clock(), who=ACTOR):
            raise BadRequestError(f"{place.address} is the address of another source; remove that one first.")
        tx.polling.sources.change(source.id, moving=dict(refused(source.address)))
    click.echo(f"{slug}: polled at {place.address} again.")


@click.command()
@slug_argument()
def release(slug: str) -> None:
    """Release the quarantined items of a source.

    They are published or wait for review, by the policy of the source.
    """
    from aggregator.domain.activity import Review

    with opened() as container, container.store.writing() as tx:
        source = existing(tx, slug)
        shown = source.policy is Policy.AUTO
        review = Review.PUBLISHED if shown else Review.WAITING
        count = tx.moderation.reviews.release(
            source.id, review, by="person", reason="let out of quarantine", now=container.clock()
        )
        tx.moderation.audit.note(container.clock(), ACTOR, "released a burst", f"source:{slug}", {"items": count})
    click.echo(f"{slug}: {counted(count, 'item')} {'shown' if shown else 'waiting for review'}.")


@click.command()
@slug_argument()
def drop(slug: str) -> None:
    """Delete quarantined items; they are not imported again."""
    with opened() as container, container.store.writing() as tx:
        count = tx.stream.activities.drop_quarantined(existing(tx, slug).id, container.clock())
        tx.moderation.audit.note(container.clock(), ACTOR, "dropped a burst", f"source:{slug}", {"items": count})
    click.echo(f"{slug}: {counted(count, 'item')} dropped.")


@click.command("import-archive")
@slug_argument()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Look each post up, and store those that exist; this costs money.")
@click.option("--yes", is_flag=True, help="Confirm the cost.")
def import_archive(slug: str, file: Path, check: bool, yes: bool) -> None:
    """Import the archive of an account from its network.

    An archive contains deleted posts, too. So new posts wait for review, unless --check looks up which of them exist.
    Reposts are imported with --check only: an archive has their beginning.
    """
    with opened() as container:
        with container.store.reading() as tx:
            source = existing(tx, slug)
        work = container.account_archive(source, file)
        posts = work.count(check=check)
        cost = work.cost(posts)
        sentence = f"{counted(posts, 'new post')}; looking them up costs about ${cost.expected or 0:,.2f}, at most "
        if check and not confirmed(f"{sentence}${cost.dollars:,.2f}.", "Look them up?", yes=yes):
            return
        done = work.done
        try:
            work.run(check=check, report=lambda: click.echo(f"{done.posts} of {posts} posts", err=True))
        finally:
            missing = f", {counted(done.missing, 'post')} no longer exist" if done.missing else ""
            waiting = "" if check else ", which wait for review"
            click.echo(f"{slug}: {counted(done.stored, 'post')} imported{waiting}{missing}.")
        with container.store.writing() as tx:
            detail = {"file": file.name, "posts": done.stored, "missing": done.missing}
            tx.moderation.audit.note(container.clock(), ACTOR, "imported an archive", f"source:{slug}", detail)


@click.command()
@slug_argument()
@click.option("--since", type=Moment(past=True), help="Read no items published before this time (UTC), or longer ago.")
@click.option("--pages", type=click.IntRange(1, 1000), help="Most pages to read; default: 20 of a feed.")
@click.option("--budget", type=Amount(0, 100_000), metavar="DOLLARS", help="Most to spend.")
@click.option("--yes", is_flag=True, help="Confirm the cost.")
def backfill(slug: str, since: datetime | None, pages: int | None, budget: float | None, yes: bool) -> None:
    """Read older items of a source.

    They come from the archive of a feed (RFC 5005), one page per minute, or from the timeline of an account, for which
    its network may charge: the cost is shown first. Reading goes on below the oldest stored item, so
    that a further run continues where one ended.
    """
    with opened() as container:
        with container.store.reading() as tx:
            source = existing(tx, slug)
        request = container.backfill.request(source, pages, since, budget)
        cost = container.backfill.cost(source, request)
        if cost is not None and not confirmed(cost_sentence(cost), "Read them?", yes=yes):
            return
        reports: list[Report] = []

        def tell(report: Report) -> None:
            reports.append(report)
            click.echo(f"Page {len(reports)}: {report.new} new, {report.changed} changed, {report.unchanged} known.")

        container.backfill.run(source, request, tell)
    count = len(reports)
    click.echo(f"{slug}: {counted(count, 'archive page')} read." if count else f"{slug}: no older items.")
