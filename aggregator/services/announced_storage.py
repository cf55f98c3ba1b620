"""Store announced posts of many sources in one transaction, as their polls would."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import structlog

from aggregator.domain.monitoring.counts import counts_of_delays
from aggregator.domain.polling.results import FetchResult
from aggregator.domain.source import SourceState
from aggregator.services.new_entry_rules import NewEntryRules
from aggregator.services.screen_entries import screened_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.activity import NewActivity, ScreenedActivity
    from aggregator.domain.source import Source
    from aggregator.services.runtime import Runtime
    from aggregator.source_api.push import AnnouncedPostSource
    from storage.store import Transaction
    from storage.stream.activities import OfSource

log = structlog.get_logger(__name__)


class _Read(NamedTuple):
    """The sources, and the mark that shows whether a person has changed any since."""

    sources: Mapping[int, Source]
    mark: int


class AnnouncedStorage:
    """Stores announced posts.

    Args:
        runtime: the process.
        kind: of the sources.
    """

    def __init__(self, runtime: Runtime, kind: AnnouncedPostSource) -> None:
        self._runtime, self._kind = runtime, kind

    def store(self, found: Sequence[tuple[Sequence[int], NewActivity]]) -> None:
        """Store posts in those of their sources that are active and take them; known posts stay as they are.

        Args:
            found: each post with the ids of its sources.

        Raises:
            StoreUnavailableError: the database doesn't respond.
        """
        ids = {source_id for source_ids, _ in found for source_id in source_ids}
        while not self._store(found, self._read(ids)):
            pass

    def _read(self, ids: set[int]) -> _Read:
        with self._runtime.store.reading() as tx:
            mark = tx.polling.pushes.mark()
            return _Read({source.id: source for source in tx.polling.sources.with_ids(ids)}, mark)

    def _store(self, found: Sequence[tuple[Sequence[int], NewActivity]], read: _Read) -> bool:
        """Store posts; return False if a person has changed a source meanwhile."""
        now = self._runtime.clock()
        rounds = list(self._screened(found, read.sources, now))
        if not rounds:
            return True
        with self._runtime.store.writing() as tx:
            if tx.polling.pushes.mark() != read.mark:
                return False
            rules = NewEntryRules(tx, now)
            new = sum(self._insert(tx, rules, entries, read.sources, now) for entries in rounds)
        log.info("announced posts stored", posts=len(found), new=new)
        return True

    def _screened(
        self, found: Sequence[tuple[Sequence[int], NewActivity]], sources: Mapping[int, Source], now: datetime
    ) -> Iterator[list[OfSource]]:
        """Yield the posts of the first source of each account, then those of the second, and so on."""
        for place in range(max((len(source_ids) for source_ids, _ in found), default=0)):
            entries: list[OfSource] = []
            for source_ids, new in found:
                source = sources.get(source_ids[place]) if place < len(source_ids) else None
                if source is not None and self._is_stored_in(source, new):
                    entries += [(source.id, entry) for entry in self._screen(source, new, now)]
            if entries:
                yield entries

    def _is_stored_in(self, source: Source, new: NewActivity) -> bool:
        """Return whether a post belongs into a source; one that was never polled gets all posts from its first poll."""
        was_polled = source.poll.last_success is not None
        return source.state is SourceState.ACTIVE and was_polled and self._kind.takes(source, new)

    def _screen(self, source: Source, new: NewActivity, now: datetime) -> list[ScreenedActivity]:
        result = FetchResult(activities=[new], state={})
        return screened_all(source, result, now, self._runtime.configuration.tagger)

    def _insert(
        self,
        tx: Transaction,
        rules: NewEntryRules,
        entries: Sequence[OfSource],
        sources: Mapping[int, Source],
        now: datetime,
    ) -> int:
        def judge(fresh: Sequence[OfSource]) -> list[OfSource]:
            by_source: dict[int, list[ScreenedActivity]] = defaultdict(list)
            for source_id, entry in fresh:
                by_source[source_id].append(entry)
            judged = ((id_, rules.apply(sources[id_], together)) for id_, together in by_source.items())
            return [(source_id, entry) for source_id, together in judged for entry in together]

        stored = tx.stream.activities.insert(entries, now, judge)
        delays = ((network, max(now - published, timedelta())) for network, published in stored.shown)
        tx.monitoring.counts.add(counts_of_delays(delays), now)
        return stored.new
