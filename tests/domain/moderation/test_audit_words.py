"""Test the words for entries of the audit log."""

from __future__ import annotations

import pytest

from aggregator.domain.moderation.audit_words import Change, changes_in, sentence_of
from aggregator.domain.moderation.decisions import PAST


@pytest.mark.parametrize("what", PAST.values())
def test_every_decision_has_a_sentence(what: str) -> None:
    assert "recorded" not in sentence_of(what)


def test_an_unknown_action_is_quoted() -> None:
    assert sentence_of("juggled").format(who="ana", what="juggled", subject="x") == "ana recorded “juggled” on x."


@pytest.mark.parametrize(
    ("detail", "changes"),
    [
        (None, []),
        ({"reason": "spam", "revision": 7}, []),
        (
            {"from": {"review": "waiting", "by": "policy"}, "to": {"review": "hidden", "by": "person"}},
            [Change("Status", "waiting", "hidden")],
        ),
        (
            {"from": {"policy": "auto", "trusted": None}, "to": {"policy": "hold", "trusted": ["a", "b"]}},
            [Change("New items", "publish immediately", "hold for review"), Change("Trusted authors", None, "a, b")],
        ),
        ({"from": {}, "to": {"alt": {"0a": "Waves"}}}, [Change("Image descriptions", None, "Waves")]),
        ({"from": {"limit": 5}, "to": {"limit": 5, "all_pages": True}}, [Change("All pages", None, "yes")]),
        (
            {"from": "https://a.example/", "to": "https://b.example/", "why": "moved"},
            [Change("Value", "https://a.example/", "https://b.example/")],
        ),
        ({"after": {"conditions": ["text contains “x”"], "every": True}}, [
            Change("Conditions", None, "text contains “x”"), Change("All conditions must match", None, "yes"),
        ]),
        ({"note": "x" * 300}, [Change("Note", None, "x" * 159 + "…")]),
    ],
)  # fmt: skip
def test_changes_are_named_in_words(detail: dict[str, object] | None, changes: list[Change]) -> None:
    assert changes_in(detail) == changes


def test_a_value_without_a_name_is_that_of_the_action() -> None:
    assert changes_in({"from": "a", "to": "b"}, "source moved") == [Change("Address", "a", "b")]
