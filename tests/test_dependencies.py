"""Test that the pinned packages are those that the code needs."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
OURS = {"aggregator", "scheduler", "storage", "worker"}
OF_EXTRAS = {"opentelemetry", "sentry_sdk"}  # imported where they are installed
OF_LATER_PYTHONS = {"compression"}
_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", re.MULTILINE)


def _pins(name: str) -> set[tuple[str, str]]:
    return set(_PIN.findall((ROOT / name).read_text(encoding="utf-8")))


def _imported() -> Iterator[tuple[str, Path]]:
    """Yield the packages of others that the product imports."""
    modules = [ROOT / "scheduler.py", ROOT / "worker.py"]
    for folder in ("aggregator", "storage"):
        modules += (ROOT / folder).rglob("*.py")
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for name in names:
                yield name.partition(".")[0], path.relative_to(ROOT)


def test_an_installation_without_the_tests_has_all_that_is_imported() -> None:
    installed = {name for name, _ in _pins("requirements.txt")}
    distributions = packages_distributions()
    known = sys.stdlib_module_names | OURS | OF_EXTRAS | OF_LATER_PYTHONS
    missing = {
        (package, str(path))
        for package, path in _imported()
        if package not in known
        and not installed.intersection(re.sub(r"[-_.]+", "-", name).lower() for name in distributions.get(package, []))
    }
    assert missing == set()


@pytest.mark.parametrize(
    ("larger", "smaller"),
    [("requirements-extras.txt", "requirements.txt"), ("requirements-test.txt", "requirements-extras.txt")],
)
def test_each_list_contains_the_smaller_one(larger: str, smaller: str) -> None:
    assert _pins(smaller) - _pins(larger) == set()
