"""Compare each NAME.in.* with NAME.out.json in tests/golden/rss; UPDATE_GOLDEN=1 rewrites the outputs."""

import json
import os
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from aggregator.sources.rss.parse import normalise

FOLDER = Path(__file__).parents[2] / "golden" / "rss"
URL = "https://feeds.example.org/blog/feed.xml"
INPUTS = sorted(FOLDER.glob("*.in.*"))


def _shown(value: Any) -> Any:
    """Leave out empty values, so that the files read like a summary."""
    if isinstance(value, dict):
        return {name: shown for name, field in value.items() if (shown := _shown(field)) not in (None, "", [], False)}
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _summary(path: Path) -> dict[str, Any]:
    content_type = "application/feed+json" if path.suffix == ".json" else "application/xml"
    feed = normalise(path.read_bytes(), content_type, URL)
    activities = [{**asdict(activity), "raw": None, "entry_digest": None} for activity in feed.activities]
    summary: dict[str, Any] = _shown({"title": feed.title, "note": feed.note, "activities": activities})
    return summary


@pytest.mark.parametrize("path", INPUTS, ids=[path.name for path in INPUTS])
def test_a_feed_becomes_the_activities_beside_it(path: Path) -> None:
    expected = path.with_name(path.name.partition(".in.")[0] + ".out.json")
    found = _summary(path)
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert found == json.loads(expected.read_text(encoding="utf-8"))


def test_there_are_golden_files_and_none_is_an_orphan() -> None:
    assert len(INPUTS) >= 11
    stems = {path.name.partition(".in.")[0] for path in INPUTS}
    assert {path.name.removesuffix(".out.json") for path in FOLDER.glob("*.out.json")} == stems
