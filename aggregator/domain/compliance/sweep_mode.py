"""Define how a network is asked about deleted posts."""

from __future__ import annotations

from enum import StrEnum


class Sweeping(StrEnum):
    """How to find shown posts that were deleted at their network."""

    AUTO = "auto"  # compliance jobs, or lookups if the network refuses jobs
    JOBS = "jobs"
    LOOKUP = "lookup"
    OFF = "off"
