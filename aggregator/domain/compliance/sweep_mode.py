"""How a network is asked about deleted posts."""

from __future__ import annotations

from enum import StrEnum


class Sweeping(StrEnum):
    """How it is learnt which shown posts are gone at their network."""

    AUTO = "auto"  # by jobs, or by looking up where the network refuses them
    JOBS = "jobs"
    LOOKUP = "lookup"
    OFF = "off"
