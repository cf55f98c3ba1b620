"""Keep facts of polls in the state of a source, for the recognition of silence and of wrong responses. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aggregator.domain.monitoring import silence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

_GAPS = "gaps"  # the key of the `silence.GapHistory`


class Watch(NamedTuple):
    """The new facts of a source. None: as before."""

    stored: Mapping[str, Any] | None = None
    silent_from: datetime | None = None  # if it publishes nothing until then, it has gone silent


def watched(stored: Mapping[str, Any] | None, published: Sequence[datetime], now: datetime) -> Watch:
    """Return the new facts after a poll with new items."""
    if not published:
        return Watch()
    history = silence.observed(history_of(stored), published, now)
    if history is None:
        return Watch()
    after = silence.silent_after(history)
    return Watch({**(stored or {}), _GAPS: history.json()}, None if after is None else history.newest + after)


def history_of(stored: Mapping[str, Any] | None) -> silence.GapHistory | None:
    """Return the stored gaps between the items of a source."""
    gaps = (stored or {}).get(_GAPS)
    return silence.GapHistory.of(gaps) if isinstance(gaps, dict) else None
