"""Read docker-compose.yml, with no variables set, for the tests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
STACK, SINGLE = ROOT / "docker-compose.yml", ROOT / "deploy" / "compose.single.yml"
FOLDER = "/run/secrets/"  # where containers find secrets
_VARIABLE = re.compile(r"\$\{\w+:-([^}]*)\}")


@dataclass(frozen=True)
class Service:
    """One service; `options` is its complete mapping."""

    name: str
    options: Mapping[str, Any]

    @property
    def ours(self) -> bool:
        """Whether it runs our image."""
        return str(self.options["image"]).startswith("activity-stream-aggregator")

    @property
    def command(self) -> list[str]:
        """Its command line as the container gets it."""
        return [filled(word) for word in self.options.get("command", ())]

    @property
    def environment(self) -> dict[str, str]:
        """Its variables as the container gets them."""
        return {name: filled(value) for name, value in self.options.get("environment", {}).items()}

    @property
    def queues(self) -> list[str]:
        """The queues that it serves."""
        words = self.command
        return words[words.index("-Q") + 1].split(",") if "-Q" in words else []

    @property
    def health(self) -> list[str]:
        """The command of its health check, as a process to start."""
        kind, *words = [filled(word) for word in self.options["healthcheck"]["test"]]
        return {"CMD": [], "CMD-SHELL": ["sh", "-c"]}[kind] + words

    @property
    def memory(self) -> int:
        """Bytes of memory that it may use."""
        return size(filled(self.options["mem_limit"]))

    @property
    def grace(self) -> float:
        """Seconds between SIGTERM and SIGKILL."""
        return seconds(self.options.get("stop_grace_period", "10s"))


def document(file: Path = STACK) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return content


def services(file: Path = STACK) -> dict[str, Service]:
    return {name: Service(name, options) for name, options in document(file)["services"].items()}


def filled(text: str) -> str:
    """Substitute compose's variables from an empty environment; `$$` is an escaped `$`."""
    return _VARIABLE.sub(r"\1", text).replace("$$", "$")


def seconds(text: str) -> float:
    matched = re.fullmatch(r"(\d+)s", text)
    assert matched, f"{text!r} is no number of seconds"
    return float(matched[1])


def size(text: str) -> int:
    """Return the bytes of a size as compose, systemd and Kubernetes write it."""
    matched = re.fullmatch(r"(\d+)([mg])i?", text.lower())
    assert matched, f"{text!r} is no size"
    return int(matched[1]) << {"m": 20, "g": 30}[matched[2]]
