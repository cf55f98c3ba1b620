"""Check that `docs/x.md` lists the existing tests of every requirement."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "x.md"
REQUIREMENTS = range(1, 25)


def test_the_table_of_requirements_is_true() -> None:
    there: dict[int, set[str]] = {}
    for path in TESTS.rglob("test_*.py"):
        for name, number in re.findall(r"def (test_x_(\d\d)\w*)", path.read_text(encoding="utf-8")):
            there.setdefault(int(number), set()).add(name)
    documented: dict[int, set[str]] = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\| (\d{1,2}) \|", line):
            documented[int(found[1])] = set(re.findall(r"`(test_x_\w+)`", line))
    assert set(documented) == set(there) == set(REQUIREMENTS)
    assert documented == there
