"""Test how every variant of a post on X is shown: page, card, embed, feeds, ActivityStreams, API, desk."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.reader.visibility import EVERYTHING, PUBLIC
from aggregator.web.picture_addresses import picture_digest
from storage import schema
from storage.store import Store
from tests.building import NOON, add_source, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import Reader, serving
from tests.review.conftest import Stopped, installed
from tests.x.variants import GONE_WORDS, activities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGES = ("page", "own page", "embed")
FEEDS = ("rss", "atom", "json")
ALL = (*PAGES, *FEEDS)
EDITED, REPLY, FIRST, SECOND, THIRD, POLL, ARTICLE, LINK = 100, 102, 103, 104, 105, 106, 107, 108
QUOTED_QUOTE, ARABIC, GONE, QUOTE_OF_GONE, CUT, MISSING, REPOSTED_QUOTE, STREAM, REPOSTED_POLL = range(109, 118)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('variants') / 'a.sqlite3'}")
    schema.migrate(store.engine, "test.invalid", NOON.date())
    ingest_now(store, add_source(store, "rivertown", "twitter"), activities())
    yield store
    store.engine.dispose()


@pytest.fixture(scope="module")
def shown(filled: Store) -> Iterator[Callable[[str, int], str]]:
    """Give a function that returns what an output shows of a post, as plain text or JSON."""
    with serving(app_of(filled, embeddable=frozenset({"x"}))) as reader:
        ids = {int(item["native_id"]): item["id"] for item in reader.items("?limit=100&stitch=no")}
        yield lambda output, number: _piece(reader, output, ids[number])


def _piece(reader: Reader, output: str, id_: str) -> str:
    if output == "page":
        return _card(reader.ask("/").text, id_)
    if output == "own page":
        return _card(reader.ask(f"/activities/{id_}").text, id_)
    if output == "embed":
        items = reader.ask("/embed/items?limit=100").text.split('<li class="item"')
        return next(item for item in items if f'data-id="{id_}"' in item)
    if output == "as2":
        return reader.ask(f"/activities/{id_}.as2").text
    if output == "api":
        return reader.ask(f"/api/v1/activities/{id_}").text
    feed = reader.ask(f"/feed.{output}?limit=100").text
    if output == "json":
        entries = [json.dumps(entry, ensure_ascii=False) for entry in json.loads(feed)["items"]]
    else:
        entries = [
            html.unescape(entry) for entry in re.findall(r"<(?:item|entry)>.*?</(?:item|entry)>", feed, re.DOTALL)
        ]
    return next(entry for entry in entries if re.search(rf"activity/{id_}\b", entry))


def _card(page: str, id_: str) -> str:
    return next(card for card in page.split("<article")[1:] if f'data-id="{id_}"' in card).split("</article>")[0]


def _plain(piece: str) -> str:
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", piece)).split())


SHOWN = {
    "edited": (EDITED, r"(?i)\bedited\b", ALL),
    "reply": (REPLY, "In reply to this post", ALL),
    "thread": (THIRD, "Thread, 3 posts . continues this post", PAGES),
    "thread-begins": (FIRST, "Thread, 3 posts", PAGES),
    "thread-in-feeds": (SECOND, "Thread, continues this post", FEEDS),
    "poll": (POLL, "Poll.*open until.*Wednesday evening Saturday morning", PAGES),
    "poll-in-feeds": (POLL, "Poll, open until.*Wednesday evening.*Saturday morning", FEEDS),
    "poll-of-original": (REPOSTED_POLL, "A vote.*Poll", ALL),
    "article": (ARTICLE, "How we opened 214 contracts.*A year ago nobody knew", ALL),
    "link": (LINK, "Audit & report.*31 without a tender", ALL),
    "quote-of-a-quote": (QUOTED_QUOTE, "Look at this.*I disagree with this.*Quotes this post", ALL),
    "reposted-quote": (REPOSTED_QUOTE, "I disagree with this.*Quotes this post", ALL),
    "original-gone": (GONE, "Rivertown City Hall.*The original is not available", ALL),
    "quoted-gone": (QUOTE_OF_GONE, "We saved it.*The quoted post is not available", ALL),
    "cut": (CUT, "RT @marta_k: A cut te….*This is an excerpt", ALL),
    "missing-quote": (MISSING, "Worth a read.*Quotes this post", ALL),
}


@pytest.mark.parametrize(
    ("number", "expected", "output"),
    [
        pytest.param(number, expected, output, id=f"{name}-{output.replace(' ', '-')}")
        for name, (number, expected, outputs) in SHOWN.items()
        for output in outputs
    ],
)
def test_each_variant_is_complete(shown: Callable[[str, int], str], number: int, expected: str, output: str) -> None:
    assert re.search(expected, _plain(shown(output, number)), re.DOTALL)


@pytest.mark.parametrize("output", [*ALL, "as2", "api"])
@pytest.mark.parametrize(
    ("number", "never"),
    [
        pytest.param(GONE, GONE_WORDS, id="gone-words"),
        pytest.param(CUT, "available", id="claim"),
        pytest.param(MISSING, "not available", id="missing-claim"),
        pytest.param(REPOSTED_QUOTE, "not available", id="reposted-claim"),
        pytest.param(POLL, "471[78]", id="votes"),
    ],
)
def test_nothing_is_shown_or_claimed_that_x_did_not_give(
    shown: Callable[[str, int], str], number: int, never: str, output: str
) -> None:
    assert not re.search(never, _plain(shown(output, number)) if output in ALL else shown(output, number))


@pytest.mark.parametrize("output", PAGES)
def test_right_to_left_posts_have_the_picture_on_the_right(shown: Callable[[str, int], str], output: str) -> None:
    assert re.search(r'class="byline" dir="rtl"', shown(output, ARABIC))
    assert 'dir="rtl"' not in shown(output, REPLY)


@pytest.mark.parametrize("output", PAGES)
def test_the_logo_stands_beside_each_post(shown: Callable[[str, int], str], output: str) -> None:
    assert 'class="icon logo"' in shown(output, REPLY)


@pytest.mark.parametrize("output", PAGES)
def test_a_film_that_only_x_plays_is_a_film(shown: Callable[[str, int], str], output: str) -> None:
    piece = shown(output, STREAM)
    assert 'class="play"' in piece
    assert f"/{picture_digest('https://pictures.example/film')}/" in piece
    assert re.search('class="frame-of" href="https://x.com/rivertown_gov/status/116"', piece)


@pytest.mark.parametrize("output", PAGES)
def test_previews_link_through_x_and_show_their_largest_image(shown: Callable[[str, int], str], output: str) -> None:
    piece = shown(output, LINK)
    assert re.search('class="preview" href="https://t.co/[0-9]+"', piece)
    assert f"/{picture_digest('https://pictures.example/plenary')}/" in piece


@pytest.mark.parametrize("output", ["rss", "atom", "json"])
def test_an_article_s_title_is_the_entry_s_title(shown: Callable[[str, int], str], output: str) -> None:
    assert re.search('(<title>|"title": ")How we opened 214 contracts', shown(output, ARTICLE))


def test_the_api_gives_the_parts_of_each_variant(shown: Callable[[str, int], str]) -> None:
    def item(number: int) -> Any:
        return json.loads(shown("api", number))

    assert item(POLL)["poll"] == {
        "options": ["Wednesday evening", "Saturday morning"],
        "ends_at": "2026-03-03T09:00:00Z",
    }
    assert item(REPOSTED_POLL)["object"]["poll"] == {"options": [], "ends_at": None}
    assert item(FIRST)["thread"] == item(THIRD)["thread"] == "x:103@1"
    assert item(REPLY)["thread"] is None
    assert (item(GONE)["text"], item(GONE)["object"], item(GONE)["complete"]) == ("", None, True)
    assert (item(CUT)["complete"], item(MISSING)["complete"]) == (False, False)
    assert item(MISSING)["quote_of"] == "https://x.com/marta_k/status/72"
    assert item(REPOSTED_QUOTE)["object"]["quote_of"] == "https://x.com/old_ledger/status/61"
    assert item(REPOSTED_QUOTE)["object"]["object"] is None
    assert item(REPOSTED_QUOTE)["object"]["complete"] is False
    assert item(LINK)["links"][0] | {"text": None, "url": None} == {
        "url": None, "text": None, "title": "Audit & report", "description": "31 without a tender",
        "image": "https://pictures.example/plenary",
    }  # fmt: skip
    assert item(STREAM)["media"][0]["mime"] == "application/x-mpegURL"
    assert item(ARTICLE)["title"] == "How we opened 214 contracts"


def test_activitystreams_has_the_parts_of_each_variant(shown: Callable[[str, int], str]) -> None:
    def object_(number: int) -> Any:
        return json.loads(shown("as2", number))["object"]

    assert object_(POLL)["type"] == "Question"
    assert [option["name"] for option in object_(POLL)["oneOf"]] == ["Wednesday evening", "Saturday morning"]
    assert object_(POLL)["endTime"] == "2026-03-03T09:00:00Z"
    assert object_(GONE)["type"] == "Tombstone"
    assert [part["type"] for part in object_(QUOTE_OF_GONE)["attachment"]] == ["Tombstone"]
    assert {tag["href"] for tag in object_(MISSING)["tag"] if tag["type"] == "Link"} == {
        "https://x.com/marta_k/status/72"
    }
    assert object_(REPLY)["inReplyTo"]["url"] == "https://x.com/marta_k/status/50"
    assert object_(ARTICLE)["name"] == "How we opened 214 contracts"


def test_the_public_api_gives_none_of_it(filled: Store) -> None:
    with serving(app_of(filled, audience=PUBLIC)) as reader:
        for item in reader.items("?limit=100&stitch=no"):
            assert (item["text"], item["poll"], item["links"], item["quote_of"], item["thread"]) == (
                "",
                None,
                [],
                None,
                None,
            )
        for output in ("rss", "atom", "json", "as2?page=first"):
            text = reader.ask(f"/feed.{output}{'&' if '?' in output else '?'}limit=100").text
            for words in ("Wednesday evening", "214 contracts", "31 without", "I disagree"):
                assert words not in text


def test_embeds_show_none_of_it_without_the_network_s_consent(filled: Store) -> None:
    with serving(app_of(filled, audience=EVERYTHING)) as reader:
        text = reader.ask("/embed/items?limit=100").text
        for words in ("Wednesday evening", "214 contracts", "31 without", "I disagree", 'class="avatar"'):
            assert words not in text


def test_the_desk_shows_the_same_cards(sqlite_store: Store) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store, "rivertown", "twitter"), activities())
    with installed(sqlite_store, Stopped()) as installation:
        page = installation.visitor().get("/review?pile=published").text
    for words in (
        "The original is not available.",
        "Saturday morning",
        "How we opened 214 contracts",
        "Thread, 3 posts",
    ):
        assert words in page
    assert GONE_WORDS not in page
