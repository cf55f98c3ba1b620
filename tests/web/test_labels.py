"""Test the texts about items."""

from __future__ import annotations

import pytest
from markupsafe import Markup

from aggregator.web.labels import listed


@pytest.mark.parametrize(
    ("names", "more", "text"),
    [
        (["A"], 0, "A"),
        (["A", "B"], 0, "A and B"),
        (["A", "B", "C"], 2, "A, B, C and 2 others"),
        ([], 1, "1 other"),
        ([], 0, ""),
    ],
)
def test_names_are_listed(names: list[str], more: int, text: str) -> None:
    assert listed(names, more) == text


@pytest.mark.parametrize("count", [1, 2, 3])
def test_names_in_html_stay_html_and_others_are_escaped(count: int) -> None:
    names = [Markup("<bdi>A</bdi>"), "<b>", Markup("<bdi>C</bdi>")][:count]
    found = listed(names)
    assert isinstance(found, Markup)
    assert found.startswith("<bdi>A</bdi>")
    assert "<b>" not in found
