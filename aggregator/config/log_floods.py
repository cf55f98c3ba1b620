"""Summarize floods of alike warnings and errors in the log."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.types import EventDict

MOST = 20  # lines of one kind per window
WINDOW = 60.0  # seconds
_MOST_KINDS = 1000  # in memory

_log = structlog.get_logger(__name__)

_Key = tuple[str, str]  # event, code


class FloodSummary:
    """A structlog processor that drops alike warnings and errors beyond a number per minute, and counts them.

    Lines are alike if they have the same event and the same code. The number that was left out is logged once the
    minute is over and the next line is written.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: dict[_Key, tuple[float, int]] = {}  # start of the window, lines in it
        self._next_check = 0.0

    def __call__(self, _logger: object, method: str, event: EventDict) -> EventDict:
        """Pass a line on.

        Raises:
            structlog.DropEvent: there were too many lines like it.
        """
        if method in ("debug", "info"):
            return event
        key = (str(event.get("event", "")), str(event.get("code", "")))
        now = self._clock()
        with self._lock:
            ended = self._ended(now)
            started, lines = self._kinds.get(key, (now, 0))
            self._kinds[key] = (started, lines + 1)
        for (phrase, code), left_out in ended:
            fields = {"code": code} if code else {}
            _log.warning("alike log lines left out", line=phrase, count=left_out, **fields)
        if lines >= MOST:
            raise structlog.DropEvent
        return event

    def _ended(self, now: float) -> list[tuple[_Key, int]]:
        """Forget the kinds whose window is over; return those with lines that were left out."""
        if now < self._next_check and len(self._kinds) < _MOST_KINDS:
            return []
        over = [key for key, (started, _) in self._kinds.items() if now - started >= WINDOW]
        counts = [(key, self._kinds.pop(key)[1] - MOST) for key in over]
        if len(self._kinds) >= _MOST_KINDS:
            self._kinds.clear()
        self._next_check = min((started for started, _ in self._kinds.values()), default=now) + WINDOW
        return [(key, count) for key, count in counts if count > 0]
