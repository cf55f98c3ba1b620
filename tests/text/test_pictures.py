"""Test which picture an HTML element shows."""

from __future__ import annotations

import pytest

from aggregator.text.image_tags import is_hidden, is_tiny
from aggregator.text.pictures import (
    SENSIBLE_WIDTH,
    best,
    candidates_of,
    is_placeholder,
    is_tracker,
    picture_address,
)


def best_in(srcset: str) -> str | None:
    return best(candidates_of(srcset))


REAL = "https://a.example/real.jpg"


@pytest.mark.parametrize(
    "attributes",
    [
        {"src": REAL},
        {"data-src": REAL},
        {"src": "/img/lazyload.gif", "data-src": REAL},
        {"src": "data:image/gif;base64,R0", "data-original": REAL},
        {"src": "https://a.example/grey.gif", "data-lazy-src": REAL},
        {"src": "about:blank", "nitro-lazy-src": REAL},
        {"srcset": f"/s.jpg 320w, {REAL} 1200w"},
        {"src": "/1x1.png", "srcset": f"{REAL} 2x, /s.jpg 1x"},
        {"src": "/small.jpg", "data-srcset": f"{REAL} 900w"},
        {"src": REAL, "srcset": "/other.jpg 2x"},
        {"src": REAL, "data-src": "{}"},
        {"src": REAL, "data-url": ""},
    ],
    ids="+".join,
)
def test_the_picture_that_loads_is_found(attributes: dict[str, str]) -> None:
    assert picture_address(attributes) == REAL


@pytest.mark.parametrize("attributes", [{}, {"src": ""}, {"src": "#"}, {"src": "/spacer.gif"}, {"srcset": ", ,"}])
def test_nothing_is_no_picture(attributes: dict[str, str]) -> None:
    assert picture_address(attributes) is None


def test_the_sources_of_a_picture_count_where_the_image_has_no_address() -> None:
    assert picture_address({}, candidates_of(f"/a.webp 100w, {REAL} 800w")) == REAL
    assert picture_address({"src": REAL}, candidates_of("/a.webp 100w")) == REAL


@pytest.mark.parametrize(
    ("srcset", "urls"),
    [
        ("a.jpg", ["a.jpg"]),
        ("a.jpg, b.jpg 2x", ["a.jpg", "b.jpg"]),
        ("a.jpg,b.jpg", ["a.jpg,b.jpg"]),
        ("https://c.example/w_100,h_50/a.jpg 100w, https://c.example/w_200,h_99/a.jpg 200w",
         ["https://c.example/w_100,h_50/a.jpg", "https://c.example/w_200,h_99/a.jpg"]),
        ("  a.jpg   1x ,\n b.jpg 2x", ["a.jpg", "b.jpg"]),
        ("", []),
        (" , ", []),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "",
)  # fmt: skip
def test_a_srcset_is_read_as_browsers_do(srcset: str, urls: list[str]) -> None:
    assert [candidate.address for candidate in candidates_of(srcset)] == urls


def test_the_largest_sensible_candidate_wins() -> None:
    assert best_in(f"a.jpg 320w, b.jpg {SENSIBLE_WIDTH}w, c.jpg 9000w") == "b.jpg"
    assert best_in("b.jpg 8000w, c.jpg 9000w") == "b.jpg"
    assert best_in("data:x 1w, /pixel.gif 2w") is None
    assert len(candidates_of("a.jpg 1x," * 10_000)) == 50


@pytest.mark.parametrize(
    "url",
    ["/spacer.gif", "https://a.example/img/1x1.png?x=1", "/assets/placeholder-16x9.svg", "https://pixel.wp.com/b.gif?x",
     "//feeds.feedburner.com/~r/a/~4/x", "/transparent.png", "/img/lazy_loading.gif", "https://matomo.a.example/matomo.php?x"],
)  # fmt: skip
def test_placeholders_and_counters_are_known(url: str) -> None:
    assert is_placeholder(url) or is_tracker(url)


@pytest.mark.parametrize("url", [REAL, "/blankets.jpg", "/clear.jpg/photo.jpg", "/loading-dock.html", "/dotted/x.png"])
def test_pictures_with_similar_names_are_pictures(url: str) -> None:
    assert not is_placeholder(url)
    assert not is_tracker(url)


@pytest.mark.parametrize(
    ("attributes", "hidden"),
    [
        ({"hidden": ""}, True),
        ({"style": "color:red; display : none"}, True),
        ({"style": "visibility:hidden"}, True),
        ({"style": "width:1px;height:1px"}, True),
        ({"style": "max-width:100%;height:auto"}, False),
        ({"style": "width:100px"}, False),
        ({"style": "opacity:0"}, False),
        ({}, False),
    ],
)
def test_what_is_never_seen_is_hidden(attributes: dict[str, str], hidden: bool) -> None:
    assert (is_hidden(attributes) or is_tiny(attributes)) is hidden
