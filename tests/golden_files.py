"""Compare activities with the golden files in tests/golden; UPDATE_GOLDEN=1 rewrites the outputs."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aggregator.domain.activity import NewActivity

GOLDEN = Path(__file__).parent / "golden"


def readable(activity: NewActivity) -> dict[str, Any]:
    """Return all fields but the raw entry as JSON; empty values are left out."""
    return plain(dataclasses.replace(activity, raw=b""))


def plain(value: Any) -> Any:
    """Return a dataclass as JSON; empty values are left out."""
    return _without_empty(json.loads(json.dumps(dataclasses.asdict(value), default=str)))


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        shown = {name: item for name, item in value.items() if (name, item) != ("ids_only", False)}
        return {name: _without_empty(item) for name, item in shown.items() if item not in (None, [], "", "b''")}
    return [_without_empty(item) for item in value] if isinstance(value, list) else value


def compare(found: Any, out: Path) -> None:
    """Fail if a result differs from the file; or renew the file."""
    if os.environ.get("UPDATE_GOLDEN"):
        out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    assert found == json.loads(out.read_text("utf-8"))


def inputs(kind: str, ending: str = "json") -> list[str]:
    """Return the names of the cases of a kind."""
    return sorted(path.name.removesuffix(f".in.{ending}") for path in (GOLDEN / kind).glob(f"*.in.{ending}"))


def assert_no_orphans(kind: str, *more: str) -> None:
    """Fail if an output of a kind has no input; `more`: endings of further outputs."""
    cases = {path.name.partition(".in.")[0] for path in (GOLDEN / kind).glob("*.in.*")}
    for ending in (".out.json", *more):
        names = {path.name.removesuffix(ending) for path in (GOLDEN / kind).glob(f"*{ending}")}
        assert {name for name in names if "." not in name} <= cases
