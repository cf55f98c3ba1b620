"""Types for misconfigurations that `doctor` finds."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How serious a finding is."""

    ERROR = "error"  # something does not work, or is unsafe
    WARNING = "warning"  # it works, but not as well as it could


class Finding(NamedTuple):
    """A misconfiguration."""

    code: str  # stable, for programs
    level: Level
    problem: str
    remedy: str


def error(code: str, problem: str, remedy: str) -> Finding:
    """Return a finding about something that does not work or is unsafe."""
    return Finding(code, Level.ERROR, problem, remedy)


def warning(code: str, problem: str, remedy: str) -> Finding:
    """Return a finding about something that works, but not as well as it could."""
    return Finding(code, Level.WARNING, problem, remedy)
