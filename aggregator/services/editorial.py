"""Store items that editors write, under an internal source that is never polled."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from aggregator.domain.activity import NewActivity, Review
from aggregator.domain.polling.results import Discovery
from aggregator.domain.source import Policy
from aggregator.services.screen_entries import screened
from aggregator.text.urls import web_key

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.domain.activity import Content
    from aggregator.domain.source import Source
    from aggregator.domain.tagging.tagger import Tagger
    from storage.store import Transaction

SLUG = "desk"
KIND = "desk"
_NAME = "Our editors"
_FLOOR = timedelta(days=1)  # poll interval; unused


def publish(
    tx: Transaction, content: Content, native_id: str | None, who: str, now: datetime, tagger: Tagger | None = None
) -> int:
    """Store an item of our own, shown at once, replacing the item with this native id, if any; return its id."""
    source = _source(tx, now)
    name = native_id or uuid4().hex
    new = NewActivity(
        native_id=name,
        key=web_key(content.url) if content.url else f"{KIND}:{name}",
        content=content,
        entry_digest=uuid4().hex,  # so that each saving counts as an edit
    )
    entry = replace(
        screened(new, Policy.AUTO, now, tagger, SLUG),
        review=Review.PUBLISHED,
        review_by="policy",
        review_reason=f"added by {who}",
    )
    tx.stream.activities.store(source.id, [entry], now)
    return tx.stream.activities.known(source.id, [name])[name].id


def _source(tx: Transaction, now: datetime) -> Source:
    """Return the source of our own items; create it on first use."""
    source = tx.polling.sources.get(SLUG)
    if source is not None:
        return source
    found = Discovery(kind=KIND, address="desk:", host="", name=_NAME, slug=SLUG, every=None, floor=_FLOOR)
    return tx.polling.sources.add(found, slug=SLUG, policy=Policy.AUTO, now=now, polled=False)
