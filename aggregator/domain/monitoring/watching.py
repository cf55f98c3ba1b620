"""Keep facts of polls in the state of a source, and judge by them whether its responses are wrong. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aggregator.domain.monitoring import silence
from aggregator.domain.monitoring.wrongness import Fingerprint, Sign, facts_of, judged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.polling.results import FetchResult

_GAPS = "gaps"  # the key of the `silence.GapHistory`
_DOCUMENT = "document"  # the key of the `wrongness.Fingerprint`


class Watch(NamedTuple):
    """The new facts of a source."""

    stored: Mapping[str, Any] | None = None  # None: as before
    silent_from: datetime | None = None  # if it publishes nothing until then, it has gone silent
    began: Sign | None = None  # its document seems wrong since this poll
    ended: bool = False  # its document seems right again


def watched(
    stored: Mapping[str, Any] | None, result: FetchResult, published: Sequence[datetime], now: datetime
) -> Watch:
    """Return the new facts after a poll.

    Args:
        stored: the facts before.
        result: what the poll found.
        published: the times of new items.
        now: the current time.
    """
    history, facts = history_of(stored), facts_of(result)
    if not published and facts is None:
        return Watch()
    history = silence.observed(history, published, now)
    kept = {**(stored or {})}
    after = None
    if history is not None:
        kept[_GAPS] = history.json()
        after = silence.silent_after(history)
    silent_from = history.newest + after if history is not None and after is not None else None
    if facts is None:
        return Watch(kept, silent_from)
    known = Fingerprint.of(kept.get(_DOCUMENT))
    fingerprint, sign = judged(known, facts, after, now)
    kept[_DOCUMENT] = fingerprint.json()
    began = sign if known.sign is None else None
    return Watch(kept, silent_from, began, known.sign is not None and sign is None)


def history_of(stored: Mapping[str, Any] | None) -> silence.GapHistory | None:
    """Return the stored gaps between the items of a source."""
    gaps = (stored or {}).get(_GAPS)
    return silence.GapHistory.of(gaps) if isinstance(gaps, dict) else None
