"""Test how redirects of documents are followed by sources."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aggregator.fetching.response import Response
from aggregator.source_api.documents import moved_to
from tests.building import NOON

FEED = "https://news.example/feed"


def _response(target: str) -> Response:
    return Response(200, target, target, {}, b"", 0, 2, NOON, timedelta(), private=False)


def test_a_permanent_redirect_names_the_new_place() -> None:
    place = moved_to(_response("https://news.example/new"), FEED)
    assert place is not None
    assert (place.address, place.host) == ("https://news.example/new", "news.example:443")
    assert moved_to(_response(FEED), FEED) is None


@pytest.mark.parametrize("target", ["https://x.com/desk", "https://mobile.twitter.com/desk"])
def test_a_source_never_moves_to_the_page_of_a_network(target: str) -> None:
    assert moved_to(_response(target), FEED) is None
