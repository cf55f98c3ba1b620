"""Check with two feed parsers that plain text stays literal in every output, and HTML stays HTML."""

from __future__ import annotations

import json
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

import pytest
from icalendar import Calendar
from lxml import html

from aggregator.domain.activity import (
    ActivityKind,
    Actor,
    Media,
    Occasion,
    Original,
)
from aggregator.reader import ical_feed
from aggregator.reader.feeds import activitystreams, atom, jsonfeed, rss
from aggregator.text.html import paragraphs
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.feeds.building import AUTHORITY, a_feed, stored_item
from tests.reader.feeds.readings import by_fastfeedparser, by_feedparser
from tests.reader.serving import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aggregator.domain.activity import Activity, NewActivity
    from storage.store import Store
    from tests.reader.feeds.readings import Reading

LITERAL = "Never write <img src=x onerror=alert(1)>; use if (a<b && c>d) &amp; </p><script>alert(2)</script>"
STYLED = f"<p>Read <strong>this</strong>: {escape(LITERAL)}</p>"
TEXTS = {
    "plain-text-alone": {"text": LITERAL, "html": ""},
    "plain-text-and-its-html": {"text": LITERAL, "html": paragraphs(LITERAL)},
    "html": {"text": f"Read this: {LITERAL}", "html": STYLED},
}
TITLES = {"plain-title": LITERAL, "no-title": None}
SHAPES = ("article", "event", "quote", "repost")


def new(shape: str, text: dict[str, str], title: str | None) -> NewActivity:
    """Return an activity whose every text is literal."""
    who = Actor("web", "n.example/1", LITERAL, url="https://n.example/1")
    event = Occasion(NOON, place=LITERAL, zone_label=LITERAL) if shape == "event" else None
    media = (Media("image", "https://n.example/1.png", LITERAL),)
    content = an_activity("1", kind=ActivityKind(shape), title=title, actor=who, event=event, media=media, **text)
    if shape in {"quote", "repost"}:
        content = replace(content, object=Original("web:2", "2", replace(content.content, kind=ActivityKind.POST)))
    return content


@pytest.fixture(params=[(s, t, h) for s in SHAPES for t in TEXTS for h in TITLES], ids="-".join)
def item(request: pytest.FixtureRequest) -> Activity:
    """Return an item of each shape, with each combination of plain text and HTML."""
    shape, text, title = request.param
    return stored_item(1, new(shape, TEXTS[text], TITLES[title]), topics=(LITERAL,))


def assert_literal(markup: str, *, whole: bool = True) -> None:
    """Fail where markup runs anything, or does not show the literal text (`whole`) or its beginning."""
    tree = html.fragment_fromstring(markup, create_parent="div")
    assert tree.xpath("//script | //*[@onerror] | //img[@src='x']") == []
    shown = " ".join(tree.text_content().split())
    assert (LITERAL if whole else "Never write <img src=x onerror=alert(1)>;") in shown


@pytest.mark.parametrize("read", [by_feedparser, by_fastfeedparser], ids=["feedparser", "fastfeedparser"])
def test_rss(item: Activity, read: Callable[[bytes], list[Reading]]) -> None:
    (found,) = read(rss.render(a_feed([item])))
    assert_literal(found.content)
    assert_literal(found.summary, whole=False)  # RSS's description is HTML
    assert "Never write <img src=x onerror=alert(1)>;" in found.title


@pytest.mark.parametrize("read", [by_feedparser, by_fastfeedparser], ids=["feedparser", "fastfeedparser"])
def test_atom(item: Activity, read: Callable[[bytes], list[Reading]]) -> None:
    (found,) = read(atom.render(a_feed([item])))
    assert_literal(found.content)
    assert "Never write <img src=x onerror=alert(1)>;" in found.summary  # Atom's summary of no type is plain text
    assert "Never write <img src=x onerror=alert(1)>;" in found.title


def test_json_feed(item: Activity) -> None:
    (found,) = json.loads(jsonfeed.render(a_feed([item])))["items"]
    assert_literal(found["content_html"])
    assert LITERAL in " ".join(found["content_text"].split())
    assert LITERAL in found["authors"][0]["name"]


def test_activity_streams(item: Activity) -> None:
    page = json.loads(activitystreams.render(a_feed([item])))
    (activity,) = page["orderedItems"]
    for activities in _all_of(page, {"content", "summary"}):  # both are HTML
        assert_literal(activities, whole=False) if "Never" in activities else assert_plain_markup(activities)
    assert_literal(activity["object"]["content"])
    assert LITERAL in _all_of(page, {"name"})  # a name is plain text


def assert_plain_markup(markup: str) -> None:
    assert html.fragment_fromstring(markup, create_parent="div").xpath("//*") != []


def _all_of(value: Any, names: set[str]) -> list[str]:
    return list(_walk(value, names))


def _walk(value: Any, names: set[str]) -> Iterator[str]:
    if isinstance(value, list):
        for entry in value:
            yield from _walk(entry, names)
    elif isinstance(value, dict):
        for name, entry in value.items():
            if name in names and isinstance(entry, str):
                yield entry
            yield from _walk(entry, names)


ACTIVE = "//*[@onerror] | //img[@src='x'] | //script[not(@src) and not(@type='application/ld+json')]"


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_calendar(text: dict[str, str]) -> None:
    item = stored_item(1, new("event", text, LITERAL))
    (event,) = Calendar.from_ical(ical_feed.calendar_of([item], "Events", AUTHORITY, "https://o.example")).events
    assert event["SUMMARY"] == event["LOCATION"] == LITERAL
    assert LITERAL in str(event["DESCRIPTION"])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_pages(sqlite_store: Store, text: dict[str, str], shape: str) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store, name=LITERAL), [new(shape, text, LITERAL)])
    with serving(app_of(sqlite_store)) as reader:
        for path in ("/", "/activities/1", "/activities/1/card", "/embed", "/embed/items"):
            tree = html.document_fromstring(reader.ask(path).text)
            assert tree.xpath(ACTIVE) == [], path
            assert LITERAL in " ".join("".join(map(str, tree.itertext())).split()), path
