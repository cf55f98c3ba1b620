"""Test that the line of a value in a TOML file is found."""

from __future__ import annotations

import pytest

from aggregator.domain.toml_lines import line_of

TOML = """name = "A"

[[block]]
type = "news"
limit = 3

[[block]]
type = "social"
limit = 0

[site]
logo = "a.svg"
navigation = [
  { label = "A", url = "x" },
]

[site.colors]  # of the light theme
accent = "#000000"
"""


@pytest.mark.parametrize(
    ("where", "line"),
    [
        (("name",), 1),
        (("block", 0, "limit"), 5),
        (("block", 1, "limit"), 9),
        (("block", 1), 7),
        (("block", 1, "missing"), 7),
        (("site", "logo"), 12),
        (("site", "navigation", 0, "url"), 13),
        (("site", "colors", "accent"), 18),
        (("site", "colors", "missing"), 17),
        (("unknown",), 1),
    ],
)
def test_the_line_of_a_value_or_of_what_is_around_it(where: tuple[str | int, ...], line: int) -> None:
    assert line_of(TOML, where) == line
