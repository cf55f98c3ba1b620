"""Test oEmbed and link previews: what other sites get of an item, and that it ends when the item does."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from lxml import etree

from aggregator.domain.activity import ActivityKind, Actor, Media, Review
from tests.building import add_source, an_activity, decide, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving, until
from tests.storage.stream.test_content_reduction import WORDS, a_post, a_repost, account

if TYPE_CHECKING:
    from aggregator.domain.activity import NewActivity
    from storage.store import Store
    from tests.reader.serving import Reader

HOSTILE = '"><script>hit</script>]]>&'


def add(store: Store, activity: NewActivity) -> int:
    with store.reading() as tx:
        source = tx.polling.sources.get("news")
    source = source or add_source(store)
    ingest_now(store, source, [activity])
    with store.reading() as tx:
        return tx.stream.activities.known(source.id, [activity.native_id])[activity.native_id].id


def described(reader: Reader, id_: int, more: str = "") -> dict[str, Any]:
    answer = reader.ask(f"/oembed?url={quote(f'{reader.address}/activities/{id_}')}{more}")
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def data_of(page: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
    found: dict[str, Any] = json.loads(text)
    return found


def test_an_item_is_a_frame_within_the_size_of_the_consumer(sqlite_store: Store) -> None:
    id_ = add(sqlite_store, an_activity("1", title=HOSTILE))
    with serving(app_of(sqlite_store, cors_origins=("https://portal.example",))) as reader:
        found = described(reader, id_, "&maxwidth=320&maxheight=200")
        assert (found["version"], found["type"], found["title"]) == ("1.0", "rich", HOSTILE)
        assert (found["width"], found["height"]) == (320, 200)
        assert "<script" not in found["html"]
        (address,) = re.findall(r'src="([^"]+)"', found["html"])
        frame = reader.ask(address.removeprefix(reader.address))
        assert "frame-ancestors 'self' https://portal.example" in frame.headers["content-security-policy"]
        assert "Text of 1." in frame.text
        assert "<script" not in frame.text


def test_without_sites_that_may_frame_it_is_a_link(sqlite_store: Store, sqlite_reader: Reader) -> None:
    found = described(sqlite_reader, add(sqlite_store, an_activity("1")))
    assert found["type"] == "link"
    assert "html" not in found


def test_xml_has_the_same_values(sqlite_store: Store, sqlite_reader: Reader) -> None:
    id_ = add(sqlite_store, an_activity("1", title=HOSTILE))
    as_json = described(sqlite_reader, id_)
    answer = sqlite_reader.ask(f"/oembed?url={sqlite_reader.address}/activities/{id_}&format=xml")
    assert answer.headers["content-type"].startswith("text/xml")
    root = etree.fromstring(answer.body)
    assert {child.tag: child.text for child in root} == {name: str(value) for name, value in as_json.items()}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("url=https://other.example/activities/1", 404),
        ("url={here}/activities/1/../../", 404),
        ("url={here}/activities/x", 404),
        ("url={here}/activities/99", 404),
        ("url=javascript:alert(1)", 404),
        ("url=http://[bad/activities/1", 400),
        ("url={here}/activities/1&format=yaml", 501),
        ("url={here}/activities/1&maxwidth=wide", 400),
    ],
    ids=["none", "other host", "dots", "letters", "unknown", "script", "malformed", "format", "size"],
)
def test_other_addresses_are_refused(sqlite_store: Store, sqlite_reader: Reader, query: str, status: int) -> None:
    add(sqlite_store, an_activity("1"))
    assert sqlite_reader.ask(f"/oembed?{query.format(here=sqlite_reader.address)}").status == status


def test_a_hidden_item_leaves_every_preview(store: Store) -> None:
    id_ = add(store, an_activity("1", title="Seen before"))
    with serving(app_of(store), watching=True) as reader:
        paths = (
            f"/oembed?url={reader.address}/activities/{id_}",
            f"/activities/{id_}",
            f"/activities/{id_}/embed",
            "/sitemap-0.xml",
        )
        for path in paths:
            assert reader.ask(path).status == 200
        decide(store, [id_], Review.HIDDEN)
        until(lambda: [reader.ask(path).status for path in paths] == [410, 410, 410, 404])
        assert "/sitemap-0.xml" not in reader.ask("/sitemap.xml").text


def test_a_post_of_a_network_that_forbids_it_gives_no_words(sqlite_store: Store, sqlite_reader: Reader) -> None:
    source = account(sqlite_store)
    ingest_now(sqlite_store, source, [a_post("1"), a_repost("3", a_post("2"))])
    for id_ in (1, 2):
        assert WORDS not in json.dumps(described(sqlite_reader, id_))
        page = sqlite_reader.ask(f"/activities/{id_}").text
        head = re.sub("<title>.*?</title>", "", page.partition("</head>")[0])  # our own page may name the author
        assert WORDS not in head
        assert "ld+json" not in head
        assert 'property="og:title"' in head
        assert '<meta name="description" content="Posts, news and events' in head
        assert WORDS not in sqlite_reader.ask(f"/activities/{id_}/embed").text


def test_the_head_of_an_item_is_complete_and_inert(sqlite_store: Store) -> None:
    media = (Media("image", "https://pictures.example/1.jpg", alt='A "chart"'),)
    actor = Actor("web", "desk", HOSTILE)
    id_ = add(sqlite_store, an_activity("1", title=HOSTILE, text=HOSTILE, actor=actor, media=media, lang="en-GB"))
    with serving(app_of(sqlite_store, public_url="https://stream.example/news")) as reader:
        page = reader.ask(f"/activities/{id_}").text
        home = reader.ask("/?topic=&utm_source=x").status
    assert home == 200  # forms send empty values, too
    assert "<script>hit" not in page
    assert data_of(page)["headline"] == HOSTILE
    head = page.partition("</head>")[0]
    assert f'<link rel="canonical" href="https://stream.example/news/activities/{id_}">' in head
    assert 'property="og:image:alt" content="A &#34;chart&#34;"' in head
    assert f'property="og:image" content="https://stream.example/news/pictures/{id_}/' in head
    assert 'content="en_GB"' in head
    assert f"oembed?url=https%3A%2F%2Fstream.example%2Fnews%2Factivities%2F{id_}&amp;format=json" in head
    assert "pictures.example" not in head


def test_sensitive_pictures_are_no_preview(sqlite_store: Store) -> None:
    media = (Media("image", "https://pictures.example/1.jpg"),)
    id_ = add(sqlite_store, an_activity("1", media=media, sensitive=True, kind=ActivityKind.POST, title=None))
    with serving(app_of(sqlite_store)) as reader:
        head = reader.ask(f"/activities/{id_}").text.partition("</head>")[0]
    assert "/pictures/" not in head
