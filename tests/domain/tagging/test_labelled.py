"""Measure precision and recall of tags over sets of texts labeled by hand.

Every second text of `labelled.toml` (`UNSEEN`) took no part in making the vocabulary better; the figures hold for
these alone, too. `paraphrased.toml` was written without knowledge of the vocabulary and avoids the words of
the field: countries are still named, while little more than half of the paraphrased topics are found.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from aggregator.domain.activity import ActivityKind, Content
from aggregator.domain.tagging.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[3]


def texts_of(name: str) -> Sequence[dict[str, Any]]:
    read: Sequence[dict[str, Any]] = tomllib.loads((Path(__file__).parent / name).read_text("utf-8"))["text"]
    return read


TEXTS = texts_of("labelled.toml")
UNSEEN = TEXTS[1::2]
PARAPHRASED = texts_of("paraphrased.toml")


class Score(NamedTuple):
    precision: float
    recall: float
    wrong: list[str]


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.of((ROOT / "config" / "topics.toml").read_text("utf-8"))


def score(vocabulary: Vocabulary, texts: Sequence[dict[str, Any]], what: str) -> Score:
    assert vocabulary.tagger is not None
    right = found = expected = 0
    wrong: list[str] = []
    for item in texts:
        content = Content(
            kind=ActivityKind.POST,
            network="x",
            text=item["text"],
            lang=item["lang"],
            hashtags=tuple(re.findall(r"#(\w+)", item["text"])),
        )
        tags = vocabulary.tagger.tags(content)
        got, labelled = set(tags.topics if what == "topics" else tags.countries), set(item[what])
        right, found, expected = right + len(got & labelled), found + len(got), expected + len(labelled)
        if got != labelled:
            wrong.append(f"{item['lang']}: {item['text']} -> {sorted(got)}, not {sorted(labelled)}")
    return Score(right / found, right / expected, wrong)


@pytest.mark.parametrize("texts", [TEXTS, PARAPHRASED], ids=["labelled", "paraphrased"])
def test_the_sets_are_large_and_speak_five_languages(texts: Sequence[dict[str, Any]]) -> None:
    assert len(texts) >= 150
    counts = {lang: sum(item["lang"] == lang for item in texts) for lang in ("en", "es", "fr", "pt", "id")}
    assert min(counts.values()) >= 30
    assert sum(counts.values()) == len(texts)
    assert sum(not item["topics"] for item in texts) >= len(texts) / 4


@pytest.mark.parametrize(
    ("texts", "what", "precision", "recall"),
    [
        pytest.param(TEXTS, "topics", 0.9, 0.8, id="topics"),
        pytest.param(UNSEEN, "topics", 0.9, 0.8, id="topics-unseen"),
        pytest.param(TEXTS, "countries", 0.95, 0.9, id="countries"),
        pytest.param(UNSEEN, "countries", 0.95, 0.9, id="countries-unseen"),
        pytest.param(PARAPHRASED, "countries", 0.95, 0.9, id="countries-paraphrased"),
        pytest.param(PARAPHRASED, "topics", 0.9, 0.5, id="topics-paraphrased"),
    ],
)
def test_tags_fit(
    vocabulary: Vocabulary, texts: Sequence[dict[str, Any]], what: str, precision: float, recall: float
) -> None:
    scored = score(vocabulary, texts, what)

    text = f"{what}: precision {scored.precision:.3f}, recall {scored.recall:.3f}"
    assert scored.precision >= precision, [text, *scored.wrong]
    assert scored.recall >= recall, [text, *scored.wrong]
