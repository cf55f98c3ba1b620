"""`source preview`: show what would be stored of an address, without adding it."""

from __future__ import annotations

import shutil
import sys
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from aggregator.cli.context import FAILED, opened
from aggregator.cli.kind_options import KindOptionsCommand, given
from aggregator.cli.output import print_json
from aggregator.cli.source_edit import credential_options, prompted_headers
from aggregator.domain.errors import AggregatorError
from aggregator.text.durations import spoken
from aggregator.text.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aggregator.domain.activity import Content, Media
    from aggregator.domain.source_preview import PreviewedEntry, SourcePreview

_MOST = 500  # entries
_WIDEST = 100  # columns
_EXCERPT = 400  # characters
_LISTED = 5  # media of an entry
_API_NAMES = {"published": "published_at", "updated": "updated_at"}  # as in the public API


@click.command(cls=KindOptionsCommand)
@click.argument("address")
@click.option("--limit", type=click.IntRange(1, _MOST), default=5, show_default=True, help="Number of entries to show.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: the source with its entries and notes.")
@credential_options
def preview(
    address: str,
    limit: int,
    as_json: bool,
    user: str | None,
    header: Sequence[str],
    **parameters: Any,  # noqa: ANN401  # the options of kinds
) -> None:
    """Show what adding an address would store.

    Notes list repairs, guesses and omissions. A preview of a feed writes nothing to the database; one of an
    account costs the same look-up as adding it.
    """
    from aggregator.fetching.request_target import display_url
    from aggregator.services.subscribe import Subscription

    terms = Subscription(options=given(parameters), headers=prompted_headers(user, header))
    with opened() as container:
        try:
            found = container.preview(address, terms, most=limit)
        except AggregatorError as problem:
            click.echo(f"{one_line(display_url(address))}: no preview. {problem}", err=True)
            sys.exit(FAILED)
    if as_json:
        print_json(_facts(found))
        return
    for line in _lines(found):
        click.echo(line)


def _facts(found: SourcePreview) -> dict[str, object]:
    """Return the preview as JSON fields."""
    return {
        "kind": found.kind,
        "address": found.address,
        "name": found.name,
        "slug": found.slug,
        "followed_as": found.followed_as,
        "floor": found.floor.total_seconds(),
        "cost": found.cost or None,
        "entries": found.entries,
        "notes": found.notes,
        "items": [
            {
                **{name: getattr(entry, name) for name in ("native_id", "topics", "countries", "notes")},
                **{_API_NAMES.get(name, name): value for name, value in asdict(entry.content).items()},
            }
            for entry in found.shown
        ],
    }


def _lines(found: SourcePreview) -> Iterator[str]:
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    yield click.style(one_line(found.name, width), bold=True)
    polled = f"polled at most every {spoken(found.floor)}"
    yield f"{one_line(found.address, 500)} ({found.kind}, slug {found.slug}, {polled})"
    if found.followed_as:
        yield f"Already added as {found.followed_as}."
    yield from _notes(found.notes, width, "")
    for entry in found.shown:
        yield ""
        yield from _card(entry, width)
    hidden = found.entries - len(found.shown)
    if hidden:
        yield ""
        yield f"And {hidden} older; --limit shows more."


def _card(entry: PreviewedEntry, width: int) -> Iterator[str]:
    content = entry.content
    yield click.style(f"┌─ {one_line(content.title or '(no title)', width - 3)}", bold=True)
    for line in _body(entry, width - 2):
        yield f"│ {line}".rstrip()
    for line in _notes(entry.notes, width - 2, "│ "):
        yield line
    yield "└─"


def _body(entry: PreviewedEntry, width: int) -> Iterator[str]:
    content = entry.content
    actor = one_line(content.actor.name, 60) if content.actor else ""
    date = f"{content.published:%Y-%m-%d %H:%M} UTC" if content.published else "no date"
    tags = " ".join(f"#{one_line(tag, 30)}" for tag in content.hashtags[:8])
    yield " · ".join(filter(None, (content.kind.value, actor, date, content.lang, tags)))
    yield one_line(content.url, 500) if content.url else "(no address)"
    yield from _event(content)
    yield from textwrap.wrap(one_line(content.text, _EXCERPT), width)
    for media in content.media[:_LISTED]:
        yield _media(media)
    if len(content.media) > _LISTED:
        yield f"and {len(content.media) - _LISTED} more media"
    if entry.topics or entry.countries:
        yield f"Tagged: {', '.join((*entry.topics, *entry.countries))}"


def _event(content: Content) -> Iterator[str]:
    event = content.event
    if event is not None:
        form = "%Y-%m-%d" if event.all_day else "%Y-%m-%d %H:%M UTC"
        times = " to ".join(moment.strftime(form) for moment in (event.start, event.end) if moment)
        yield "Event: " + ", ".join(
            filter(None, (times, one_line(event.place or "", 80), "cancelled" if event.cancelled else ""))
        )


def _media(media: Media) -> str:
    size = f"{media.width}×{media.height}" if media.width and media.height else ""  # noqa: RUF001
    alt = f'"{one_line(media.alt, 60)}"' if media.alt else ""
    return " ".join(filter(None, (f"{media.type}:", one_line(media.url, 300), size, alt)))


def _notes(notes: Sequence[str], width: int, prefix: str) -> Iterator[str]:
    for note in notes:
        lines = textwrap.wrap(one_line(note, 600), width, initial_indent="! ", subsequent_indent="  ")
        yield from (prefix + click.style(line, fg="yellow") for line in lines)
