"""Compare each NAME.in.json with NAME.out.json; UPDATE_GOLDEN=1 rewrites the outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aggregator.sources.twitter.normalise import normalise
from tests.golden_files import GOLDEN, compare, inputs, readable

SAMPLES = Path(__file__).parents[3].parent / "shared" / "data" / "x-samples"
CASES = inputs("twitter")


def payload(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / "twitter" / f"{name}.in.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize("name", CASES)
def test_page_becomes_these_activities(name: str) -> None:
    compare([readable(activity) for activity in normalise(payload(name))], GOLDEN / "twitter" / f"{name}.out.json")


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
