"""Read the Dockerfile's copied paths and the patterns of .dockerignore for the tests."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

from tests.deployment.compose import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions as `(word, rest)`, continued lines joined."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8")).replace("\\\n", " ")
    found = [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]
    arguments = dict(rest.split("=", 1) for word, rest in found if word == "ARG" and "=" in rest)
    return [(word, re.sub(r"\$\{(\w+)\}", lambda name: arguments.get(name[1], name[0]), rest)) for word, rest in found]


def copied() -> Iterator[tuple[str, str]]:
    """Return `(source, target)` of each path copied from the checkout."""
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            *sources, target = shlex.split(rest)
            yield from ((source, target) for source in sources)


def last(word: str) -> str:
    """Return the rest of the last such instruction, which takes effect."""
    return [rest for name, rest in instructions() if name == word][-1]


def environment() -> dict[str, str]:
    """Return the variables of the image that runs."""
    lines = [rest for word, rest in instructions() if word == "ENV"]
    return dict(pair.split("=", 1) for line in lines for pair in shlex.split(line))


def health() -> list[str]:
    """Return the command of its health check."""
    words: list[str] = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    return words


def ignored(path: str) -> bool:
    """Return whether .dockerignore hides a file from the build: the last matching line decides."""
    hidden = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").split():
        if re.fullmatch(f"{_pattern(line.removeprefix('!'))}(/.*)?", path):
            hidden = not line.startswith("!")
    return hidden


def _pattern(line: str) -> str:
    escaped = re.escape(line.strip("/"))
    return escaped.replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
