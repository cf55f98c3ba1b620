"""Test how redirects of documents are followed by sources."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.errors import NoFeedError
from aggregator.fetching.response import Response
from aggregator.source_api.documents import discovered, moved_to
from aggregator.source_api.kind import SourceKind
from tests.building import NOON

if TYPE_CHECKING:
    from aggregator.domain.polling.results import FetchResult

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


def test_an_address_that_leads_to_the_page_of_a_network_is_no_feed() -> None:
    async def read(address: str, floor: timedelta) -> FetchResult:
        raise AssertionError(address, floor)  # the page is not read

    with pytest.raises(NoFeedError, match=r"https://news.example/feed leads to a page of X"):
        asyncio.run(discovered(SourceKind(), _response("https://x.com/desk"), FEED, {}, read, "feed"))
