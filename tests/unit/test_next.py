"""`next()` without a default raises StopIteration, which asyncio can't deliver from a thread: its caller hangs."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Each of these iterators can't be empty.
SAFE = {
    "aggregator/occasions.py": 1,  # the pattern names months only
    "aggregator/commands/source_terms.py": 1,  # every number can be divided by a second
    "aggregator/sources/rss/names.py": 1,  # an element comes first among itself and what it holds
    "aggregator/reader/callers.py": 1,  # of a dictionary that is too large
}


def test_next_has_a_default_wherever_there_may_be_nothing() -> None:
    found: dict[str, int] = {}
    for room in ("aggregator", "storage"):
        for path in (ROOT / room).rglob("*.py"):
            calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
            bare = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "next"]
            if count := sum(len(call.args) == 1 for call in bare):
                found[path.relative_to(ROOT).as_posix()] = count
    assert found == SAFE
