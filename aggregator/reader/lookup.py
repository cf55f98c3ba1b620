"""Look up one public activity, or raise the right error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aggregator.domain.activity import Review
from aggregator.domain.errors import NotFoundError
from aggregator.domain.own_posts import is_unpublished
from aggregator.reader.errors import GoneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.domain.activity import Activity
    from storage.store import Store

_LARGEST_ID = 2**63 - 1
_NOT_YET = frozenset({Review.WAITING, Review.QUARANTINED})  # may still be published, so 410 would be wrong


def shown(store: Store, id_text: str) -> Activity:
    """Return the activity with an id from a URL if it is public.

    Raises:
        NotFoundError: it doesn't exist or has not been published yet.
        GoneError: it is no longer public, for any reason.
    """
    return shown_with_story(store, id_text)[0]


def shown_with_story(store: Store, id_text: str) -> tuple[Activity, Sequence[Activity]]:
    """Return a public activity and the others of its story, newest first; raises as `shown`."""
    missing = NotFoundError(f"There is no activity {id_text[:80]!r}.")
    if not re.fullmatch(r"[1-9][0-9]{0,18}", id_text) or int(id_text) > _LARGEST_ID:
        raise missing
    with store.reading() as tx:
        item = tx.stream.activities.get(int(id_text))
        others = tx.stream.activities.others_of_story(item) if item is not None and item.visible else ()
    if item is None or (item.gone is None and (item.review in _NOT_YET or is_unpublished(item))):
        raise missing
    if not item.visible:
        raise GoneError(f"Activity {id_text} is no longer shown.")
    return item, others
