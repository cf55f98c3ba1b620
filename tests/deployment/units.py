"""Read the systemd units with their shared settings for the tests."""

from __future__ import annotations

import shlex
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.deployment.compose import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER = ROOT / "deploy" / "systemd"
CREDENTIALS = "%d/"  # where systemd puts a unit's copies of secrets


@dataclass(frozen=True)
class Unit:
    """One unit: every value of every setting, shared ones first."""

    name: str
    options: Mapping[str, list[str]]

    def last(self, setting: str) -> str:
        """Return the last value, which takes effect."""
        return self.options[setting][-1]

    @property
    def command(self) -> list[str]:
        """Its command line, with `%%` unescaped."""
        return shlex.split(self.last("ExecStart").replace("%%", "%"))

    @property
    def environment(self) -> dict[str, str]:
        """Its own variables, and those of the example file."""
        own = [pair for value in self.options["Environment"] for pair in shlex.split(value)]
        return dict(pair.split("=", 1) for pair in (*own, *example()))

    @property
    def credentials(self) -> dict[str, str]:
        """Name and file of each of its secrets."""
        return dict(value.split(":", 1) for value in self.options["LoadCredential"])


def units() -> dict[str, Unit]:
    shared = [FOLDER / "aggregator-.service.d" / "common.conf"]
    return {path.stem: Unit(path.stem, _read([*shared, path])) for path in sorted(FOLDER.glob("*.service"))}


def example(*, commented: bool = False) -> list[str]:
    """Return the `NAME=value` lines of the example file, with commented ones on request."""
    lines = (FOLDER / "aggregator.env").read_text(encoding="utf-8").splitlines()
    return [line.lstrip("#") for line in lines if "=" in line and (commented or not line.startswith("#"))]


def _read(paths: list[Path]) -> Mapping[str, list[str]]:
    options: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            if line and line[0] not in "#[":
                setting, value = line.split("=", 1)
                options[setting].append(value)
    return options
