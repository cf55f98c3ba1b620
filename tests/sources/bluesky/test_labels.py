from __future__ import annotations

from typing import Any

import pytest

from aggregator.sources.bluesky.labels import Hidden, hidden_by, is_sensitive

DID = "did:plc:ada"
PROFILE = f"at://{DID}/app.bsky.actor.profile/self"


def _label(value: Any, uri: str = DID, **more: Any) -> dict[str, Any]:
    return {"src": "did:plc:moderator", "uri": uri, "val": value, "cts": "2026-01-01T00:00:00Z", **more}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("!hide", Hidden.MODERATED),
        ("!takedown", Hidden.MODERATED),
        ("!suspend", Hidden.MODERATED),
        ("!no-unauthenticated", Hidden.SIGNED_IN_ONLY),
        ("!warn", None),
        ("porn", None),
        ("spam", None),
        (["!hide"], None),
        (None, None),
    ],
)
def test_labels_of_a_post_or_its_author_hide_it(value: Any, why: Hidden | None) -> None:
    labelled = {"labels": [_label(value)]}
    assert hidden_by(labelled, {}) is hidden_by({}, labelled) is why


def test_a_label_that_was_withdrawn_hides_nothing() -> None:
    label, withdrawn = _label("!hide"), _label("!hide", neg=True)
    assert hidden_by({"labels": [label, withdrawn]}) is None
    assert hidden_by({"labels": [withdrawn, label]}) is Hidden.MODERATED
    other = {**withdrawn, "src": "did:plc:ada"}  # nobody withdraws another's label
    assert hidden_by({"labels": [label, other]}) is Hidden.MODERATED


@pytest.mark.parametrize("value", ["porn", "sexual", "nudity", "graphic-media", "gore", "!warn"])
def test_adult_or_shocking_content_is_sensitive(value: str) -> None:
    assert is_sensitive([_label(value, "at://post")], {}, {})
    assert is_sensitive([], {"did": DID, "labels": [_label(value)]}, {})
    own = {"labels": {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": value}]}}
    assert is_sensitive([], {}, own)


def test_other_labels_are_not() -> None:
    assert not is_sensitive([_label("spam"), _label("bot")], {}, {})
    assert not is_sensitive([], {"did": DID, "labels": [_label("porn", PROFILE)]}, {})  # only its picture


@pytest.mark.parametrize(
    "labels", [None, 7, "porn", {}, [None], ["porn"], [{}], [{"val": {}}], [{"val": "x", "src": []}]]
)
def test_other_values_are_no_labels(labels: Any) -> None:
    assert hidden_by({"labels": labels}) is None
    assert not is_sensitive(labels, {"labels": labels}, {"labels": labels})
