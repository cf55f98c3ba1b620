"""Read stored JSON as former versions wrote it."""

from __future__ import annotations

import math

import pytest

from storage.engine.connect import read_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, "\\u00e9", null]}', {"a": [1, "é", None]}),
        ('{"a": "\\ud800"}', {"a": "\ud800"}),
        ('{"a": 1e400}', {"a": math.inf}),
        ('{"a": NaN}', {"a": pytest.approx(math.nan, nan_ok=True)}),
        (b'{"a": 123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
    ],
    ids=["usual", "surrogate", "infinite", "nan", "large"],
)
def test_stored_json_is_read(text: str | bytes, value: object) -> None:
    assert read_json(text) == value


def test_what_is_not_json_is_an_error() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        read_json("{")
