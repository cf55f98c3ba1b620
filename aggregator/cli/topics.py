"""`topics preview|apply`: preview the tags of a changed vocabulary, and retag stored items."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from aggregator.cli.aliases import add_alias
from aggregator.cli.context import ACTOR, on_terminal, opened
from aggregator.domain.errors import SetupError
from aggregator.text.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.container import Container
    from aggregator.domain.tagging.tagger import Tagger
    from storage.stream.tags import Batch, Retagged

_EXAMPLES = 20
_SHOWN = 60  # characters of a title


@click.group()
def topics() -> None:
    """Tag items with topics and countries.

    They come from topics.toml and countries.csv in AGGREGATOR_CONFIG_DIR.
    """


@topics.command()
@click.option(
    "--examples", type=click.IntRange(0, 1000), default=_EXAMPLES, show_default=True, help="Most items shown."
)
@click.option("--newest", type=click.IntRange(min=1), default=None, help="Only this many of the newest items.")
def preview(examples: int, newest: int | None) -> None:
    """Show which tags the current files would change; changes nothing."""
    with opened() as container:
        tagger = _tagger(container)
        seen, changed, gained, lost = 0, 0, Counter[str](), Counter[str]()
        for batch in _batches(container, tagger, newest):
            seen += batch.looked_at
            for change in batch.retagged:
                changed += 1
                gained.update(_gained(change))
                lost.update(_lost(change))
                if changed <= examples:
                    click.echo(_line(change))
        if changed > examples:
            click.echo(f"… and {changed - examples} more.")
        click.echo(f"{changed} of {seen} items would get different tags.")
        for sign, counted in (("+", gained), ("-", lost)):
            for tag, count in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])):
                click.echo(f"  {sign}{count} {tag}")


add_alias(topics, "rehearse", preview)


@topics.command()
def apply() -> None:
    """Retag stored items with the current files.

    This runs in batches, while readers are served.
    """
    with opened() as container:
        tagger = _tagger(container)
        with container.store.reading() as tx:
            total = tx.stream.tags.count()
        seen = changed = 0
        for batch in _batches(container, tagger, None, write=True):
            seen += batch.looked_at
            changed += len(batch.retagged)
            if on_terminal():
                click.echo(f"\r{seen} of {total} items", err=True, nl=False)
        if on_terminal() and seen:
            click.echo("", err=True)
        with container.store.writing() as tx:
            tx.moderation.audit.note(
                container.clock(), ACTOR, "topics applied", "topics", {"items": seen, "changed": changed}
            )
        click.echo(f"{changed} of {seen} items have different tags now.")


def _tagger(container: Container) -> Tagger:
    container.configuration.check()
    tagger = container.configuration.tagger
    if tagger is None:
        folder = container.settings.config_dir
        missing = f"{folder / 'topics.toml'} does not exist." if folder else "AGGREGATOR_CONFIG_DIR is not set."
        raise SetupError(f"There are no topics: {missing} The folder 'config' of this project is a sample.")
    return tagger


def _batches(container: Container, tagger: Tagger, newest: int | None, *, write: bool = False) -> Iterator[Batch]:
    """Yield the changes by batch; each batch is written in a separate transaction."""
    after = 0
    if newest is not None:
        with container.store.reading() as tx:
            after = tx.stream.tags.before_newest(newest)
    while True:
        with container.store.writing() if write else container.store.reading() as tx:
            batch = tx.stream.tags.batch(tagger, after)
            if batch is not None and write:
                tx.stream.tags.write(batch.retagged)
        if batch is None:
            return
        after = batch.last
        yield batch


def _gained(change: Retagged) -> Iterator[str]:
    before = {*change.item.topics, *change.item.countries}
    return (tag for tag in (*change.topics, *change.countries) if tag not in before)


def _lost(change: Retagged) -> Iterator[str]:
    after = {*change.topics, *change.countries}
    return (tag for tag in (*change.item.topics, *change.item.countries) if tag not in after)


def _line(change: Retagged) -> str:
    gained = [f"+{tag} ({change.reasons.get(tag, '')})" for tag in _gained(change)]
    changes = [*gained, *(f"-{tag}" for tag in _lost(change))] or ["for another word"]
    content = change.item.object.content if change.item.object and not change.item.content.text else change.item.content
    title = one_line(content.title or content.text)
    return f"{change.item.id}: {title[:_SHOWN]}{'…' if len(title) > _SHOWN else ''}  {', '.join(changes)}"
