"""Check that tests mirror packages, and that paths in the documentation exist.

`tests/<package>/test_<module>.py` tests `aggregator/<package>/<module>.py`.
"""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
THEMES = frozenset({"deployment", "etiquette", "faults", "stack", "x", "x_api"})  # these span packages
BROWSER = "pytestmark = pytest.mark.browser"  # pages as people see them, of several modules each
LEAST = 0.65  # the share of test modules that are named after the module that they test


def _is_theme(path: Path) -> bool:
    folder = path.relative_to(TESTS).parts[0]
    return path.parent == TESTS or folder in THEMES or BROWSER in path.read_text(encoding="utf-8")


def _tests_a_module(path: Path) -> bool:
    """Check for a module of the same name in the package of the same name; `storage` is not within `aggregator`."""
    module = path.relative_to(TESTS).with_name(path.name.removeprefix("test_"))
    return (ROOT / "aggregator" / module).is_file() or (module.parts[0] == "storage" and (ROOT / module).is_file())


def test_most_test_modules_are_named_after_the_module_that_they_test() -> None:
    modules = [path for path in TESTS.rglob("test_*.py") if not _is_theme(path)]
    unnamed = sorted(str(path.relative_to(TESTS)) for path in modules if not _tests_a_module(path))
    share = 1 - len(unnamed) / len(modules)
    assert share >= LEAST, f"{share:.0%}; without a module of that name: {', '.join(unnamed)}"


def test_the_paths_in_the_table_of_changes_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("## Where to change what")[2].partition("\n## ")[0]
    paths = re.findall(r"`([^`]+)`", table)
    assert paths
    assert not [path for path in paths if not (ROOT / path).is_file()]
