"""Read the state of streams of pushed events, and poll as usual again when one has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from aggregator.domain.polling.pushes import has_ended, state_of, stream_names
from aggregator.source_api.push import PushSource
from aggregator.sources import kinds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

    from aggregator.domain.polling.pushes import PushState
    from storage.store import Transaction

log = structlog.get_logger(__name__)


def push_sources() -> list[PushSource]:
    """Return the kinds of source whose network can push events."""
    return [kind for kind in kinds().values() if isinstance(kind, PushSource)]


def push_states(tx: Transaction, values: Mapping[str, Any], now: datetime) -> list[PushState]:
    """Return the states of the streams that the operators have enabled.

    Args:
        tx: a transaction.
        values: of the settings of kinds.
        now: the present time.
    """
    networks = [kind.network for kind in push_sources() if kind.is_push_enabled(values)]
    if not networks:
        return []
    times = tx.polling.pushes.times([name for network in networks for name in stream_names(network)])
    return [state_of(network, times, now) for network in networks]


def resume_polls(tx: Transaction, now: datetime) -> None:
    """Poll as usual again where pushed events had slowed polls down and no process listens any more."""
    networks = {kind.network: kind.name for kind in push_sources()}
    times = tx.polling.pushes.times([name for network in networks for name in stream_names(network)])
    for network, kind in networks.items():
        if has_ended(network, times, now):
            resumed = tx.polling.pushes.resume(kind, now)
            tx.polling.pushes.forget_times([stream_names(network).alive])
            log.warning("stream of pushed events has ended", network=network, resumed=resumed)
