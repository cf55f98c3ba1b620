"""Check every requirement of RSS and Atom on specimens and generated feeds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from aggregator.domain.activity import (
    ActivityKind,
    Actor,
    Content,
    Media,
    NewActivity,
    Occasion,
    Original,
)
from aggregator.reader.feeds import activitystreams, atom, jsonfeed, rss
from aggregator.reader.feeds.entries import entry_of
from aggregator.reader.visibility import EVERYTHING, PUBLIC
from tests.reader.feeds import musts, rules
from tests.reader.feeds.building import HOSTILE, LONG_AGO, a_feed, hostile, specimens, stored_item
from tests.reader.feeds.looking import all_of
from tests.reader.feeds.readings import as_guessed, by_fastfeedparser, by_feedparser, meant

if TYPE_CHECKING:
    from types import ModuleType

    from aggregator.reader.feeds.feed import Feed
    from tests.reader.feeds.musts import Must

FEEDS = {
    "specimens": a_feed(specimens()),
    "specimens for the public": a_feed(specimens(), PUBLIC),
    "hostile": a_feed(hostile()),
    "empty": a_feed([], next=None, prev=None, updated=LONG_AGO, language=None),
    "whole": a_feed(
        specimens(),
        whole=True,
        self_url="https://example.org/feed.x?kind=post",
        prev=None,
        prev_archive="https://example.org/feed.x?kind=post&archive=c",
    ),
    "archive": a_feed(
        specimens(),
        archive=True,
        next=None,
        prev=None,
        self_url="https://example.org/feed.x?kind=post&archive=b",
        prev_archive="https://example.org/feed.x?kind=post&archive=a",
        next_archive="https://example.org/feed.x?kind=post&archive=c",
    ),
}
CASES = [(rss, must) for must in musts.RSS] + [(atom, must) for must in musts.ATOM]

TEXTS = st.one_of(
    st.sampled_from(sorted(set(HOSTILE.values()) - {HOSTILE["ten kilobytes"]})),
    st.text(st.characters(codec=None, categories=None), max_size=40),
    st.just(""),
)
ADDRESSES = st.one_of(
    st.sampled_from(
        [
            "https://example.org/ü?q=ä b#ß",
            "http://münchen.example/100%",
            "https://example.org/a|b{c}\"<d>'[e]",
            "https://[::1]/x",
            "https://[bad/x",
            "javascript:alert(1)",
            "https://example.org/a\u202eb\x01",
            "//example.org",
            "",
        ]
    ),
    st.text(max_size=20).map("https://example.org/".__add__),
)
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9998, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001  # the zone is beside
ACTORS = st.builds(
    Actor,
    st.sampled_from(["x", "web"]),
    TEXTS,
    TEXTS,
    handle=st.none() | TEXTS,
    url=st.none() | ADDRESSES,
    avatar=st.none() | ADDRESSES,
)
MEDIA = st.builds(
    Media,
    st.sampled_from(["image", "video", "audio", "animation", "file"]),
    ADDRESSES,
    alt=st.none() | TEXTS,
    mime=st.none() | TEXTS | st.just("Image/PNG; q=1"),
    bytes=st.none() | st.integers(-1, 2**40),
    width=st.none() | st.integers(-1, 9000),
    duration=st.none() | st.floats(-1, 1e6) | st.just(float("nan")),
    preview=st.none() | ADDRESSES,
)
CONTENTS = st.builds(
    Content,
    st.sampled_from(ActivityKind),
    st.sampled_from(["x", "web"]),
    url=st.none() | ADDRESSES,
    actor=st.none() | ACTORS,
    title=st.none() | TEXTS,
    text=TEXTS,
    html=st.just("") | TEXTS.map(lambda text: f"<p>{text.replace('&', '&amp;').replace('<', '&lt;')}</p>"),
    lang=st.none() | st.sampled_from(["en", "ar", "pt-BR", "und", "not a language", "x" * 20]),
    published=st.none() | MOMENTS,
    updated=st.none() | MOMENTS,
    media=st.lists(MEDIA, max_size=3).map(tuple),
    hashtags=st.lists(TEXTS, max_size=3).map(tuple),
    event=st.none() | st.builds(Occasion, MOMENTS, st.none() | MOMENTS, st.none() | TEXTS, st.none() | TEXTS),
    sensitive=st.booleans(),
    complete=st.booleans(),
    in_reply_to=st.none() | ADDRESSES,
)
NEW = st.builds(
    NewActivity,
    st.just("1"),
    TEXTS,
    CONTENTS,
    st.just(""),
    object=st.none() | st.builds(Original, TEXTS, TEXTS, CONTENTS),
    object_key=st.none() | TEXTS,
)


@st.composite
def feeds(draw: st.DrawFn) -> Feed:
    items = [
        stored_item(id_, draw(NEW), first_seen=draw(MOMENTS), topics=(draw(TEXTS),), countries=("CL",))
        for id_ in range(1, draw(st.integers(1, 3)) + 1)
    ]
    shown: dict[str, Any] = {
        "title": draw(TEXTS.filter(str.split)) + "!",
        "language": draw(st.sampled_from([None, "en", "?"])),
    }
    return a_feed(items, draw(st.sampled_from([PUBLIC, EVERYTHING])), **shown)


@pytest.mark.parametrize(("written", "must"), CASES, ids=lambda case: getattr(case, "what", None))
def test_a_demand_is_kept(written: ModuleType, must: Must) -> None:
    assert [name for name, feed in FEEDS.items() if musts.broken(written.render(feed), [must])] == []


_HYPOTHESIS: dict[str, Any] = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}


@pytest.mark.slow
@settings(max_examples=60, derandomize=True, **_HYPOTHESIS)
@given(feeds())
def test_generated_feeds_keep_every_demand_and_two_parsers_agree(feed: Feed) -> None:
    _keeps_every_demand(feed)


@pytest.mark.slow
@settings(max_examples=1000, **_HYPOTHESIS)
@given(feeds())
def test_a_thousand_generated_feeds_keep_every_demand(feed: Feed) -> None:
    _keeps_every_demand(feed)


def _keeps_every_demand(feed: Feed) -> None:
    entries = [entry_of(item, feed.terms) for item in feed.items]
    assert musts.broken(atom.render(feed), musts.ATOM) == []
    assert musts.broken(rss.render(feed), musts.RSS) == []
    assert rules.broken(jsonfeed.render(feed)) == []
    activitystreams.render(feed).decode()
    for written in (atom, rss):
        document = written.render(feed)
        intended = [meant(entry, written) for entry in entries]
        assert by_fastfeedparser(document) == intended
        assert list(map(as_guessed, by_feedparser(document))) == list(map(as_guessed, intended))


def test_a_broken_demand_is_noticed() -> None:
    document = etree.fromstring(rss.render(FEEDS["specimens"]))
    for path, why in (("//guid", "every item has one"), ("channel/title", "one title"), ("channel/ttl", "ttl")):
        root = etree.fromstring(etree.tostring(document))
        found = all_of(root, path)[0]
        if path == "channel/ttl":
            found.text = "soon"
        else:
            parent = found.getparent()
            assert parent is not None
            parent.remove(found)
        assert any(why in what for what in musts.broken(etree.tostring(root), musts.RSS)), path
