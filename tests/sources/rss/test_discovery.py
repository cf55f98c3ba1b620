"""Test the search for the feed of an address over real HTTP on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.domain.errors import NoFeedError, SourceError, StatusError
from aggregator.sources.rss.plugin import KIND
from tests.sources.rss.test_plugin import FEED, Publisher, run

if TYPE_CHECKING:
    from aggregator.domain.polling.results import Discovery
    from aggregator.source_api.kind import PollContext

RSS = "application/rss+xml"


def announce(*paths: str) -> bytes:
    links = "".join(f'<link rel="alternate" type="{RSS}" href="{path}">' for path in paths)
    return f"<!doctype html><title>Site</title>{links}".encode()


class Search:
    """The outcome of a search in a site."""

    def __init__(
        self,
        pages: dict[str, tuple[bytes, str]],
        *,
        statuses: dict[str, int] | None = None,
        link: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.found: Discovery | None = None
        self.problem: SourceError | None = None
        self.base = ""
        self.requests: list[str] = []
        self.secrets: list[str] = []

        async def script(publisher: Publisher, context: PollContext) -> None:
            self.base = publisher.base
            for path, (body, content_type) in pages.items():
                more = {"Link": link} if link and path == "/" else {}
                publisher.serve(path, body, content_type, **more)
            for number in range(20):
                publisher.serve(f"/missing/{number}", b"", "text/plain")
            publisher.statuses.update(statuses or {})
            try:
                self.found = await KIND.discover(f"{publisher.base}/", context, headers=headers or {})
            except SourceError as problem:
                self.problem = problem
            self.requests = [path for path, _ in publisher.requests]
            self.secrets = [path for path, sent in publisher.requests if "X-Key" in sent]

        run(script)

    @property
    def path(self) -> str | None:
        return self.found.address.removeprefix(self.base) if self.found else None


def test_each_announced_address_is_tried_until_one_is_a_feed() -> None:
    search = Search(
        {
            "/": (announce("/gone", "/json", "/page", "/broken", "/feed.rss", "/never"), "text/html"),
            "/gone": (b"gone", "text/plain"),
            "/json": (b'{"pages": []}', "application/json"),
            "/page": (b"<html><title>x</title>", "text/html"),
            "/broken": (b"<rss><chan", RSS),
            "/feed.rss": (FEED, RSS),
        },
        statuses={"/gone": 404},
    )
    assert search.path == "/feed.rss"
    assert search.requests == ["/", "/gone", "/json", "/page", "/broken", "/feed.rss"]
    assert search.found is not None
    assert "announces this feed" in search.found.notes[0]
    assert any("/gone" in note and "404" in note for note in search.found.notes)


def test_usual_places_come_last_with_one_request_each() -> None:
    search = Search(
        {"/": (b"<html><title>Site</title>", "text/html"), "/atom.xml": (FEED, RSS)},
        statuses=dict.fromkeys(("/feed", "/rss.xml"), 404),
    )
    assert search.path == "/atom.xml"
    assert search.requests == ["/", "/feed", "/rss.xml", "/atom.xml"]
    assert search.found is not None
    assert "usual place" in search.found.notes[0]


def test_a_site_without_a_feed_is_asked_a_few_times() -> None:
    search = Search({"/": (b"<html><title>Site</title>", "text/html")})
    assert isinstance(search.problem, NoFeedError)
    assert 'titled "Site" without a feed link' in str(search.problem)
    assert len(search.requests) <= 6


def test_the_only_announced_address_says_why_it_is_no_feed() -> None:
    search = Search({"/": (announce("/gone"), "text/html"), "/gone": (b"", "text/plain")}, statuses={"/gone": 410})
    assert isinstance(search.problem, StatusError)
    assert "/gone" in str(search.problem)


def test_a_link_header_announces_a_feed() -> None:
    link = f'</f>; rel="alternate"; type="{RSS}"'
    assert Search({"/": (b"<html><title>x</title>", "text/html"), "/f": (FEED, RSS)}, link=link).path == "/f"
    assert Search({"/": (b"hello", "text/plain"), "/f": (FEED, RSS)}, link=link).path == "/f"
    assert Search({"/": (FEED, RSS), "/f": (FEED, RSS)}, link=link).path == "/"


def test_secret_headers_go_to_the_host_of_the_address_only() -> None:
    other = "http://localhost.invalid/feed"
    search = Search({"/": (announce(other, "/f"), "text/html"), "/f": (FEED, RSS)}, headers={"X-Key": "secret"})
    assert search.path == "/f"
    assert search.secrets == ["/", "/f"]


@pytest.mark.parametrize("address", ["@ana@127.0.0.1", "@ana"])
def test_other_handles_are_for_other_kinds(address: str) -> None:
    async def script(_: Publisher, context: PollContext) -> Discovery | None:
        return await KIND.discover(address, context)

    assert run(script) is None
