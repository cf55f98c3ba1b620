"""Group hosts into services that share a rate limit and its settings. Pure.

Operators maintain the table; `HostGroups` uses a copy of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta


class Pauses(StrEnum):
    """The scope of a pause after a 429 or 503."""

    GROUP = "group"
    URL = "url"  # only the host that sent the response


@dataclass(frozen=True, slots=True)
class HostGroup:
    """A row of the table: the host `suffix` and its subdomains belong to `name`."""

    suffix: str
    name: str
    spacing: timedelta | None = None  # between the starts of two requests; None: the default
    concurrency: int | None = None  # concurrent requests; None: the default
    pauses: Pauses = Pauses.GROUP


class HostPolicy(NamedTuple):
    """The rate limit of a host and the name of its group."""

    name: str  # "group:port"
    spacing: timedelta
    concurrency: int
    pauses: Pauses


class HostGroups:
    """The table of groups."""

    def __init__(self, groups: Iterable[HostGroup] = ()) -> None:
        self._groups = {group.suffix: group for group in groups}

    def name_of(self, host: str) -> str:
        """Return the name of the group of "name:port", or `host` without one; the longest matching suffix wins."""
        name, _, port = host.rpartition(":")
        group = self._of(name)
        return host if group is None else f"{group.name}:{port}"

    def policy(self, host: str, *, spacing: timedelta, concurrency: int) -> HostPolicy:
        """Return the policy for "name:port"; `spacing` and `concurrency` apply where its group has none."""
        group = self._of(host.rpartition(":")[0])
        if group is None:
            return HostPolicy(host, spacing, concurrency, Pauses.GROUP)
        own_spacing = spacing if group.spacing is None else group.spacing
        return HostPolicy(self.name_of(host), own_spacing, group.concurrency or concurrency, group.pauses)

    def _of(self, name: str) -> HostGroup | None:
        labels = name.split(".")
        suffixes = (".".join(labels[start:]) for start in range(len(labels)))
        return next((self._groups[suffix] for suffix in suffixes if suffix in self._groups), None)
