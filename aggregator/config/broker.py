"""Bound the waits for the Celery broker, and log when it goes away and comes back.

Celery and kombu wait without end for a Redis that accepts connections and never answers, since no timeout is set.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT = 3.0  # seconds for a connection or an answer; above the second for which Redis may hold back a BRPOP
_HEALTH = 3  # seconds that an answer may be overdue, and between two looks
_REPEAT = 300.0  # seconds between two lines about a broker that stays away

# Options of kombu's Redis transport; other transports ignore them.
TRANSPORT: Mapping[str, Any] = {
    "socket_timeout": _TIMEOUT,
    "socket_connect_timeout": _TIMEOUT,
    "socket_keepalive": True,
    "health_check_interval": _HEALTH,  # drops a BRPOP without an answer after one second and twice this
}
# Sending: one new connection in place of a stale one; what fails then is sent again by the next tick.
PUBLISHING: Mapping[str, Any] = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
# Waiting for a broker: with growing pauses, but never so long that a tick is missed once it is back.
WAITING: Mapping[str, Any] = {"max_retries": None, "interval_start": 1, "interval_step": 1, "interval_max": 5}

log = structlog.get_logger(__name__)


class Availability:
    """Logs one line when the broker goes away, one when it is back, and few between."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._logged = 0.0

    def away(self, reason: object) -> None:
        """Note a failure."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        elif now - self._logged < _REPEAT:
            return
        self._logged = now
        log.warning("broker is away", seconds=round(now - self._since), reason=str(reason))

    def back(self) -> None:
        """Note a success."""
        if self._since is not None:
            log.warning("broker is back", seconds=round(time.monotonic() - self._since))
            self._since = None
