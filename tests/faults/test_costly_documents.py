"""Check the limit of CPU time for documents of up to 16 MB that are built to be slow."""

from __future__ import annotations

import asyncio
import resource
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.errors import UnreadableError
from aggregator.source_api.parser_pool import Limits, ParserPool
from aggregator.sources.ical.normalise import read
from aggregator.sources.ical.window import Window
from aggregator.sources.rss.detect import page
from aggregator.sources.rss.parse import normalise

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("own_parsers")

MB = 1024 * 1024
MOST = 16 * MB  # of a document, see `fetch.Limits`
START = 1.5  # seconds of CPU that starting a child process may cost, on a slow machine
NOW = datetime(2026, 6, 1, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(days=30), NOW + timedelta(days=365), NOW)


def rss(inside: bytes) -> bytes:
    return b'<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>' + inside + b"</channel></rss>"


def filled(head: bytes, piece: bytes, tail: bytes = b"", size: int = MOST - 1000) -> bytes:
    return head + piece * ((size - len(head) - len(tail)) // len(piece)) + tail


def calendar(inside: bytes) -> bytes:
    return b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n" + inside + b"END:VCALENDAR\r\n"


ITEM = b"<item><guid>%d</guid><title>t</title><pubDate>%s</pubDate><description>%s</description></item>"
ENTITIES = b'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY a%d "%s">' % (number, b"&a%s;" % (b"" if number == 1 else b"%d" % (number - 1)) * 10)
    for number in range(1, 10)
)
FEEDS: dict[str, Callable[[], bytes]] = {
    "deep-elements": lambda: filled(b"<rss><channel>", b"<a>"),
    "entities": lambda: ENTITIES + b"]><rss><channel><item><title>&a9;</title></item></channel></rss>",
    "many-items": lambda: rss(filled(b"", ITEM % (1, b"Mon, 01 Jun 2026 10:00:00 GMT", b"x" * 2000))),
    "many-short-items": lambda: rss(filled(b"", b"<item><title>t</title></item>")),
    "odd-dates": lambda: rss(filled(b"", ITEM % (1, b"1" * 5000 + b":" * 5000, b"x"), size=4 * MB)),
    "deep-html": lambda: rss(b"<item><description><![CDATA[" + b"<b><i>" * 100_000 + b"]]></description></item>"),
    "attributes": lambda: rss(b"<item " + b" ".join(b"a%d='1'" % number for number in range(500_000)) + b"/>"),
    "broken-then-tags": lambda: filled(b"<rss><channel><item><title>&nbsp;", b"<description><a href='"),
    "deep-json": lambda: filled(b'{"version": "https://jsonfeed.org/version/1.1", "items": ', b"["),
    "wide-json": lambda: filled(
        b'{"version": "https://jsonfeed.org/version/1.1", "items": [', b'{"id":"1"},', b'{"id":"2"}]}'
    ),
    "titles": lambda: filled(b"<!doctype html>", b"<title"),
    "comments": lambda: filled(b"", b"<!--"),
    "doctype": lambda: filled(b"<!DOCTYPE rss ", b"[<!"),
    "spaces": lambda: filled(b"<?xml ", b" \n"),
    "null-bytes": lambda: filled(b"<rss>", b"\0"),
}
PAGES: dict[str, Callable[[], bytes]] = {
    "titles": lambda: filled(b"<!doctype html>", b"<title"),
    "links": lambda: filled(b"<!doctype html>", b"<link rel=alternate type=application/rss+xml href=/a>"),
    "attributes": lambda: filled(b"<!doctype html><a ", b"a=' "),
    "comments": lambda: filled(b"<!doctype html>", b"<!--"),
    "open-tags": lambda: filled(b"<!doctype html>", b"<a "),
    "sections": lambda: filled(b"<!doctype html>", b"<![CDATA["),
}
EVENT = b"BEGIN:VEVENT\r\nUID:%d\r\nDTSTART:%s\r\n%s\r\nEND:VEVENT\r\n"
CALENDARS: dict[str, Callable[[], bytes]] = {
    "hourly-since-1600": lambda: calendar(EVENT % (1, b"16000101T000000Z", b"RRULE:FREQ=HOURLY")),
    "never": lambda: calendar(EVENT % (1, b"20260101T000000Z", b"RRULE:FREQ=HOURLY;BYYEARDAY=366;BYMONTH=1")),
    "10000-hourly": lambda: calendar(
        b"".join(EVENT % (number, b"20200101T000000Z", b"RRULE:FREQ=HOURLY") for number in range(10_000))
    ),
    "many-events": lambda: calendar(filled(b"", EVENT % (1, b"20260101T000000Z", b"SUMMARY:x"))),
    "dates-of-one": lambda: calendar(
        EVENT % (1, b"20260101T000000Z", b"\r\n".join([b"RDATE:20260601T000000Z"] * 300_000))
    ),
    "deep-components": lambda: filled(b"", b"BEGIN:VCALENDAR\r\n"),
    "folded-line": lambda: calendar(b"SUMMARY:" + b"x\r\n " * (3 * MB)),
    "zones": lambda: calendar(
        b"BEGIN:VTIMEZONE\r\nTZID:X\r\nBEGIN:STANDARD\r\nDTSTART:16000101T000000\r\nRRULE:FREQ=SECONDLY\r\n"
        b"TZOFFSETFROM:+0000\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
        b"BEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=X:20260601T000000\r\nEND:VEVENT\r\n"
    ),
}
CASES: dict[str, tuple[Callable[[], bytes], Callable[..., Any], tuple[Any, ...]]] = {
    **{f"feed-{name}": (make, normalise, ("", "https://a.example/feed", "")) for name, make in FEEDS.items()},
    **{f"page-{name}": (make, page, ("https://a.example/",)) for name, make in PAGES.items()},
    **{f"calendar-{name}": (make, read, (WINDOW, UTC, "https://a.example/a.ics")) for name, make in CALENDARS.items()},
}


@pytest.mark.slow
@pytest.mark.parametrize("case", sorted(CASES))
def test_a_document_costs_at_most_its_limit(case: str) -> None:
    make, function, arguments = CASES[case]
    limits = Limits()
    body = make()
    assert len(body) <= MOST

    async def work() -> object:
        pool = ParserPool(limits, most=1)
        try:
            return await pool.run(function, body, *arguments)
        finally:
            await pool.close()

    before = _cpu_of_children()
    own = time.process_time()
    with suppress(UnreadableError, RuntimeError):  # read, refused or failed: it is the one source's affair
        asyncio.run(work())
    assert _cpu_of_children() - before < limits.cpu + START
    assert time.process_time() - own < 2  # in the process that polls


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
