"""Host groups: which hosts are one service and so share a turn, and what holds for them. Pure.

The table is the operators' own; `HostGroups` answers from a copy of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Pauses(StrEnum):
    """What is left alone after a 429 or 503."""

    GROUP = "group"
    URL = "url"  # only what answered so


@dataclass(frozen=True, slots=True)
class HostGroup:
    """One row of the table: the host `suffix` and everything below it belong to `name`."""

    suffix: str
    name: str
    spacing: timedelta | None = None  # between the starts of two requests; None: as set for all
    concurrency: int | None = None  # requests at the same time; None: as set for all
    pauses: Pauses = Pauses.GROUP


class HostPolicy(NamedTuple):
    """How a host is to be treated, and under which name its turns are counted."""

    name: str  # "group:port"
    spacing: timedelta
    concurrency: int
    pauses: Pauses


class HostGroups:
    """The table with the settings behind it."""

    def __init__(
        self, groups: Iterable[HostGroup] = (), *, spacing: timedelta = timedelta(seconds=2), concurrency: int = 1
    ) -> None:
        self._groups = {group.suffix: group for group in groups}
        self._spacing = spacing
        self._concurrency = concurrency

    def manners(self, host: str) -> HostPolicy:
        """Say how "name:port" is to be treated; the longest suffix that fits counts."""
        name, _, port = host.rpartition(":")
        group = self._of(name)
        if group is None:
            return HostPolicy(host, self._spacing, self._concurrency, Pauses.GROUP)
        spacing = self._spacing if group.spacing is None else group.spacing
        return HostPolicy(f"{group.name}:{port}", spacing, group.concurrency or self._concurrency, group.pauses)

    def _of(self, name: str) -> HostGroup | None:
        labels = name.split(".")
        suffixes = (".".join(labels[start:]) for start in range(len(labels)))
        return next((self._groups[suffix] for suffix in suffixes if suffix in self._groups), None)
