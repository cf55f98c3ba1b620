"""Check that the tree and feedparser read the same in a feed document, and that entries seen before are skipped."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from aggregator.domain.errors import UnreadableError
from aggregator.sources.rss import feedparser_reader
from aggregator.sources.rss.charset import UTF8, decoded
from aggregator.sources.rss.document import NO_ENTRIES, Document, Entry
from aggregator.sources.rss.normalise import activity_of, name_of, setting_of
from aggregator.sources.rss.parse import normalise
from aggregator.sources.rss.seen_entries import Seen
from aggregator.sources.rss.xml_tree import reader
from aggregator.text.html import plain_text
from tests.feeds import Writer, broken, feed

URL = "https://feeds.example.org/blog/feed.xml"
CHUNKS = 8
OF_EACH = 250  # documents; more find more
SOME_CHUNKS = [pytest.param(chunk, marks=[pytest.mark.slow] if chunk else []) for chunk in range(CHUNKS)]
FARM = Path(__file__).parents[4].parent / "shared" / "bench" / "feedfarm" / "feedfarm.py"

Reader = Callable[[bytes, str, str], Document | None]
Content = tuple[Document, list[Entry]]


def whole(document: Document) -> Content:
    """Return the content of a document, without the notes on how it was read."""
    entries = document.entries.read(range(len(document.entries.raws)))
    return replace(document, entries=NO_ENTRIES, around="", notes=()), [replace(entry, raw=b"") for entry in entries]


def both(body: bytes, content_type: str) -> tuple[Content, Content] | None:
    """Read a document from its tree and with feedparser; None unless both can.

    Documents with base URLs are not compared: feedparser makes every address in them absolute. Where feedparser finds
    the XML broken, it leaves entities as they are.
    """
    body = decoded(body, content_type).body
    try:
        found, other = (read(body, UTF8, URL) for read in (reader.read, feedparser_reader.read))
    except UnreadableError:  # feedparser can't read some single values, such as a license
        return None
    if found is None or other is None or b"xml:base" in body:
        return None
    return None if any("broken" in note for note in other.notes) else (whole(found), whole(other))


@pytest.mark.parametrize("chunk", SOME_CHUNKS)
def test_the_tree_and_feedparser_read_the_same(chunk: int) -> None:
    """Rare constructs are left out: feedparser lets later titles win, and takes unknown elements for its own fields."""
    compared = 0
    for seed in range(chunk * OF_EACH, (chunk + 1) * OF_EACH):
        body, content_type = feed(seed)
        pair = None if Writer(seed).hostile or _is_misread(body) else both(body, content_type)
        if pair:
            assert pair[0] == pair[1], seed
        compared += pair is not None
    assert compared >= 0.4 * OF_EACH


def _is_misread(body: bytes) -> bool:
    """Return whether feedparser loses a text.

    It drops one of the first entry's texts if the channel has two summaries, and a title of Media RSS after a source.
    """
    body = body.replace(b"\0", b"")  # of UTF-16
    head = body.partition(b"<item")[0]
    twice = b"<itunes:summary" in head and b"<description" in head
    return twice or (b"<source" in body and b"media:title" in body)


@pytest.mark.parametrize("chunk", SOME_CHUNKS)
def test_rare_constructs_hide_no_entry_from_the_tree(chunk: int) -> None:
    compared = 0
    for seed in range(chunk * OF_EACH, (chunk + 1) * OF_EACH):
        pair = both(*feed(seed)) if Writer(seed).hostile else None
        if pair:
            mine, others = ([(entry.id, entry.published, entry.author) for entry in read[1]] for read in pair)
            assert mine == others, seed
        compared += pair is not None
    assert compared >= 0.1 * OF_EACH


@pytest.mark.parametrize("chunk", SOME_CHUNKS)
def test_a_damaged_document_is_read_the_same_either_way_or_refused(chunk: int) -> None:
    for seed in range(chunk * OF_EACH, (chunk + 1) * OF_EACH, 4):
        body, content_type = broken(seed)
        pair = None if Writer(seed).hostile else both(body, content_type)
        if pair:
            mine, others = ([(entry.id, entry.link, _words(entry)) for entry in read[1]] for read in pair)
            assert mine == others, seed
        with suppress(UnreadableError):  # nothing else, that is
            normalise(body, content_type, URL)


def _words(entry: Entry) -> str:
    return plain_text(entry.body.value) if entry.body and entry.body.html else ""


@pytest.mark.parametrize("chunk", SOME_CHUNKS)
def test_of_entries_that_were_seen_nothing_is_said_and_of_the_others_the_same(chunk: int) -> None:
    clear = 0
    for seed in range(chunk * OF_EACH, (chunk + 1) * OF_EACH, 4):
        body, content_type = feed(seed)
        if b"xml:base" in decoded(body, content_type).body:  # see `agree`
            continue
        try:
            full = normalise(body, content_type, URL)
        except UnreadableError:
            continue
        known = Seen.of(full.seen)
        half = known._replace(entries=dict(list(known.entries.items())[::2]))
        later = normalise(body, content_type, URL, half.line())
        assert later.seen == full.seen
        assert (later.title, later.entries, later.announced) == (full.title, full.entries, full.announced)
        assert [activity for activity in full.activities if activity in later.activities] == list(later.activities)
        nothing = normalise(body, content_type, URL, full.seen)
        assert (nothing.activities, nothing.skipped, nothing.entries) == ((), full.entries, full.entries)
        clear += _only_the_unseen(body, content_type)
    assert clear >= 0.4 * OF_EACH / 4


def _only_the_unseen(body: bytes, content_type: str) -> bool:
    """Check each entry that is left out of a document with distinguishable entries; False for other documents."""
    document = reader.read(body, content_type, URL)
    if document is None:
        return False
    setting = setting_of(document, URL)
    entries = document.entries.read(range(len(document.entries.raws)))
    ids = [activity_of(entry, setting).native_id for entry in entries]
    speaking = [bool(entry.title or entry.body or entry.link or entry.media) for entry in entries]
    full = normalise(body, content_type, URL)
    known = Seen.of(full.seen)
    if len(set(ids)) < len(ids) or len(known.entries) < len(ids) or not all(speaking):
        return False
    half = known._replace(entries=dict(list(known.entries.items())[::2]))
    later = normalise(body, content_type, URL, half.line())
    assert [activity.native_id for activity in later.activities] == [
        activity.native_id for activity in full.activities if activity.native_id in ids[1::2]
    ]
    assert later.skipped == len(ids[::2])
    named = [name_of((entry.id, entry.link), setting) for entry in entries[::2]]
    assert later.present == tuple(name for name in named if name)
    return True


@pytest.mark.slow
@pytest.mark.skipif(not FARM.exists(), reason="the farm of feeds is not here")
def test_the_feeds_of_a_usual_farm_read_the_same(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, str(FARM), "--out", str(tmp_path), "--feeds", "40"], check=True, capture_output=True
    )
    bodies = [path.read_bytes() for path in sorted(tmp_path.glob("f/*.xml"))]
    assert bodies
    for body in bodies:
        pair = both(body, "application/xml")
        assert pair
        assert pair[0] == pair[1]


ITEMS = "<item><guid>1</guid><title>One</title></item><item><guid>2</guid><title>Two</title></item>"
HEAD = "<title>T</title><link>https://news.example/</link><lastBuildDate>Mon</lastBuildDate><generator>g</generator>"


def rss(head: str = HEAD, items: str = ITEMS, attributes: str = "") -> bytes:
    return f'<rss version="2.0" {attributes}><channel>{head}{items}</channel></rss>'.encode()


@pytest.mark.parametrize(
    ("body", "skipped"),
    [
        (rss(HEAD.replace("Mon", "Tue").replace("<generator>g", "<ttl>60</ttl><generator>h")), 2),
        (rss(HEAD + '<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="self" href="x"/>'), 2),
        (rss(items=ITEMS.replace("Two", "Two!")), 1),
        (rss(items="<item><guid>3</guid><title>Three</title></item>" + ITEMS), 2),
        (rss(HEAD.replace("<title>T", "<title>U")), 0),
        (rss(HEAD.replace("https://news", "https://blog")), 0),
        (rss(HEAD + "<language>fr</language>"), 0),
        (rss(HEAD + "<image><url>https://news.example/i.png</url></image>"), 0),
        (rss(attributes='xml:base="https://base.example/"'), 0),
        (rss(attributes='xmlns:odd="urn:example:odd"'), 0),
    ],
)
def test_entries_count_as_seen_while_they_and_what_they_depend_on_stay(body: bytes, skipped: int) -> None:
    seen = normalise(rss(), "application/xml", URL).seen
    later = normalise(body, "application/xml", URL, seen)
    assert later.skipped == skipped
    assert later.present == ("https://feeds.example.org/2", "2")[2 - skipped :] or len(later.present) == skipped
    assert seen.isascii()


def test_what_was_seen_is_told_in_few_bytes() -> None:
    items = "".join(f"<item><guid>{number}</guid><title>{number}</title></item>" for number in range(40))
    assert len(normalise(rss(items=items), "application/xml", URL).seen) < 500


@pytest.mark.parametrize("seen", ["", "x", "nonsense:", "a:" + "b" * 12, "a:" + "b" * 13, "é:ü"])
def test_what_was_seen_may_be_damaged(seen: str) -> None:
    assert len(normalise(rss(), "application/xml", URL, seen).activities) == 2


def test_a_newer_entry_with_the_id_of_a_seen_one_wins_and_an_older_one_does_not() -> None:
    dated = "<item><guid>1</guid><title>{}</title><pubDate>0{} Mar 2026 00:00:00 GMT</pubDate></item>"
    seen = normalise(rss(items=dated.format("Seen", 2)), "application/xml", URL).seen
    for day, winner in ((1, "Seen"), (3, "Other")):
        body = rss(items=dated.format("Seen", 2) + dated.format("Other", day))
        feed = normalise(body, "application/xml", URL, seen)
        assert [activity.content.title for activity in feed.activities] == [winner]
        assert feed.skipped == 0


def test_a_seen_entry_without_a_date_still_spoils_the_order_by_dates() -> None:
    undated = "<item><guid>0</guid><title>Undated</title></item>"
    dated = "".join(
        f"<item><guid>{day}</guid><title>D</title><pubDate>0{day} Mar 2026 00:00:00 GMT</pubDate></item>"
        for day in (1, 2)
    )
    seen = normalise(rss(items=undated), "application/xml", URL).seen
    feed = normalise(rss(items=dated + undated), "application/xml", URL, seen)
    assert [activity.native_id for activity in feed.activities] == ["2", "1"]


def test_items_of_a_json_feed_are_skipped_too() -> None:
    body = (
        '{"version": "https://jsonfeed.org/version/1.1", "title": "T", "items": [%s{"id": "1", "content_text": "One"}]}'
    )
    seen = normalise((body % "").encode(), "application/feed+json", URL).seen
    later = normalise((body % '{"id": 2, "content_text": "Two"}, ').encode(), "application/feed+json", URL, seen)
    assert ([activity.native_id for activity in later.activities], later.present, later.entries) == (["2"], ("1",), 2)


def test_what_a_feed_announces_is_found_whichever_way_it_is_read() -> None:
    head = (
        '<sy:updatePeriod xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">daily</sy:updatePeriod>'
        "<ttl> 90 </ttl>"
        "<skipHours><hour>0</hour><hour>24</hour></skipHours><skipDays><day>Sunday</day></skipDays>"
        '<fh:complete xmlns:fh="http://purl.org/syndication/history/1.0"/>'
        '<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="prev-archive" href="/archive/7"/>'
    )
    quick = normalise(rss(HEAD + head), "application/xml", URL).announced
    hints = (quick.ttl, quick.skip_hours, quick.skip_days, quick.update_period, quick.complete, quick.previous)
    assert hints == ("90", ("0", "24"), ("Sunday",), "daily", True, "/archive/7")
    assert normalise(rss(HEAD + head, "<item><title>One & two</title></item>"), "", URL).announced == quick


def test_a_reply_says_what_it_answers() -> None:
    reply = (
        '<thr:in-reply-to xmlns:thr="http://purl.org/syndication/thread/1.0" ref="urn:1" href="/first?utm_source=x"/>'
    )
    for damage in ("", "<b>"):  # feedparser reads the second one
        body = rss(items=f"<item><guid>1</guid><title>Re</title>{reply}</item>{damage}")
        (activity,) = normalise(body, "application/xml", URL).activities
        assert activity.content.in_reply_to == "https://news.example/first"


@pytest.mark.parametrize("odd", ["<a b\u0301='1'/>", "<?xml\u0240 x?>", "<b\u0240/>"])
def test_names_in_any_script_are_read(odd: str) -> None:
    assert len(normalise(rss(HEAD + odd), "application/xml", URL).activities) == 2
