"""Test the markup of the HTML pages; `test_front_page` tests how they look."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from aggregator.domain.activity import (
    ActivityKind,
    Actor,
    Link,
    Media,
    Occasion,
    Original,
)
from aggregator.domain.monitoring.incidents import Finding, IncidentKind
from aggregator.domain.networks import network_of
from aggregator.domain.source import SourceState
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader import specimens
from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from aggregator.domain.activity import NewActivity
    from storage.store import Store
    from tests.reader.serving import Reader

PICTURES = "https://pictures.example"
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


def test_the_stream_is_grouped_by_day_in_the_readers_time(sqlite_store: Store, sqlite_reader: Reader) -> None:
    late = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)  # still the evening before in New York
    activities = [
        an_activity("a", published=late),
        an_activity("b"),
        an_activity("c", published=NOON - timedelta(days=40)),
    ]
    ingest_now(sqlite_store, add_source(sqlite_store), activities)

    page = sqlite_reader.ask("/").text

    assert re.findall(r"<h2 id=[^>]+><time [^>]+>([^<]+)<", page) == [
        "Today",
        "Yesterday",
        "Wednesday, January 21, 2026",
    ]
    assert re.findall(r"Title (\w)</a></h3>", page) == ["b", "a", "c"]


def test_an_article_has_its_beginning_and_its_date(sqlite_store: Store, sqlite_reader: Reader) -> None:
    text = "One sentence that is rather long. " * 12
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity(text=text, html=f"<p>{text}</p>")])

    page = sqlite_reader.ask("/").text
    whole = sqlite_reader.ask("/activities/1").text

    (excerpt,) = re.findall(r'<p class="excerpt"[^>]*>([^<]+)</p>', page)
    assert 100 < len(excerpt) <= 150
    assert '<time datetime="2026-03-02T12:00:00Z" title="March 2, 2026, 7:00 AM">7:00 AM</time>' in page
    assert '<a href="https://news.example/1" rel="noopener">Title 1</a>' in page
    assert f"<p>{text}</p>" in whole


def test_a_retweet_shows_who_and_whose(sqlite_store: Store, sqlite_reader: Reader) -> None:
    specimens.fill(sqlite_store, PICTURES)

    page = sqlite_reader.ask("/?kind=repost").text

    assert "<bdi>Open Government Partnership</bdi></a> retweeted" in page
    assert re.search(r'<h3 class="name"[^>]*><a [^>]*><bdi>OpenGov Hub</bdi></a></h3>', page)
    assert '<a href="https://x.com/OpenGovHub" rel="noopener nofollow"><bdi>@OpenGovHub</bdi></a>' in page
    assert '<a href="https://example.org/apply">example.org/apply</a>' in page
    assert 'href="https://x.com/OpenGovHub/status/900"' in page  # the original


def test_a_quote_holds_what_it_quotes(sqlite_store: Store, sqlite_reader: Reader) -> None:
    specimens.fill(sqlite_store, PICTURES)

    page = sqlite_reader.ask("/?kind=quote").text
    inset = re.findall(r"<blockquote.*?</blockquote>", page, re.DOTALL)

    assert len(inset) == 1
    assert "Joseph Powell" in inset[0]
    assert "all Busan endorsers" in inset[0]
    assert page.index("A commitment to build on.") < page.index("<blockquote")


def test_an_event_is_shown_in_the_readers_time_beside_the_sources_label(
    sqlite_store: Store, sqlite_reader: Reader
) -> None:
    specimens.fill(sqlite_store, PICTURES)

    page = sqlite_reader.ask("/?kind=event").text

    assert '<time datetime="2026-04-16T14:00:00Z">Thursday, April 16, 2026<br>10:00 AM to 11:00 AM EDT</time>' in page
    assert "(time zone “EST”)" in page
    assert "Online" in page


def test_words_carry_their_language_and_direction(sqlite_store: Store, sqlite_reader: Reader) -> None:
    specimens.fill(sqlite_store, PICTURES)

    assert '<div class="words" dir="auto" lang="ar">' in sqlite_reader.ask("/?kind=reply").text


def test_pictures_have_words_and_wait_until_needed(sqlite_store: Store, sqlite_reader: Reader) -> None:
    specimens.fill(sqlite_store, PICTURES)

    pictures = re.findall(r'<img src="/(?:pictures|avatars)[^>]*>', sqlite_reader.ask("/").text)

    assert len(pictures) >= 6
    assert all('alt="' in item and 'loading="lazy"' in item for item in pictures)
    assert any('alt="Four speakers on a panel"' in item for item in pictures)


def test_a_picture_that_stands_in_the_text_is_not_shown_twice(sqlite_store: Store, sqlite_reader: Reader) -> None:
    address = f"{PICTURES}/1?a=1&b=2"
    inside = f'<p>Look: <img src="{address.replace("&", "&amp;")}" alt="A hall"></p>'
    content = [an_activity("a", html=inside, media=(Media("image", address, "A hall"),))]
    ingest_now(sqlite_store, add_source(sqlite_store), [*content, an_activity("b", media=content[0].content.media)])

    inside_only, beside = sqlite_reader.ask("/activities/1").text, sqlite_reader.ask("/activities/2").text

    assert inside_only.count('<img src="/pictures/') == 1
    assert beside.count('<img src="/pictures/') == 1


def test_sensitive_pictures_wait_for_a_click(sqlite_store: Store, sqlite_reader: Reader) -> None:
    picture = Media("image", f"{PICTURES}/1", "A picture")
    messages = [
        an_activity("a", kind=ActivityKind.POST, media=(picture,), sensitive=True),
        an_activity("b", media=(picture,), sensitive=True),
    ]
    ingest_now(sqlite_store, add_source(sqlite_store), messages)

    page = sqlite_reader.ask("/").text

    assert page.count('src="/pictures/') == 1  # that of the post
    curtain = page.partition('<details class="curtain">')[2].partition("</details>")[0]
    assert curtain.count('src="/pictures/') == 1


def test_what_outsiders_wrote_is_text(sqlite_store: Store, sqlite_reader: Reader) -> None:
    actor = Actor("web", "h", HOSTILE, HOSTILE, "javascript:alert(1)", "javascript:alert(1)")
    fields: dict[str, Any] = {
        "actor": actor,
        "title": HOSTILE,
        "text": HOSTILE,
        "html": "<p>clean</p>",
        "url": "javascript:alert(1)",
        "lang": HOSTILE,
        "in_reply_to": "javascript:alert(1)",
        "hashtags": (HOSTILE,),
        "links": (Link("javascript:alert(1)", HOSTILE), Link("https://ok.example/", HOSTILE)),
        "event": Occasion(NOON, None, HOSTILE, HOSTILE),
        "media": (
            Media("image", "javascript:alert(1)", HOSTILE),
            Media("image", 'https://x.example/"onload="alert(1)', HOSTILE, preview="data:text/html,x"),
            Media("video", "https://x.example/film", HOSTILE, preview="javascript:alert(1)"),
            Media("audio", "data:text/html,x", HOSTILE),
        ),
    }
    result = [an_activity(kind.value, **{**fields, "kind": kind}) for kind in ActivityKind]
    inner = Original("k", "n", result[0].content)
    result = [replace(item, object=inner, object_key="k") for item in result]
    source = add_source(sqlite_store, "s", name=HOSTILE)
    ingest_now(sqlite_store, source, result)

    pages = [sqlite_reader.ask("/").text, *(sqlite_reader.ask(f"/activities/{n}").text for n in range(1, 8))]

    for page in pages:
        assert len(page) > 1000
        assert re.findall(r"<script(?! src=\"/static/| type=\"application/ld\+json\">)", page) == []
        assert "<img src=x" not in page
        assert "javascript:" not in page
        assert "data:" not in page.replace("data-", "")
        assert re.findall(r'<[^>]*"\s*onload="', page) == []
    assert "&lt;script&gt;" in pages[0]


def test_every_combination_of_what_is_missing_is_shown(sqlite_store: Store, sqlite_reader: Reader) -> None:
    bare: dict[str, Any] = {
        "actor": None,
        "title": None,
        "text": "",
        "html": "",
        "url": None,
        "lang": None,
        "published": None,
    }
    activities = [an_activity(kind.value, **{**bare, "kind": kind}) for kind in ActivityKind]
    ingest_now(sqlite_store, add_source(sqlite_store), activities)

    pages = [sqlite_reader.ask("/"), *(sqlite_reader.ask(f"/activities/{n}") for n in range(1, 8))]

    assert [page.status for page in pages] == [200] * 8
    assert pages[0].text.count("<article") == 7
    assert "None" not in pages[0].text
    assert "Added 7:00 AM" in pages[0].text  # the source gave no date


def test_older_and_newest_lead_through_the_stream(sqlite_store: Store, sqlite_reader: Reader) -> None:
    activities = [an_activity(f"n{n}", published=NOON - timedelta(hours=30 - n)) for n in range(25)]
    ingest_now(sqlite_store, add_source(sqlite_store), activities)

    first = sqlite_reader.ask("/?kind=article").text
    (older,) = re.findall(r'<a class="button" rel="next" href="([^"]+)"', first)
    second = sqlite_reader.ask(older.replace("&amp;", "&")).text

    shown = re.findall(r"Title (n\d+)</a></h3>", first) + re.findall(r"Title (n\d+)</a></h3>", second)
    assert shown == [f"n{n}" for n in reversed(range(25))]
    assert "Newest items" not in first
    assert '<a class="button" href="/?kind=article">Latest items</a>' in second
    assert "No more items." in second


def test_filters_are_plain_links_that_keep_each_other(sqlite_store: Store, sqlite_reader: Reader) -> None:
    specimens.fill(sqlite_store, PICTURES)

    page = sqlite_reader.ask("/?kind=event&source=news").text

    assert '<a href="/?kind=event&amp;source=news" aria-current="true"><bdi>Events</bdi></a>' in page
    assert '<a href="/?kind=article&amp;source=news"><bdi>News</bdi></a>' in page
    assert '<a href="/?source=news"><bdi>All types</bdi></a>' in page
    assert '<a href="/?kind=event&amp;source=opengovpart"><bdi>@opengovpart</bdi></a>' in page
    chips = page.partition('<ul class="chips"')[2].partition("</ul>")[0]
    assert re.findall(r'<a href="([^"]+)"><span[^>]+>Remove filter: </span><bdi>([^<]+)<', chips) == [
        ("/?source=news", "Events"),
        ("/?kind=event", "News and Events"),
    ]
    assert "<title>Events, News and Events: 1 item \u2013 Activity Stream</title>" in page
    assert page.count("<article") == 1


def test_empty_says_why(sqlite_store: Store, sqlite_reader: Reader) -> None:
    none = sqlite_reader.ask("/").text
    source = add_source(sqlite_store)
    waiting = sqlite_reader.ask("/").text
    ingest_now(sqlite_store, source, [an_activity()])
    filtered = sqlite_reader.ask("/?kind=video").text
    beyond = sqlite_reader.ask("/?cursor=MS4xLjE").text

    assert "No sources yet" in none
    assert "aggregator source add" in none
    assert "1 source is set up" in waiting
    assert "Try another search or remove a filter." in filtered
    assert "No more items" in beyond


def test_a_failing_source_is_announced_and_hides_nothing(sqlite_store: Store, sqlite_reader: Reader) -> None:
    source = add_source(sqlite_store, "broken", name="Broken feed")
    ingest_now(sqlite_store, source, [an_activity()])
    before = sqlite_reader.ask("/").text
    with sqlite_store.writing() as tx:
        tx.polling.sources.set_state(source.id, SourceState.STOPPED, "the account is gone", NOON)

    after = sqlite_reader.ask("/").text

    assert "not up to date" not in before
    assert "One source is out of date" in after
    assert "<strong><bdi>Broken feed</bdi></strong>" in after
    assert after.count("<article") == 1


def test_a_service_that_does_not_answer_is_named_unless_it_is_private(sqlite_store: Store) -> None:
    for slug, host in (("tube", "youtube.com:443"), ("own", "hush-host.corp.example:8080"), ("x", "api.x.com:443")):
        add_source(sqlite_store, slug, host=host)
        finding = Finding(IncidentKind.OUTAGE, f"host:{host}", "It does not answer.", {"error": "HUSH"})
        with sqlite_store.writing() as tx:
            incident_id = tx.monitoring.incidents.begin([finding], NOON)[finding.subject]
            tx.polling.outages.hold(host, incident_id, NOON, NOON)
    with serving(app_of(sqlite_store)) as reader:
        page = reader.ask("/").text

    assert "Some sources are not responding" in page
    assert "<p><bdi>youtube.com</bdi> does not answer.</p>" in page
    assert "<p><bdi>X</bdi> does not answer.</p>" in page
    assert "<p><bdi>A publisher&#39;s server</bdi> does not answer.</p>" in page
    assert "hush" not in page.lower()


@pytest.mark.parametrize(
    ("zone", "locale", "posted", "sentence"),
    [
        ("America/New_York", "en", "March 2, 2026", "except where an event names its own zone."),
        ("America/New_York", "en-US", "March 2, 2026", "except where an event names its own zone."),
        ("Asia/Jakarta", "en-GB", "3 March 2026", "except where an event names its own zone."),
        ("Europe/Madrid", "es", "2 de marzo de 2026", "salvo que un evento indique la suya."),
    ],
)
def test_dates_follow_the_installation(sqlite_store: Store, zone: str, locale: str, posted: str, sentence: str) -> None:
    evening = datetime(2026, 3, 2, 19, 30, tzinfo=UTC)
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity(published=evening)], now=evening)
    tomorrow = evening + timedelta(days=2)
    with serving(app_of(sqlite_store, timezone=ZoneInfo(zone), locale=locale, clock=lambda: tomorrow)) as reader:
        page = reader.ask("/").text

    assert re.search(rf'<time datetime="2026-03-02T19:30:00Z" title="[^"]+">{posted}</time>', page)
    assert f"({zone}), {sentence}" in page


def _on(network: str, native_id: str, **content: Any) -> NewActivity:
    actor = Actor(network, native_id, f"Author {native_id}", "ada")
    new = an_activity(native_id, kind=ActivityKind.POST, network=network, actor=actor, title=None, **content)
    return replace(new, key=f"{network}:{native_id}")


def test_networks_are_a_filter_where_there_are_several(sqlite_store: Store, sqlite_reader: Reader) -> None:
    source = add_source(sqlite_store)
    ingest_now(sqlite_store, source, [an_activity("a")])
    assert "All networks" not in sqlite_reader.ask("/").text

    ingest_now(sqlite_store, source, [_on("mastodon", "m"), _on("bluesky", "b")])

    page = sqlite_reader.ask("/?network=mastodon&kind=post").text
    listed = page.partition("<h2>Network</h2>")[2].partition("</ul>")[0]
    choices = re.findall(r'<a href="([^"]*)"( aria-current="true")?><bdi>([^<]+)<', listed)
    assert [(label, bool(chosen)) for _, chosen, label in choices] == [
        ("All networks", False),
        ("Bluesky", False),
        ("Mastodon", True),
        ("Other sites", False),
    ]
    assert all("kind=post" in address for address, _, _ in choices)
    assert re.findall(r"Author (\w)</a></h3>|<bdi>Author (\w)</bdi>", page) == [("", "m")]


@pytest.mark.parametrize(
    ("network", "verb", "passive"),
    [("x", "retweeted", "reposted"), ("bluesky", "reposted", "reposted"), ("mastodon", "boosted", "boosted")],
)
def test_reposts_are_named_in_the_words_of_their_network(
    sqlite_store: Store, sqlite_reader: Reader, network: str, verb: str, passive: str
) -> None:
    original = _on(network, "o", url="https://social.example/o")
    reposts = [
        replace(
            _on(network, name, text="", html=""),
            content=replace(_on(network, name).content, kind=ActivityKind.REPOST, text="", html=""),
            object=Original(original.key, "o", original.content),
            object_key=original.key,
        )
        for name in ("p", "q")
    ]
    ingest_now(sqlite_store, add_source(sqlite_store), reposts)

    page = sqlite_reader.ask("/").text
    feed = sqlite_reader.ask("/feed.atom").text
    as2 = sqlite_reader.ask("/activities/1", headers={"Accept": "application/activity+json"}).json
    embed = sqlite_reader.ask("/embed").text

    assert as2["type"] == "Announce"
    if network_of(network).terms.embeddable:  # else the embed has only a link
        assert re.search(rf"Author q</bdi>(?:</a>)?\s*{verb}", embed)
    assert re.search(rf"Author q</bdi>\s*{verb}", page)
    assert re.search(rf"Also {passive} by <bdi>Author p</bdi>", page)
    assert f"Also {passive} by Author" in feed


def test_a_picture_is_cropped_around_its_focal_point(sqlite_store: Store, sqlite_reader: Reader) -> None:
    media = tuple(
        Media("image", f"{PICTURES}/{number}.jpg", focus=focus)
        for number, focus in enumerate(((-1.0, 1.0), (0.5, -0.22), (7.0, -7.0), None))
    )
    ingest_now(sqlite_store, add_source(sqlite_store), [_on("mastodon", "m", media=media)])

    page = sqlite_reader.ask("/").text
    [item] = sqlite_reader.items()

    crops = re.findall(r'/(\d)\.jpg" rel="[^"]+">\s*<img src="[^"]+" (?:class="([^"]+)" )?alt', page)
    assert crops == [("0", "focus-x0 focus-y0"), ("1", "focus-x8 focus-y6"), ("2", "focus-x10 focus-y10"), ("3", "")]
    assert [picture["focus"] for picture in item["media"]][:2] == [{"x": -1.0, "y": 1.0}, {"x": 0.5, "y": -0.22}]
    assert item["media"][3]["focus"] is None


def test_times_are_valid_and_links_have_addresses(sqlite_store: Store) -> None:
    html = '<p><a href="javascript:alert(1)" title="a">no address</a></p>'
    moment = NOON + timedelta(microseconds=123_456)
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity("a", html=html, published=moment)], now=moment)
    with serving(app_of(sqlite_store)) as reader:
        for path in ("/", "/activities/1", "/embed", "/activities/1/card"):
            text = reader.ask(path).text
            assert all(re.fullmatch(r"[\d-]+(T[\d:]+Z)?", at) for at in re.findall(r'datetime="([^"]*)"', text)), path
            assert re.findall(r"<a (?![^>]*href=)[^>]*>", text) == [], path
