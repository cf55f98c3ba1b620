"""Limit the CPU time of tests, also while coverage is measured."""

from __future__ import annotations

import sys

_TRACED = 5  # times the CPU time that code takes without a tracer, at most


def cpu_limit(seconds: float) -> float:
    """Return a limit of CPU time in seconds."""
    return seconds * _TRACED if sys.gettrace() else seconds
