"""Read stored entries again that a former version could not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from aggregator.domain.polling.results import FetchResult
from aggregator.domain.source import SourceState
from aggregator.services.store_result import store_entries
from aggregator.system.product_version import product_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.source import Source
    from aggregator.domain.tagging.tagger import Tagger
    from aggregator.source_api.kind import SourceKind
    from storage.store import Store, Transaction
    from storage.stream.unread_entries import KeptEntry

_AT_ONCE = 50  # entries per poll task

log = structlog.get_logger(__name__)


def read_again(store: Store, kinds: Mapping[str, SourceKind], now: datetime, tagger: Tagger | None = None) -> int:
    """Try the stored entries that only former versions tried; return how many were read."""
    version = product_version()
    with store.reading() as tx:
        entries = tx.stream.unread.of_other_versions(version, _AT_ONCE)
    if not entries:
        return 0
    with store.writing() as tx:
        sources = {source.id: source for source in tx.polling.sources.with_ids({entry.source_id for entry in entries})}
        read: dict[int, list[NewActivity]] = {}
        failed: list[int] = []
        for entry in entries:
            source = sources.get(entry.source_id)
            found = _found(kinds, source, entry) if source else ()
            if source and found:
                read.setdefault(source.id, []).extend(found)
            elif source and source.state is not SourceState.REMOVED:
                failed.append(entry.id)
        tx.stream.unread.note_tried(failed, version)
        tx.stream.unread.forget([entry.id for entry in entries if entry.id not in failed])
        for source_id, activities in read.items():
            _store(tx, sources[source_id], kinds, activities, now, tagger)
    count = sum(map(len, read.values()))
    log.info("unread entries tried again", read=count, unreadable=len(failed))
    return count


def _found(kinds: Mapping[str, SourceKind], source: Source, entry: KeptEntry) -> Sequence[NewActivity]:
    kind = kinds.get(source.kind)
    try:
        return kind.read_again(entry.raw, source) if kind and source.state is not SourceState.REMOVED else ()
    except Exception:
        log.exception("unread entry not read", source=source.slug, native_id=entry.native_id)
        return ()


def _store(
    tx: Transaction,
    source: Source,
    kinds: Mapping[str, SourceKind],
    activities: Sequence[NewActivity],
    now: datetime,
    tagger: Tagger | None,
) -> None:
    """Store entries, except those that were delivered again since, in a newer version."""
    known = tx.stream.activities.known(source.id, {new.native_id for new in activities})
    fresh = [new for new in activities if new.native_id not in known]
    store_entries(tx, source, FetchResult(fresh), now, tagger, edits_always_show=kinds[source.kind].edits_always_show)
