"""Remove query parameters that only track readers. Pure.

The names are data: `tracking_params.txt`. A parameter that is not listed stays, since removing a wrong one breaks an
address and keeping one only makes it longer.
"""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple


class TrackingParams(NamedTuple):
    """Names, prefixes and names by host, in lower case."""

    names: frozenset[str]
    prefixes: tuple[str, ...]
    by_host: dict[str, frozenset[str]]


def parse(text: str) -> TrackingParams:
    """Parse a list of parameters in the format of `tracking_params.txt`."""
    names, prefixes, by_host = set[str](), list[str](), dict[str, frozenset[str]]()
    for line in text.splitlines():
        host, colon, listed = line.partition(":")
        if not line.strip() or line.startswith("#"):
            continue
        if colon:
            by_host[host] = frozenset(listed.split())
        elif line.endswith("*"):
            prefixes.append(line[:-1])
        else:
            names.add(line)
    return TrackingParams(frozenset(names), tuple(prefixes), by_host)


_PARAMS = parse(files(__package__).joinpath("tracking_params.txt").read_text(encoding="utf-8"))


def without_trackers(query: str, host: str) -> str:
    """Remove tracking parameters from a query; all others keep their order and spelling.

    Args:
        query: as in the address, without "?".
        host: of the address, in lower case.
    """
    by_host = _PARAMS.by_host
    local = next((by_host[suffix] for suffix in _suffixes(host) if suffix in by_host), frozenset[str]())
    return "&".join(pair for pair in query.split("&") if pair and not _tracks(pair.partition("=")[0].lower(), local))


def _tracks(name: str, local: frozenset[str]) -> bool:
    return name in _PARAMS.names or name in local or name.startswith(_PARAMS.prefixes)


def _suffixes(host: str) -> list[str]:
    labels = host.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))]
