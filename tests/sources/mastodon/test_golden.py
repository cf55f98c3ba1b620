"""Compare each NAME.in.json with NAME.out.json; UPDATE_GOLDEN=1 rewrites the outputs.

The inputs are made for these tests. Their shapes are those of Mastodon's API documentation (docs.joinmastodon.org):
lists of the entity Status, with the entities Account, MediaAttachment, PreviewCard, Poll, Quote, Status::Mention and
Status::Tag.
"""

from __future__ import annotations

import pytest

from aggregator.sources.mastodon.normalise import Reading, read_again, read_statuses
from tests.golden_files import GOLDEN, assert_no_orphans, compare, inputs, readable

CASES = inputs("mastodon")
SERVER = "https://social.example.org"


def reading(name: str) -> Reading:
    return read_statuses((GOLDEN / "mastodon" / f"{name}.in.json").read_bytes(), SERVER)


@pytest.mark.parametrize("name", CASES)
def test_a_list_becomes_these_activities(name: str) -> None:
    found = reading(name)
    summary = {
        "activities": [readable(activity) for activity in found.activities],
        **({"left_out": found.left_out} if found.left_out else {}),
    }
    compare(summary, GOLDEN / "mastodon" / f"{name}.out.json")
    assert found.unread == []


@pytest.mark.parametrize("name", CASES)
def test_a_raw_entry_gives_the_same_content_again(name: str) -> None:
    for activity in reading(name).activities:
        [again] = read_again(activity.raw)
        assert (again.content, again.object, again.entry_digest) == (
            activity.content,
            activity.object,
            activity.entry_digest,
        )


def test_there_are_cases_and_no_orphans() -> None:
    assert len(CASES) >= 10
    assert_no_orphans("mastodon")
