"""Define the clock, which is passed as an argument so that decisions depend on nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Clock(Protocol):
    """A clock."""

    def __call__(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...
