"""Provide the context of a command: settings, logging, and an open container with a matching schema."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING

from aggregator.config.logging import configure_logging
from aggregator.config.settings import Settings
from aggregator.domain.errors import NotFoundError
from aggregator.domain.source import SourceFilter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.container import Container
    from aggregator.domain.source import Source
    from storage.store import Transaction

WRONG_USAGE = 2  # exit code
FAILED = 1
ACTOR = "command line"  # actor of decisions in the audit log
_COMPARED = 100  # slugs before and after an unknown one, which may be meant


@contextmanager
def opened(settings: Settings | None = None) -> Iterator[Container]:
    """Open the container for a command that prints its own results: only errors are logged.

    Raises:
        SettingsError, SchemaError, StoreUnavailableError: the message contains the remedy.
    """
    from aggregator.container import Container

    settings = settings or Settings.from_environment()
    configure_logging("debug" if settings.log_level == "debug" else "error", settings.log_format)
    container = Container(settings)
    try:
        container.store.check_schema()
        yield container
    finally:
        container.close()


def existing(tx: Transaction, slug: str) -> Source:
    """Return a source by its slug.

    Raises:
        NotFoundError: there is none.
    """
    found = tx.polling.sources.get(slug)
    if found is None:
        raise unknown_source(tx, slug)
    return found


def unknown_source(tx: Transaction, slug: str) -> NotFoundError:
    """Return the error about a slug that no source has; it names similar ones."""
    near = [tx.polling.sources.slugs_from(slug, _COMPARED, before=before) for before in (True, False)]
    found = tx.polling.sources.page(_COMPARED, which=SourceFilter(search=slug)) if slug.strip() else []
    known = [*(name for part in near for name, _ in part), *(source.slug for source in found)]
    similar = get_close_matches(slug, known, n=3, cutoff=0.5) or [source.slug for source in found[:3]]
    guess = f" Did you mean {' or '.join(dict.fromkeys(similar))}?" if similar else ""
    return NotFoundError(f"There is no source {slug[:200]!r}.{guess} 'aggregator source list' shows all sources.")


def on_terminal() -> bool:
    """Return whether standard error is a terminal."""
    return sys.stderr.isatty()
