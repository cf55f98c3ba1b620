"""Define the orders of the desk's table of sources. Pure."""

from __future__ import annotations

from enum import StrEnum


class SourceSort(StrEnum):
    """An order of sources; those without a value come last."""

    NAME = "name"
    FOLDER = "folder"
    LAST_NEW = "last-new"  # the latest first
    DUE = "next-poll"  # the next first
    FAILURES = "health"  # the most failures in a row first
