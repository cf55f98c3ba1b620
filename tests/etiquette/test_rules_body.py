"""Test rules 36 to 38, about the content of documents, against a scripted publisher."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.etiquette.publisher import START, Says, feed

if TYPE_CHECKING:
    from aggregator.services.poll_report import Report
    from tests.etiquette.publisher import Polling, Publisher, Time


def test_rule_36_an_empty_feed_deletes_nothing_and_is_told(polling: Polling, publisher: Publisher) -> None:
    polling.follow(publisher.says("/f", Says(feed(1, 2)), Says(feed()), Says(feed(1, 2, 3))))
    polling.poll()
    assert polling.poll().error is None
    assert len(polling.items()) == 2
    assert polling.note() == "Suddenly empty: it had 2 entries before. Its items are kept."
    assert polling.poll().new == 1
    assert len(polling.items()) == 3


def test_rule_37_odd_dates_order_by_when_we_saw_them(polling: Polling, publisher: Publisher, time: Time) -> None:
    dates = {
        "none": "",
        "future": "<pubDate>Sat, 01 Jan 2028 00:00:00 GMT</pubDate>",
        "epoch": "<pubDate>Thu, 01 Jan 1970 00:00:00 GMT</pubDate>",
        "broken": "<pubDate>last week</pubDate>",
        "good": "<pubDate>Sun, 01 Mar 2026 00:00:00 GMT</pubDate>",
    }
    items = "".join(f"<item><guid>{name}</guid><title>{name}</title>{date}</item>" for name, date in dates.items())
    document = f"<rss version='2.0'><channel><title>T</title>{items}</channel></rss>"
    polling.follow(publisher.says("/f", Says(document.encode())))
    polling.poll()
    stored = {item.native_id: item for item in polling.items()}
    good = datetime(2026, 3, 1, tzinfo=UTC)
    assert {name: item.position for name, item in stored.items()} == dict.fromkeys(dates, START) | {"good": good}
    assert stored["future"].content.published == datetime(2028, 1, 1, tzinfo=UTC)  # the source's own date is kept
    # The first second of Unix time is what programs write that know no date.
    assert {stored[name].content.published for name in ("none", "epoch", "broken")} == {None}
    assert time() == START


def _paged(*numbers: int, previous: str = "") -> bytes:
    link = f"<a:link xmlns:a='http://www.w3.org/2005/Atom' rel='prev-archive' href='{previous}'/>" if previous else ""
    return feed(*numbers, extra=link)


def test_rule_38_an_archive_is_read_only_when_asked_for(polling: Polling, publisher: Publisher) -> None:
    publisher.says("/p1", Says(_paged(1, 2)))
    publisher.says("/p2", Says(_paged(3, 4, previous="/p1")))
    polling.follow(publisher.says("/f", Says(_paged(5, 6, previous="/p2"))), floor=timedelta(seconds=0.05))
    polling.poll()
    assert publisher.paths == ["/f"]
    reports: list[Report] = []
    backfill = polling.container.backfill
    backfill.run(polling.source(), backfill.request(polling.source()), reports.append)
    assert publisher.paths == ["/f", "/f", "/p2", "/p1"]
    assert [report.new for report in reports] == [2, 2]
    assert len(polling.items()) == 6


def test_rule_38_a_complete_feed_ends_nothing_by_itself(polling: Polling, publisher: Publisher) -> None:
    complete = "<fh:complete xmlns:fh='http://purl.org/syndication/history/1.0'/>"
    polling.follow(publisher.says("/f", Says(feed(1, 2, extra=complete)), Says(feed(2, extra=complete))))
    polling.poll()
    polling.poll()
    assert len(polling.items()) == 2
