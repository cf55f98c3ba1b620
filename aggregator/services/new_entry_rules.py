"""Apply quarantine, rules and active freezes to new activities, within one transaction."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING

from aggregator.domain.moderation.conditions import facts_of
from aggregator.domain.moderation.freezes import frozen_until
from aggregator.domain.moderation.rules import Rulebook
from aggregator.domain.moderation.screening import under_freeze, under_rules
from aggregator.domain.polling.backfill_detection import quarantined

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from aggregator.domain.activity import ScreenedActivity
    from aggregator.domain.matching.near_duplicates import MinHashIndex
    from aggregator.domain.moderation.freezes import Freeze
    from aggregator.domain.source import Source
    from storage.store import Transaction


class NewEntryRules:
    """The rules and freezes, read once for any number of sources."""

    def __init__(self, tx: Transaction, now: datetime) -> None:
        self._tx, self._now = tx, now
        self._recent: MinHashIndex | None = None  # items of all sources

    @cached_property
    def _book(self) -> Rulebook:
        return Rulebook(self._tx.moderation.rules.all(), self._now)

    @cached_property
    def _freezes(self) -> Sequence[Freeze]:
        return self._tx.moderation.freezes.active(self._now)

    def apply(
        self, source: Source, fresh: Sequence[ScreenedActivity], last_look: datetime | None = None
    ) -> list[ScreenedActivity]:
        """Return new activities of a source as they are to be stored.

        Args:
            source: of the activities.
            fresh: the activities.
            last_look: the last successful poll; many entries from before it are a burst. None: no entry is.
        """
        judged = quarantined(fresh, last_look)
        if not judged:
            return judged
        if self._book:
            self._apply_book(source, judged)
        freeze = frozen_until(self._freezes, source.id, self._now)
        return [under_freeze(entry, freeze) for entry in judged]

    def _apply_book(self, source: Source, judged: list[ScreenedActivity]) -> None:
        around = self._tx.moderation.rules.around(source, self._book, self._now, self._recent)
        self._recent = around.recent
        acted: Counter[int] = Counter()
        for place, entry in enumerate(judged):
            facts = facts_of(entry.new, entry.search_text, source.slug, self._now)
            verdict = self._book.judge(facts, around)
            around.note(facts)
            acted.update(verdict.acted)
            judged[place] = under_rules(entry, verdict, self._now)
        self._tx.moderation.rules.count(acted, self._now)
