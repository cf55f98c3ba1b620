"""`review list|approve|hide`: review items from the command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from aggregator.cli.context import ACTOR, FAILED, opened
from aggregator.cli.output import ago, print_json, print_table
from aggregator.cli.parameters import Moment
from aggregator.domain.activity import Review
from aggregator.domain.moderation.decisions import DecisionAction
from aggregator.text.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from aggregator.domain.activity import Activity

_ID = click.IntRange(1, 2**63 - 1)  # largest integer of the database


@click.group()
def review() -> None:
    """List items that wait for review, approve them, or hide them."""


@review.command("list")
@click.option(
    "--state",
    type=click.Choice([state.value for state in Review]),
    default=Review.WAITING.value,
    show_default=True,
    help="Which items.",
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Most entries to list.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per item.")
def list_(state: str, limit: int, as_json: bool) -> None:
    """List items in a review state, and why they are in it.

    The oldest come first.
    """
    with opened() as container:
        now = container.clock()
        with container.store.reading() as tx:
            items = tx.stream.activities.in_review(Review(state), limit)
    if as_json:
        for item in items:
            print_json(_facts(item))
    elif items:
        print_table(
            ("ID", "SOURCE", "KIND", "PUBLISHED", "WHAT", "WHY"),
            [
                (
                    str(item.id),
                    item.source.slug,
                    item.content.kind.value,
                    ago(item.content.published, now),
                    one_line(_words(item), 60),
                    one_line(item.review_reason, 80),
                )
                for item in items
            ],
        )
    else:
        click.echo(f"Nothing is {state}.")


@review.command()
@click.argument("ids", nargs=-1, required=True, type=_ID, metavar="ID...")
@click.option("--at", type=Moment(), help="Time of publication; in UTC unless it has a zone.")
@click.option("--note", default="approved by hand", show_default=True, help="Reason, for the audit log.")
def approve(ids: Sequence[int], at: datetime | None, note: str) -> None:
    """Publish items, now or at a given time."""
    with opened() as container:
        now = container.clock()
        due = at or now
        with container.store.writing() as tx:
            if due > now:
                found = {id_ for id_ in ids if (item := tx.stream.activities.get(id_)) and item.gone is None}
                if found:
                    tx.moderation.reviews.decide_at(found, Review.PUBLISHED, by="person", reason=note, due=due)
            else:
                found = set(
                    tx.moderation.decisions.decide(
                        dict.fromkeys(ids), DecisionAction.APPROVE, who=ACTOR, reason=note, now=now
                    ).done
                )
    _say(ids, found, "approved" if due <= now else f"approved from {due:%Y-%m-%d %H:%M:%S} UTC on")


@review.command()
@click.argument("ids", nargs=-1, required=True, type=_ID, metavar="ID...")
@click.option("--reason", default="hidden by hand", show_default=True, help="Reason, for the audit log.")
def hide(ids: Sequence[int], reason: str) -> None:
    """Hide items from the stream."""
    with opened() as container, container.store.writing() as tx:
        now = container.clock()
        found = set(
            tx.moderation.decisions.decide(
                dict.fromkeys(ids), DecisionAction.HIDE, who=ACTOR, reason=reason, now=now
            ).done
        )
    _say(ids, found, "hidden")


def _say(ids: Sequence[int], found: set[int], word: str) -> None:
    for id_ in dict.fromkeys(ids):
        if id_ in found:
            click.echo(f"{id_}: {word}.")
        else:
            click.echo(f"{id_}: no such item, or it was deleted; 'aggregator review list' shows all items.", err=True)
    if found < set(ids):
        sys.exit(FAILED)


def _words(item: Activity) -> str:
    content = item.content
    original = item.object.content if item.object and not content.text else content
    return original.title or original.text or content.url or content.kind.value


def _facts(item: Activity) -> dict[str, object]:
    return {
        "id": str(item.id),
        "source": item.source.slug,
        "kind": item.content.kind.value,
        "url": item.content.url,
        "title": item.content.title,
        "text": _words(item),
        "published_at": item.content.published,
        "review": item.review.value,
        "review_by": item.review_by,
        "reason": item.review_reason,
    }
