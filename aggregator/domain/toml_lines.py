"""Find the line of a value in the text of a TOML file, for error messages. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def line_of(toml: str, where: Sequence[str | int]) -> int:
    """Return the line of a value, or of the nearest table or key around it that is found; from 1.

    Args:
        toml: the text of the file.
        where: the path of the value: names, and places in arrays from 0.
    """
    lines = toml.splitlines()
    table, rest = _table(lines, where)
    end = next((place for place in range(table + 1, len(lines)) if _is_header(lines[place])), len(lines))
    names = [part for part in rest if isinstance(part, str)]
    for name in names[:1]:
        for place in range(max(table, 0), end):
            if re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*(=|\.)", lines[place]):
                return place + 1
    return max(table, 0) + 1


def _table(lines: Sequence[str], where: Sequence[str | int]) -> tuple[int, Sequence[str | int]]:
    """Return the place of the innermost table of a path (-1: the top of the file), and the rest of the path."""
    found = -1
    rest = list(where)
    for length in range(1, len(where) + 1):
        last = where[length - 1]
        names = [part for part in where[:length] if isinstance(part, str)]
        if isinstance(last, int):
            headers = [place for place, line in enumerate(lines) if _matches(line, "[[", names, "]]")]
            if last < len(headers):
                found, rest = headers[last], list(where[length:])
        else:
            place = next((place for place, line in enumerate(lines) if _matches(line, "[", names, "]")), None)
            if place is not None:
                found, rest = place, list(where[length:])
    return found, rest


def _matches(line: str, opening: str, names: Sequence[str], closing: str) -> bool:
    name = r"\s*\.\s*".join(rf"[\"']?{re.escape(name)}[\"']?" for name in names)
    return re.match(rf"\s*{re.escape(opening)}\s*{name}\s*{re.escape(closing)}\s*(#.*)?$", line) is not None


def _is_header(line: str) -> bool:
    return line.lstrip().startswith("[") and line.rstrip().split("#")[0].rstrip().endswith("]") and "=" not in line
