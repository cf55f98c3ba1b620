"""Updates: what a network shows otherwise now than when we read it, as looking posts up tells."""

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

_POLICY = EditPolicy(always_show=True)  # people see what the network shows now, whatever was approved


def store_updates(tx: Transaction, looked: LookedUp, now: datetime, tagger: Tagger | None = None) -> int:
    """Store posts that their network shows otherwise than we do: other versions, other countries."""
    told = {one.key: one for one in looked.activities}
    by_source: dict[int, list[NewActivity]] = {}
    for row in tx.compliance.shown(list(told)):
        if _differs(row, told[row.key]):
            by_source.setdefault(row.source_id, []).append(told[row.key])
    changed = 0
    for source_id, activities in by_source.items():
        again = [screened(one, Policy.AUTO, now, tagger) for one in activities]
        changed += tx.stream.activities.store(source_id, again, now, edit_policy=_POLICY).changed
    return changed


def _differs(row: Shown, new: NewActivity) -> bool:
    """Say whether a post is another version, or held back elsewhere, than what we show; or what it embeds is."""
    if _looks(row.url, row.detail) != _looks(new.content.url, {"withheld": new.content.withheld}):
        return True
    if row.object is None or new.object is None:
        return False
    held, told = row.object["content"], new.object.content
    return _looks(held.get("url"), held) != _looks(told.url, {"withheld": told.withheld})


def _looks(url: str | None, detail: Mapping[str, Any] | None) -> tuple[str, tuple[str, ...]]:
    return (url or "").rpartition("/")[2], tuple((detail or {}).get("withheld") or ())
