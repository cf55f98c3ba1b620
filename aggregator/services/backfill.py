"""Read the archive of a source and store its new items."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from aggregator.domain.billing.metering import Purpose
from aggregator.services.store_result import store_archive
from aggregator.source_api.archive import ArchiveCost, ArchiveRequest
from aggregator.sources import kinds
from aggregator.system.thread_pools import in_database_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from aggregator.domain.polling.results import FetchResult
    from aggregator.domain.source import Source
    from aggregator.services.poll_report import Report
    from aggregator.services.runtime import Runtime


@dataclass(frozen=True, slots=True)
class BackfillCost:
    """What a backfill may cost, and the room that the service's budget has for it."""

    cost: ArchiveCost
    room: int | None  # posts; None: no limit


class Backfill:
    """Reads archives page by page."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def request(
        self, source: Source, pages: int | None = None, since: datetime | None = None, dollars: float | None = None
    ) -> ArchiveRequest:
        """Return the request for items older than the oldest stored one."""
        with self._runtime.store.reading() as tx:
            oldest = tx.stream.activities.lowest_id(source.id)
        return ArchiveRequest(pages or kinds()[source.kind].archive_pages, since, oldest, dollars)

    def cost(self, source: Source, request: ArchiveRequest) -> BackfillCost | None:
        """Return what a request may cost; None: nothing.

        Raises:
            BadRequestError: the source has no archive.
        """
        runtime = self._runtime
        found = kinds()[source.kind].archive_cost(source, request, runtime.settings.kinds, runtime.clock())
        if found is None:
            return None

        async def room() -> int | None:
            return await (await runtime.context()).spending.room(found.service, Purpose.POLL)

        return BackfillCost(found, runtime.run(room()))

    def run(self, source: Source, request: ArchiveRequest, report: Callable[[Report], None]) -> None:
        """Read older items of a source, store new ones and report each page.

        Raises:
            SourceError: a page can't be read; the pages before it are stored.
        """
        self._runtime.run(self._read(source, request, report))

    async def _read(self, source: Source, request: ArchiveRequest, report: Callable[[Report], None]) -> None:
        runtime, kind = self._runtime, kinds()[source.kind]
        store = partial(store_archive, tagger=runtime.configuration.tagger, edits_always_show=kind.edits_always_show)
        async with aclosing(kind.archive(source, await runtime.context(), request)) as pages:
            async for page in pages:
                recent = _since(page, request.since)
                report(await in_database_thread(store, runtime.store, source, recent, runtime.clock()))
                if page.activities and not recent.activities:
                    return


def _since(page: FetchResult, since: datetime | None) -> FetchResult:
    """Return a page without items that were published before a time."""
    if since is None:
        return page
    dated = [new for new in page.activities if new.content.published is None or new.content.published >= since]
    return replace(page, activities=dated)
