"""Test that fields of any type are read, or left out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from aggregator.domain.errors import UnreadableError
from aggregator.source_api import untrusted_json
from aggregator.source_api.untrusted_json import decoded

ANYTHING: list[Any] = [None, True, 0, -1, 1.5, float("inf"), float("nan"), 10**400, "", "x", "\ud800", [], [[]], {}]


def test_numbers_and_text_that_strict_parsers_refuse_are_read() -> None:
    assert decoded(b'{"a": 1e999, "b": "\\ud800"}', "an API") == {"a": float("inf"), "b": "\ud800"}


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[" * 100_000, b'{"a":', b"\xff\xfe"], ids=["empty", "page", "deep", "cut", "bytes"]
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableError, match="this is not the API of a shop"):
        decoded(body, "the API of a shop")


@pytest.mark.parametrize("value", ANYTHING, ids=range(len(ANYTHING)))
@pytest.mark.parametrize("name", ["record", "records", "text", "texts", "address", "whole", "seconds", "moment"])
def test_a_value_of_another_type_is_left_out(name: str, value: Any) -> None:
    found = getattr(untrusted_json, name)(value)
    neutral: dict[str, tuple[Any, ...]] = {
        "record": ({},),
        "records": ([],),
        "text": ("", value),
        "texts": ([],),
        "address": (None,),
        "whole": (None, 1),
        "seconds": (None, 1.5),
        "moment": (None,),
    }
    assert found in neutral[name]


def test_fields_are_read() -> None:
    assert untrusted_json.address("https://Example.org/a") == "https://example.org/a"
    assert untrusted_json.address("javascript:alert(1)") is None
    assert (untrusted_json.whole(640), untrusted_json.whole(0.5), untrusted_json.whole(100_000)) == (640, None, None)
    assert untrusted_json.texts([" a ", 1, "", None, "bc"], 1) == ["b"]
    assert untrusted_json.moment("2026-11-01T12:00:00+02:00") == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert untrusted_json.moment("0001-01-01T00:00:00+14:00") is None


def test_fields_are_left_out_at_any_depth() -> None:
    kept = {"a": 1, "likes": 5, "items": [{"likes": 2, "b": {"likes": 3, "c": 4}}]}
    assert untrusted_json.without(kept, {"likes"}) == {"a": 1, "items": [{"b": {"c": 4}}]}
