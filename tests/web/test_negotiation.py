"""Test which coding and media type headers select, in any notation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.web.negotiation import ACTIVITY, ANY, CODINGS, HTML, IDENTITY, coding_of, media_of


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", IDENTITY),
        ("gzip", "gzip"),
        ("GZIP;q=0.5, deflate", "gzip"),
        ("gzip, br, zstd", "zstd"),
        ("gzip, br;q=0.1", "br"),
        ("br;q=0, gzip", "gzip"),
        ("*", "zstd"),
        ("*;q=0.1, zstd;q=0", "br"),
        ("identity;q=1, *;q=0", IDENTITY),
        ("gzip;q=0", IDENTITY),
        ("gzip;q=nonsense", IDENTITY),
        ("gzip;q=nan", IDENTITY),
        (",,;;=,", IDENTITY),
        ("x," * 200 + "gzip", IDENTITY),
    ],
    ids=lambda value: value[:30] or "empty",
)
def test_the_best_coding_that_is_accepted(header: str, coding: str) -> None:
    assert coding_of(header) == coding


@pytest.mark.parametrize(
    ("header", "media"),
    [
        ("", ANY),
        ("*/*", ANY),
        ("image/png", ANY),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
        ('application/ld+json; profile="https://www.w3.org/ns/activitystreams"', ACTIVITY),
        ("application/activity+json, text/html;q=0.5", ACTIVITY),
        ("application/activity+json;q=0.5, text/html", HTML),
        ("text/html;q=0, */*", ANY),
        ("text/html, application/activity+json", ACTIVITY),
        ("TEXT/HTML", HTML),
    ],
    ids=lambda value: value[:30] or "empty",
)
def test_the_representation_that_is_named_and_preferred(header: str, media: str) -> None:
    assert media_of(header) == media


@given(st.text())
def test_any_header_is_reduced_to_one_of_few_and_that_to_itself(header: str) -> None:
    assert coding_of(header) in {*CODINGS, IDENTITY}
    assert coding_of(coding_of(header)) == coding_of(header)
    assert media_of(media_of(header)) == media_of(header)
