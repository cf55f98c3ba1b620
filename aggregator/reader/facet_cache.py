"""Keep facet counts of pages until the stream changes, so that pages of the same filters count once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from aggregator.domain.stream import DEFAULT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.domain.stream import Facets, Query
    from storage.store import Transaction

MOST_COUNTED = 2_000  # activities per query
_MOST_KEPT = 200  # queries


class FacetCache:
    """Counts the facets of queries. Thread-safe."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Query, Facets] = OrderedDict()
        self._lock = threading.Lock()

    def facets(self, tx: Transaction, query: Query, cohorts: Mapping[str, frozenset[str]]) -> Facets:
        """Return the counts among the newest activities that match a query, whatever its page."""
        plain = replace(query, after=None, limit=DEFAULT_LIMIT, stitch=True, by_story=False)
        revision = tx.stream.state.revision()
        with self._lock:
            kept = self._kept.get(plain)
        if kept is not None and kept.revision == revision:
            return kept
        counted = tx.stream.activities.facets(plain, cohorts, most=MOST_COUNTED)
        with self._lock:
            self._kept[plain] = counted
            self._kept.move_to_end(plain)
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return counted
