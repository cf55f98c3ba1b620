"""Test that no client influences another one's response: responses follow from their keys, and keys are unambiguous."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

import pytest

from tests.building import add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import Reader, serving
from tests.reader.wire import sent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage.store import Store

PATH = "/api/v1/activities?limit=20"
LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


@pytest.fixture
def filled(sqlite_store: Store) -> Store:
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity(str(n)) for n in range(30)])
    return sqlite_store


@pytest.fixture
def app(filled: Store, request: pytest.FixtureRequest) -> Any:
    return app_of(filled, **getattr(request, "param", {}))


@pytest.fixture
def reader(app: Any) -> Iterator[Reader]:
    with serving(app, watching=True) as reader:
        yield reader


def test_a_repeated_accept_encoding_packs_nothing_for_others(reader: Reader) -> None:
    for first, second in (("gzip", "identity"), ("identity", "gzip"), ("br", "")):
        sent(reader, PATH, "Host: a", f"Accept-Encoding: {first}", f"Accept-Encoding: {second}")
    for accepted in ("identity", "", "gzip;q=0"):
        assert "content-encoding" not in sent(reader, PATH, "Host: a", f"Accept-Encoding: {accepted}").headers
    assert sent(reader, PATH, "Host: a", "Accept-Encoding: gzip").headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    "path", ["/feed.rss", PATH, "/", "/healthz", "/docs"], ids=["feed", "api", "page", "health", "docs"]
)
def test_two_hosts_are_refused(reader: Reader, path: str) -> None:
    for first, second in (("evil.example", "good.example"), ("good.example", "evil.example"), ("a", "a")):
        refused = sent(reader, path, f"Host: {first}", f"Host: {second}")
        assert refused.status == 400
        assert "evil" not in refused.text
        assert refused.headers["x-content-type-options"] == "nosniff"
    assert "evil.example" not in sent(reader, path, "Host: good.example").text


@pytest.mark.parametrize(
    "host", ['a"><script>', "a b", "a/b", "user@a", "a:port"], ids=["markup", "space", "slash", "user", "port"]
)
def test_a_malformed_host_is_refused(reader: Reader, host: str) -> None:
    refused = sent(reader, "/feed.rss", f"Host: {host}")
    assert refused.status == 400
    assert host not in refused.text


def test_each_host_has_its_own_addresses(reader: Reader) -> None:
    for host in ("one.example", "two.example:8080"):
        for _ in range(2):
            feed = sent(reader, "/feed.rss", f"Host: {host}").text
            assert f"http://{host}/feed.rss" in feed
            assert not {"one.example", "two.example"} - {host.partition(":")[0]} & set(feed.split("/"))


@pytest.mark.parametrize(
    "header", ["X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "Forwarded: host=evil.example"],
    ids=["host", "scheme", "forwarded"],
)  # fmt: skip
def test_strangers_can_not_say_how_we_are_reached(reader: Reader, header: str) -> None:
    sent(reader, "/feed.rss", "Host: good.example", header)
    feed = sent(reader, "/feed.rss", "Host: good.example").text
    assert "evil.example" not in feed
    assert "https://good.example" not in feed


@pytest.mark.parametrize("app", [{"trusted_proxies": [LOOPBACK]}], indirect=True, ids=["proxied"])
def test_what_a_trusted_proxy_says_is_kept_apart(reader: Reader) -> None:
    for scheme, host in (("https", "one.example"), ("http", "one.example"), ("https", "two.example")):
        for _ in range(2):
            feed = sent(
                reader, "/feed.rss", "Host: inside", f"X-Forwarded-Proto: {scheme}", f"X-Forwarded-Host: {host}"
            ).text
            assert f"{scheme}://{host}/feed.rss" in feed


@pytest.mark.parametrize("app", [{"public_url": "https://stream.example/x"}], indirect=True, ids=["public-url"])
def test_with_a_public_address_the_host_changes_nothing_and_is_kept_once(app: Any, reader: Reader) -> None:
    feeds = {sent(reader, "/feed.rss", f"Host: host{number}.example").body for number in range(20)}
    feeds |= {sent(reader, "/x/feed.rss", "Host: other.example").body}
    assert len(feeds) == 1
    assert b"https://stream.example/x/feed.rss" in feeds.pop()
    assert len(app._hot._kept) == 1


def test_headers_that_change_nothing_are_no_part_of_the_key(app: Any, reader: Reader) -> None:
    """Each spelling would use memory, and none would hit the cache."""
    for number in range(50):
        padded = "x" * 3000
        answer = sent(
            reader, PATH, "Host: a", f"Accept: a/{number}{padded}", f"Accept-Encoding: identity, y{number}{padded}",
            f"Cookie: a={number}", f"User-Agent: {number}", "Authorization-X: b",
        )  # fmt: skip
        assert answer.status == 200
    assert len(app._hot._kept) == 1


def test_a_page_ignores_sign_ins_of_a_proxy_before_us(app: Any, reader: Reader) -> None:
    for password in ("YTpi", "YTpj"):
        assert sent(reader, "/", "Host: a", f"Authorization: Basic {password}").status == 200
    assert len(app._hot._kept) == 1


def test_long_addresses_are_answered_but_not_kept(app: Any, reader: Reader) -> None:
    assert sent(reader, f"/?x={'y' * 5000}", "Host: a").status == 200
    assert not app._hot._kept
