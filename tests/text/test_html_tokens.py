"""Check that tags are found as browsers find them, in linear time."""

from __future__ import annotations

import time

import pytest

from aggregator.text.html_tokens import Scanner
from tests.variants import mostly_slow


def names(html: str, *, every: bool = True) -> list[str]:
    scanner = Scanner(html, every=every)
    found = []
    while (tag := scanner.next_tag()) is not None:
        found.append(f"/{tag.name}" if tag.closing else tag.name)
    return found


@pytest.mark.parametrize(
    ("html", "tags"),
    [
        ("<p>a</p>", ["p", "/p"]),
        ("<IMG SRC=x><Br/>", ["img", "br"]),
        ('<a title="<b>"><i>', ["a", "i"]),
        ("<a title='>'><i>", ["a", "i"]),
        ("<p don't>a<b>isn't</b>", ["p", "b", "/b"]),
        ("<a href=x'y><b>'", ["a", "b"]),
        ("<!-- <b> --><i>", ["i"]),
        ("<!--><b>", ["b"]),
        ("<!-- <b> and <i>", ["!--", "i"]),
        ("<!doctype html><?php <b> ?><i>", ["i"]),
        ("1 < 2 <3 <b>", ["b"]),
        ("<b><i unclosed", ["b"]),
        ('<b><i title="unclosed><u>', ["b"]),
        ("<a-img src=x></a-img>", ["a-img", "/a-img"]),
        ("<m:math>", ["m:math"]),
    ],
)
def test_tags_are_those_of_a_browser(html: str, tags: list[str]) -> None:
    assert names(html) == tags


def test_formatting_is_passed_over_on_request() -> None:
    assert names('<p class="a>b">x<strong>y</strong><img src=x><br></p><pre></pre><picture>', every=False) == [
        "img",
        "picture",
    ]


@pytest.mark.parametrize(
    ("tag", "attributes"),
    [
        ("<a B=1 c='2' d=\"3\" e>", {"b": "1", "c": "2", "d": "3", "e": ""}),
        ("<a b = ' x ' b=2>", {"b": "x"}),
        ('<a b="&lt;&amp;"/>', {"b": "<&"}),
        ("<a b=x/>", {"b": "x/"}),
        ("<a/b/c=d>", {"b": "", "c": "d"}),
        ('<a b="c"d="e">', {"b": "c", "d": "e"}),
    ],
)
def test_attributes_are_those_of_a_browser(tag: str, attributes: dict[str, str]) -> None:
    found = Scanner(tag).next_tag()
    assert found is not None
    assert found.attributes() == attributes


@pytest.mark.parametrize(
    "piece",
    mostly_slow(
        ["<", "<a", '<a "', "<a b='", '<a b="', "<!--", "<!-- -", "</", "<a =", "<iframe>", "<a b=\"'", "<p x=>"],
        quick=4,
    ),
)
@pytest.mark.parametrize("every", [True, False])
def test_odd_text_takes_linear_time(piece: str, *, every: bool) -> None:
    began = time.process_time()
    names(piece * 60_000, every=every)
    names(piece * 60_000 + ">", every=every)
    assert time.process_time() - began < 5
