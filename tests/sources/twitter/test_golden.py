"""Compare each NAME.in.json with NAME.out.json; UPDATE_GOLDEN=1 rewrites the outputs."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.sources.twitter.normalise import normalise

if TYPE_CHECKING:
    from aggregator.domain.activity import NewActivity

GOLDEN = Path(__file__).parents[2] / "golden" / "twitter"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "data" / "x-samples"
CASES = sorted(path.name.removesuffix(".in.json") for path in GOLDEN.glob("*.in.json"))


def payload(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / f"{name}.in.json").read_text("utf-8"))
    return found


def readable(activity: NewActivity) -> dict[str, Any]:
    """Return all fields but the raw entry as JSON; empty values are left out."""
    whole = json.loads(json.dumps(dataclasses.asdict(dataclasses.replace(activity, raw=b"")), default=str))
    found: dict[str, Any] = _told(whole)
    return found


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        shown = {name: item for name, item in value.items() if (name, item) != ("ids_only", False)}
        return {name: _told(item) for name, item in shown.items() if item not in (None, [], "", "b''")}
    return [_told(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", CASES)
def test_page_becomes_these_activities(name: str) -> None:
    found = [readable(activity) for activity in normalise(payload(name))]
    out = GOLDEN / f"{name}.out.json"
    if os.environ.get("UPDATE_GOLDEN"):
        out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    assert found == json.loads(out.read_text("utf-8"))


def test_there_are_cases() -> None:
    assert len(CASES) >= 10


@pytest.mark.parametrize("name", CASES)
def test_raw_entry_gives_the_same_activity_again(name: str) -> None:
    for activity in normalise(payload(name)):
        again = normalise(json.loads(activity.raw))
        assert again[0].raw == activity.raw
        assert again[0].entry_digest == activity.entry_digest


def test_both_vocabularies_give_the_same() -> None:
    older, newer = payload("vocabulary-older"), payload("vocabulary-newer")
    assert older != newer
    assert "referenced_posts" in json.dumps(newer)
    assert normalise(older) == normalise(newer)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="X's sample payloads are not beside this checkout")
def test_both_vocabularies_of_the_samples_give_the_same() -> None:
    pages = [json.loads((SAMPLES / f"composed-timeline-2.{n}.json").read_text("utf-8")) for n in (166, 167)]
    assert pages[0] != pages[1]
    older, newer = (normalise(page) for page in pages)
    assert older == newer
    assert [activity.content.kind.value for activity in older] == ["repost", "reply", "post", "quote", "repost"]
    long_repost = older[-1]
    assert long_repost.object is not None
    assert long_repost.object.content.text.endswith("🌍 https://data.example.org/plan")
    assert "contracting & civic" in long_repost.object.content.text
