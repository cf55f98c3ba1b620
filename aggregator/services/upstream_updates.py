"""Store posts whose version or withheld countries changed upstream since they were fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.domain.matching.edit_decisions import EditPolicy
from aggregator.domain.source import Policy
from aggregator.services.screen_entries import screened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.compliance.records import Shown
    from aggregator.domain.compliance.takedowns import LookedUp
    from aggregator.domain.tagging.tagger import Tagger
    from storage.store import Transaction

_POLICY = EditPolicy(always_show=True)  # show the network's current version, even of approved posts


def store_updates(tx: Transaction, looked: LookedUp, now: datetime, tagger: Tagger | None = None) -> int:
    """Store posts that differ upstream: another version, or other withheld countries."""
    by_key = {new.key: new for new in looked.activities}
    by_source: dict[int, list[NewActivity]] = {}
    for row in tx.compliance.shown(list(by_key)):
        if _differs(row, by_key[row.key]):
            by_source.setdefault(row.source_id, []).append(by_key[row.key])
    changed = 0
    for source_id, activities in by_source.items():
        again = [screened(new, Policy.AUTO, now, tagger) for new in activities]
        changed += tx.stream.activities.store(source_id, again, now, edit_policy=_POLICY).changed
    return changed


def _differs(row: Shown, new: NewActivity) -> bool:
    """Return whether version or withheld countries of a post, or of its embedded post, differ from the stored ones."""
    if _visible_state(row.url, row.detail) != _visible_state(new.content.url, {"withheld": new.content.withheld}):
        return True
    if row.object is None or new.object is None:
        return False
    stored, fetched = row.object["content"], new.object.content
    return _visible_state(stored.get("url"), stored) != _visible_state(fetched.url, {"withheld": fetched.withheld})


def _visible_state(url: str | None, detail: Mapping[str, Any] | None) -> tuple[str, tuple[str, ...]]:
    return (url or "").rpartition("/")[2], tuple((detail or {}).get("withheld") or ())
