"""Items that editors add by hand: stored like what sources bring, under a source of our own that nobody polls."""

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
_FLOOR = timedelta(days=1)  # of polls that there are none of


def publish(
    tx: Transaction, content: Content, native_id: str | None, who: str, now: datetime, tagger: Tagger | None = None
) -> int:
    """Store an item of our own, shown at once, over the one that has this native id; return its id."""
    source = _source(tx, now)
    name = native_id or uuid4().hex
    new = NewActivity(
        native_id=name,
        key=web_key(content.url) if content.url else f"{KIND}:{name}",
        content=content,
        entry_digest=uuid4().hex,  # each saving is an edit
    )
    one = replace(
        screened(new, Policy.AUTO, now, tagger, SLUG),
        review=Review.PUBLISHED,
        review_by="policy",
        review_reason=f"added by {who}",
    )
    tx.stream.activities.store(source.id, [one], now)
    return tx.stream.activities.known(source.id, [name])[name].id


def _source(tx: Transaction, now: datetime) -> Source:
    """Return the source of our own items, made when it is first needed."""
    held = tx.polling.sources.get(SLUG)
    if held is not None:
        return held
    found = Discovery(kind=KIND, address="desk:", host="", name=_NAME, slug=SLUG, every=None, floor=_FLOOR)
    return tx.polling.sources.add(found, slug=SLUG, policy=Policy.AUTO, now=now, polled=False)
