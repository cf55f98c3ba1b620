"""Read the archive of a source and store its new items."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aggregator.services.store_result import store_archive
from aggregator.sources import kinds
from aggregator.system.thread_pools import in_database_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from aggregator.domain.source import Source
    from aggregator.services.poll_report import Report
    from aggregator.services.runtime import Runtime


class Backfill:
    """Reads archives page by page."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def run(self, source: Source, pages: int, report: Callable[[Report], None]) -> None:
        """Read up to `pages` pages of the oldest items of a source, store new items and report each page.

        Raises:
            SourceError: a page can't be read; the pages before it are stored.
        """
        self._runtime.run(self._read(source, pages, report))

    async def _read(self, source: Source, pages: int, report: Callable[[Report], None]) -> None:
        runtime, kind = self._runtime, kinds()[source.kind]
        store = partial(store_archive, tagger=runtime.configuration.tagger, edits_always_show=kind.edits_always_show)
        async for page in kind.archive(source, await runtime.context(), pages):
            report(await in_database_thread(store, runtime.store, source, page, runtime.clock()))
