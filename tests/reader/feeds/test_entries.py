"""Test the texts of entries: titles, summaries, and visibility for each audience."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from aggregator.domain.activity import LATEST, ActivityKind, Actor, Media
from aggregator.reader.feeds import activitystreams, atom, jsonfeed, rss
from aggregator.reader.feeds.entries import Category, entry_of
from aggregator.reader.feeds.entry_html import html_of, title_of
from aggregator.reader.feeds.feed import newest, tag_id
from aggregator.reader.visibility import EVERYTHING, PUBLIC
from aggregator.web.dates import Dates
from tests.building import NOON, an_activity
from tests.reader.feeds.building import (
    AUTHORITY,
    LONG_AGO,
    PICTURES,
    SECRET,
    a_feed,
    a_post,
    an_item,
    specimens,
    stored_item,
)
from tests.reader.specimens import HUB, OGP, about, tweet

if TYPE_CHECKING:
    from types import ModuleType

    from aggregator.domain.activity import Activity, NewActivity

TERMS = a_feed([]).terms
FORMATS = [rss, atom, jsonfeed, activitystreams]


def said_on_x(kind: ActivityKind, text: str = SECRET, by: Actor = OGP, **content: Any) -> NewActivity:
    activities = tweet("1", kind, text, f"<p>{text}</p>" if text else "", NOON, by)
    return replace(activities, content=replace(activities.content, **content))


def repost() -> Activity:
    original = replace(said_on_x(ActivityKind.POST, "Words of the hub", HUB), key="x:2")
    return stored_item(1, about(said_on_x(ActivityKind.REPOST, "Words of the hub"), original))


TITLES = {
    "the publisher's title": (an_item(title="  Budgets\n are open "), "Budgets are open"),
    "the beginning of a text": (an_item(title=None, text="A first sentence."), "A first sentence."),
    "a site": (an_item(title=None, text=""), "news.example"),
    "a kind": (an_item(title=None, text="", url=None), "Article"),
    "who said it": (a_post(text="Hello"), "Open Government Partnership: Hello"),
    "who showed it": (a_post(text=""), "Post on X by Open Government Partnership"),
    "who by handle": (a_post(text="Hello", actor=replace(OGP, name="")), "@opengovpart: Hello"),
    "what nobody said": (a_post(text="Hello", actor=None), "Hello"),
    "who reposted whom": (repost(), "Open Government Partnership retweeted OpenGov Hub: Words of the hub"),
    "a repost of nothing": (
        stored_item(1, said_on_x(ActivityKind.REPOST, "Cut")),
        "Open Government Partnership retweeted: Cut",
    ),
}


@pytest.mark.parametrize(("item", "title"), TITLES.values(), ids=TITLES)
def test_everything_has_a_helpful_title(item: Activity, title: str) -> None:
    assert title_of(item, EVERYTHING) == title


@pytest.mark.parametrize("kind", [ActivityKind.POST, ActivityKind.REPOST, ActivityKind.QUOTE, ActivityKind.REPLY])
def test_of_what_is_on_x_the_public_gets_what_it_is_and_where(kind: ActivityKind) -> None:
    entry = entry_of(stored_item(1, said_on_x(kind)), a_feed([], PUBLIC).terms)
    noun = f"{kind.value.capitalize()} on X"
    address = "https://x.com/opengovpart/status/1"
    assert (entry.title, entry.text, entry.link) == (noun, noun, address)
    assert entry.html == f'<p><a href="{address}" rel="nofollow noopener">{noun}</a></p>'
    assert (entry.author, entry.enclosures, entry.lang) == (None, [], None)


@pytest.mark.parametrize("written", FORMATS, ids=lambda written: written.__name__.rpartition(".")[2])
def test_no_format_gives_the_public_words_of_x(written: ModuleType) -> None:
    secret = f"{PICTURES}/secret"
    lines = replace(OGP, name=SECRET, avatar=secret)
    messages = said_on_x(
        ActivityKind.QUOTE, by=lines, title=SECRET, hashtags=(SECRET,), media=(Media("image", secret, SECRET),)
    )
    items = [
        stored_item(1, about(messages, replace(messages, key="x:2"))),
        stored_item(2, about(said_on_x(ActivityKind.REPOST, by=lines), messages)),
        stored_item(3, about(an_activity("3", kind=ActivityKind.REPOST, title=None, text="", html=""), messages)),
    ]
    document = written.render(a_feed(items, PUBLIC)).decode()
    assert SECRET not in document
    assert "secret" not in document
    assert SECRET in written.render(a_feed(items)).decode()


def test_a_repost_shows_who_reposted_whom_and_the_original() -> None:
    assert html_of(repost(), TERMS) == (
        '<p><bdi><a href="https://x.com/opengovpart" rel="nofollow noopener">Open Government Partnership</a></bdi>'
        ' retweeted <bdi><a href="https://x.com/OpenGovHub" rel="nofollow noopener">OpenGov Hub</a></bdi>:</p>'
        '<blockquote cite="https://x.com/OpenGovHub/status/1" lang="en"><p>Words of the hub</p></blockquote>'
    )


def test_a_quote_shows_its_own_words_and_then_the_quoted() -> None:
    original = said_on_x(ActivityKind.POST, "Their words", HUB)
    item = stored_item(1, about(said_on_x(ActivityKind.QUOTE, "My words"), original))
    assert html_of(item, TERMS) == (
        '<p>My words</p><blockquote cite="https://x.com/OpenGovHub/status/1" lang="en"><p><bdi>'
        '<a href="https://x.com/OpenGovHub" rel="nofollow noopener">OpenGov Hub</a></bdi>:</p>'
        "<p>Their words</p></blockquote>"
    )


def test_a_quote_of_what_is_gone_says_so() -> None:
    item = stored_item(1, replace(said_on_x(ActivityKind.QUOTE, "My words"), object_key="x:2"))
    assert html_of(item, TERMS) == "<p>My words</p><p>The quoted post is not available.</p>"


def test_an_event_begins_with_when_and_where() -> None:
    (item,) = (item for item in specimens() if item.content.kind is ActivityKind.EVENT)
    terms = replace(TERMS, dates=Dates.of(ZoneInfo("America/New_York"), "en-US"))
    assert html_of(item, terms).startswith(
        '<p><time datetime="2026-04-16T14:00:00Z">Thursday, April 16, 2026, 10:00 AM to 11:00 AM EDT</time>'
        " (time zone “EST”) · Online</p><p>With examples"
    )


def test_pictures_follow_the_text_unless_they_are_in_it_or_may_offend() -> None:
    picture = Media("image", f"{PICTURES}/a?b=1&c=2", 'A "plan"')
    shown = f'<img src="{PICTURES}/a?b=1&amp;c=2" alt="A &quot;plan&quot;">'
    assert html_of(an_item(media=(picture,)), TERMS) == f"<p>Text of 1.</p><p>{shown}</p>"
    assert html_of(an_item(html=f"<p>{shown}</p>", media=(picture,)), TERMS) == f"<p>{shown}</p>"
    assert html_of(an_item(media=(picture,), sensitive=True), TERMS) == "<p>Text of 1.</p>"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://people.example/?a&b", None])
def test_what_names_say_is_text_and_never_markup(url: str | None) -> None:
    quoted = said_on_x(ActivityKind.POST, actor=replace(OGP, name="<script>", url=url))
    html = html_of(stored_item(1, about(said_on_x(ActivityKind.QUOTE), quoted)), TERMS)
    assert ("&lt;script&gt;" in html, "<script>" in html, "javascript" in html) == (True, False, False)


def test_pictures_alone_have_their_title_for_a_text() -> None:
    entry = entry_of(a_post(text="", media=(Media("image", f"{PICTURES}/a.png"),)), TERMS)
    assert entry.text == entry.summary == entry.title == "Post on X by Open Government Partnership"


def test_what_is_given_twice_is_attached_once_as_it_came_first() -> None:
    twice = (Media("image", f"{PICTURES}/a.png", "first"), Media("image", f"{PICTURES}/a.png", "second"))
    assert [item.alt for item in entry_of(an_item(media=twice), TERMS).enclosures] == ["first"]


def test_what_it_is_filed_under_says_whose_words_these_are() -> None:
    item = replace(an_item(hashtags=("budget", "budget")), topics=("budget",), countries=("CL", "GE"))
    assert entry_of(item, TERMS).categories == [
        Category("budget", None),
        Category("budget", "tag:example.org,2026-11-23:topic"),
        Category("CL", "tag:example.org,2026-11-23:country"),
        Category("GE", "tag:example.org,2026-11-23:country"),
    ]


def test_a_film_is_attached_before_its_still() -> None:
    film = specimens()[10]
    assert (
        b'<enclosure url="https://pictures.example/film?format=mp4" length="123456" type="video/mp4"/>'
        in rss.render(a_feed([film]))
    )


def test_an_item_changed_when_its_publisher_says_but_never_before_it_came() -> None:
    early = an_item(updated=NOON - timedelta(days=1))
    late = an_item(updated=NOON + timedelta(days=1))
    undated = replace(an_item(published=None), first_seen=NOON - timedelta(days=3))
    assert [entry_of(item, TERMS).updated - NOON for item in (early, late, undated)] == [
        timedelta(0),
        timedelta(days=1),
        timedelta(days=-3),
    ]
    assert newest([early, late, undated], EVERYTHING, LATEST, LONG_AGO) == NOON + timedelta(days=1)
    assert newest([], EVERYTHING, LATEST, LONG_AGO) == LONG_AGO


def test_a_date_in_the_future_is_bounded_as_on_the_page() -> None:
    future = NOON.replace(year=2028)
    ahead, edited = an_item(published=future, updated=future), an_item(updated=future)
    terms = replace(TERMS, now=NOON + timedelta(hours=1))
    assert {entry_of(item, terms).published for item in (ahead, edited)} == {NOON}
    assert {entry_of(item, terms).updated for item in (ahead, edited)} == {NOON}
    assert newest([ahead, edited], EVERYTHING, terms.now, LONG_AGO) == NOON


def test_ids_depend_on_nothing_that_may_change() -> None:
    item = an_item(8)
    moved = replace(item, content=replace(item.content, url="https://elsewhere.example/", title="New"))
    assert entry_of(item, TERMS).id == entry_of(moved, TERMS).id == tag_id(8, AUTHORITY)
    assert tag_id(8, AUTHORITY) == "tag:example.org,2026-11-23:activity/8"


def test_all_documents_of_a_feed_share_its_id_and_other_filters_are_another_feed() -> None:
    page, archive = a_feed([]), a_feed([], archive=True, self_url="https://example.org/feed.x?kind=post&archive=b")
    other = a_feed([], first="https://example.org/feed.x?kind=event&q=%22open+data%22")
    assert page.id == archive.id == "tag:example.org,2026-11-23:feed?kind=post"
    assert other.id == "tag:example.org,2026-11-23:feed?kind=event&q=%22open+data%22"
    assert a_feed([], first="https://example.org/feed.x").id == "tag:example.org,2026-11-23:feed"
