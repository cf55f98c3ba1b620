"""Check that `docs/etiquette.md` lists the existing tests of every rule."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
DOCUMENT = Path(__file__).parents[2] / "docs" / "etiquette.md"
RULES = range(1, 39)


def test_the_table_of_rules_is_true() -> None:
    there: dict[int, set[str]] = {}
    for path in TESTS.glob("test_rules_*.py"):
        for name, number in re.findall(r"def (test_rule_(\d\d)\w*)", path.read_text(encoding="utf-8")):
            there.setdefault(int(number), set()).add(name)
    documented: dict[int, set[str]] = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\| (\d+) ", line):
            documented[int(found[1])] = set(re.findall(r"`(test_rule_\w+)`", line))
    assert set(documented) == set(there) == set(RULES)
    assert documented == there
