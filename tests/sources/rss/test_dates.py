"""Check that dates are read as their publishers meant them, or not at all.

Forms from public reports: rometools/rome#313, Ranchero-Software/RSParser#55, witochandra/webfeed#66, mmcdole/gofeed#94,
kurtmckee/feedparser#33, #51, #75 and #135.
"""

# ruff: noqa: RUF001 - letters of many scripts

import re
import time
import unicodedata
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.sources.rss import date_words
from aggregator.sources.rss.date_words import months, weekdays
from aggregator.sources.rss.dates import read_date
from aggregator.sources.rss.parse import normalise
from aggregator.sources.rss.time_zones import region_of

pytestmark = pytest.mark.xdist_group("dates")  # the first test of a process loads all month names


def named(rows: list[Any]) -> list[str]:
    """Return an ASCII name for each row of a table."""
    texts = [row if isinstance(row, str) else row[0] for row in rows]
    plain = [unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode() for text in texts]
    return [f"{number}-{re.sub('[^A-Za-z0-9]+', '-', text)[:40]}" for number, text in enumerate(plain)]


PRESENT = [
    ("Thu, 18 Aug 2022 10:00:00 GMT", "2022-08-18T10:00:00"),
    ("18 Aug 22 10:00 +0200", "2022-08-18T08:00:00"),
    ("2022-08-18T10:00:00.123Z", "2022-08-18T10:00:00"),
    ("2022-08-18T10:00:00+02:00", "2022-08-18T08:00:00"),
    ("20220818T100000Z", "2022-08-18T10:00:00"),
    ("jeu., 18 août 2022 10:00:00 +0200", "2022-08-18T08:00:00"),
    ("Thu,18 Aug 2022 10:00:00 +0000", "2022-08-18T10:00:00"),
    ("Thursday, August 18, 2022 - 10:00", "2022-08-18T10:00:00"),
    ("Thu, 18 Aug 2022 10:00", "2022-08-18T10:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 CEST", "2022-08-18T08:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 BST", "2022-08-18T09:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 AEST", "2022-08-18T00:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 MSK", "2022-08-18T07:00:00"),
    ("08/18/2022 10:00:00 AM", "2022-08-18T10:00:00"),
    ("08/18/2022 10:00:00 PM", "2022-08-18T22:00:00"),
    ("8/18/2022 12:05 am", "2022-08-18T00:05:00"),
    ("1660816800", "2022-08-18T10:00:00"),
    ("1660816800000", "2022-08-18T10:00:00"),
    ("1660816800.123", "2022-08-18T10:00:00"),
    ("Thu Aug 18 10:00:00 2022", "2022-08-18T10:00:00"),
    ("Thu Aug 18 10:00:00 CEST 2022", "2022-08-18T08:00:00"),
    ("Thu Aug 18 10:00:00 +0200 2022", "2022-08-18T08:00:00"),
    ("Thu Aug 18 2022 10:00:00 GMT+0200 (Central European Summer Time)", "2022-08-18T08:00:00"),
    ("Thu Aug 18 2022 10:00:00 GMT+0200 (CEST)", "2022-08-18T08:00:00"),
    ("2022-08-18 10:00:00 +0000 UTC", "2022-08-18T10:00:00"),
    ("2022-08-18 10:00:00.123456789 +0200 CEST m=+0.000011", "2022-08-18T08:00:00"),
    ("2022-08-18T10:00:00+02:00[Europe/Berlin]", "2022-08-18T08:00:00"),
    ("2022-08-18T10:00:00Z[UTC]", "2022-08-18T10:00:00"),
    ("2022-08-18 10:00:00 Europe/Berlin", "2022-08-18T08:00:00"),
    ("2022-08-18 10:00 UTC", "2022-08-18T10:00:00"),
    ("2022-08-18 10:00:00", "2022-08-18T10:00:00"),
    ("2022-08-18T10:00", "2022-08-18T10:00:00"),
    ("2022-08-18T10:00:00-0700", "2022-08-18T17:00:00"),
    ("2022-08-18T10:00:00+2", "2022-08-18T08:00:00"),
    ("2022-08-18 10:00:00-07", "2022-08-18T17:00:00"),
    ("2022-08-18 10:00 PM", "2022-08-18T22:00:00"),
    ("Sat, 31 Dec 2016 23:59:60 GMT", "2017-01-01T00:00:00"),
    ("Thu, 18 Aug 2022 24:00:00 GMT", "2022-08-19T00:00:00"),
    ("2022-W33-4", "2022-08-18T00:00:00"),
    ("2022-230", "2022-08-18T00:00:00"),
    ("2022-08", "2022-08-01T00:00:00"),
    ("2022", "2022-01-01T00:00:00"),
    ("20220818", "2022-08-18T00:00:00"),
    ("20220818100000", "2022-08-18T10:00:00"),
    ("18.08.2022 10:00", "2022-08-18T10:00:00"),
    ("18.08.2022 10.30", "2022-08-18T10:30:00"),
    ("18. August 2022, 10:00 Uhr", "2022-08-18T10:00:00"),
    ("18. August 2022 um 10:00 Uhr MESZ", "2022-08-18T08:00:00"),
    ("Donnerstag, 18. August 2022", "2022-08-18T00:00:00"),
    ("18 de agosto de 2022", "2022-08-18T00:00:00"),
    ("jueves, 18 de agosto de 2022 a las 10:00", "2022-08-18T10:00:00"),
    ("quinta-feira, 18 de agosto de 2022 às 10h30", "2022-08-18T10:30:00"),
    ("jeudi 18 août 2022 à 10 h 30", "2022-08-18T10:30:00"),
    ("1er août 2022", "2022-08-01T00:00:00"),
    ("18 августа 2022 г. в 10:00", "2022-08-18T10:00:00"),
    ("18 августа 2022 г. 10:00 МСК", "2022-08-18T07:00:00"),
    ("2022. augusztus 18., csütörtök 10:00", "2022-08-18T10:00:00"),
    ("2022年8月18日 10:00", "2022-08-18T10:00:00"),
    ("2022年08月18日（木） 10時00分", "2022-08-18T10:00:00"),
    ("2022년 8월 18일 오후 1:05", "2022-08-18T13:05:00"),
    ("2022. 8. 18. (목) 10:00", "2022-08-18T10:00:00"),
    ("2022年8月18日 下午3:05", "2022-08-18T15:05:00"),
    ("２０２２年８月１８日", "2022-08-18T00:00:00"),
    ("18 สิงหาคม 2565 10:00", "2022-08-18T10:00:00"),
    ("18 Ağustos 2022 Perşembe 10:00", "2022-08-18T10:00:00"),
    ("ngày 18 tháng 8 năm 2022", "2022-08-18T00:00:00"),
    ("Thứ Năm, 18/08/2022 10:00", "2022-08-18T10:00:00"),
    ("١٨ أغسطس ٢٠٢٢", "2022-08-18T00:00:00"),
    ("Thu, 18-Aug-2022 10:00:00 GMT", "2022-08-18T10:00:00"),
    ("Thursday, 18-Aug-22 10:00:00 GMT", "2022-08-18T10:00:00"),
    ("18-08-2022", "2022-08-18T00:00:00"),
    ("03.04.2022", "2022-04-03T00:00:00"),
    ("Monday, 04/04/2022", "2022-04-04T00:00:00"),
    ("Sunday, 03/04/2022", "2022-04-03T00:00:00"),
    ("Friday, 03/04/2022", "2022-03-04T00:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 IST", "2022-08-18T04:30:00"),
    ("Thu, 18 Aug 2022 10:00:00 CST", "2022-08-18T16:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 ET", "2022-08-18T14:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 PT", "2022-08-18T17:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 Eastern", "2022-08-18T14:00:00"),
    ("Thu, 18 Aug 2022 10:00 AM Eastern Time", "2022-08-18T14:00:00"),
    ("Thu, 18 Aug 2022 10:00 a.m. EDT", "2022-08-18T14:00:00"),
    ("Aug 18, 2022, 10:00 AM PDT", "2022-08-18T17:00:00"),
    ("10:00, 18 August 2022", "2022-08-18T10:00:00"),
    ("10:00 CEST, 18 August 2022", "2022-08-18T08:00:00"),
    ("10 AM Aug 18, 2022", "2022-08-18T10:00:00"),
    ("August 18th, 2022 10:00pm", "2022-08-18T22:00:00"),
    ("the 18th of August, 2022", "2022-08-18T00:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 A", "2022-08-18T10:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 +5:30", "2022-08-18T04:30:00"),
    ("Thu, 18 Aug 2022 10:00:00 GMT+2", "2022-08-18T08:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 UTC+02:00", "2022-08-18T08:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 +0000 GMT", "2022-08-18T10:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 −0400", "2022-08-18T14:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 (CEST)", "2022-08-18T08:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 +0200 (CEST)", "2022-08-18T08:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 America/New_York", "2022-08-18T14:00:00"),
    ("Thurs, 18 Aug 2022 10:00:00 GMT", "2022-08-18T10:00:00"),
    ("Thu , 18 Aug 2022  10:00:00   GMT", "2022-08-18T10:00:00"),
    ("Thu. 18 Aug. 2022 10:00 GMT", "2022-08-18T10:00:00"),
    ("18 Aug 2022 10:00:00", "2022-08-18T10:00:00"),
    ("18 Sept 2022", "2022-09-18T00:00:00"),
    ("Thu, 18 Aug 122 10:00:00 GMT", "2022-08-18T10:00:00"),
    ("18 Aug 99", "1999-08-18T00:00:00"),
    ("/Date(1660816800000)/", "2022-08-18T10:00:00"),
    ("2022-08-18T10:00:00 Z", "2022-08-18T10:00:00"),
    ("2022-08-18T10:00:00,123Z", "2022-08-18T10:00:00"),
    ("2022-08-18T10:00:00.1234567890123Z", "2022-08-18T10:00:00"),
    ("2022-8-5 9:05", "2022-08-05T09:05:00"),
    ("2022-08-18, 10:00", "2022-08-18T10:00:00"),
    ("2022-08-18 at 10:00", "2022-08-18T10:00:00"),
    ("18/08/2022 - 10:00", "2022-08-18T10:00:00"),
    ("18/08/22 10:00", "2022-08-18T10:00:00"),
    ("2022-Aug-18 10:00", "2022-08-18T10:00:00"),
    ("2022 August 18", "2022-08-18T00:00:00"),
    ("2022 m. rugpjūčio 18 d.", "2022-08-18T00:00:00"),
    ("tor 18. aug. 2022 kl. 10.00", "2022-08-18T10:00:00"),
    ("to 18.8.2022 klo 10.00", "2022-08-18T10:00:00"),
    ("Čtvrtek 18. srpna 2022, 10:00", "2022-08-18T10:00:00"),
    ("Czw, 18 sie 2022 10:00:00 +0200", "2022-08-18T08:00:00"),
    ("Пт, 19 авг 2022 10:00:00 +0300", "2022-08-19T07:00:00"),
    ("Πεμ, 18 Αυγ 2022 10:00:00 +0300", "2022-08-18T07:00:00"),
    ("Do, 18 Aug 2022 10:00:00 +0200", "2022-08-18T08:00:00"),
    ("jeu, 18 Août 2022 10:00:00 +0200", "2022-08-18T08:00:00"),
    ("Sat, 05 mars 2022 10:00:00 +0100", "2022-03-05T09:00:00"),
    ("mar 15 mars 2022", "2022-03-15T00:00:00"),
    ("mer. 2 févr. 2022 10:00", "2022-02-02T10:00:00"),
    ("sáb, 05 mar 2022 10:00", "2022-03-05T10:00:00"),
    ("Posted on: Aug 18, 2022", "2022-08-18T00:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 +0200 foo", "2022-08-18T08:00:00"),
    ("Sept. 5, 2022", "2022-09-05T00:00:00"),
    ("Mon, 5 September 2022 10:00:00 PM", "2022-09-05T22:00:00"),
    ("15:30 PM Aug 18, 2022", "2022-08-18T15:30:00"),
    ("Thu, 18 Aug 2022 10:00:00 EDT (GMT-4)", "2022-08-18T14:00:00"),
    ("Thu, 18 Aug 2022 08:00:00 UT", "2022-08-18T08:00:00"),
    ("Thu, 18 Aug 2022 10:00:00.500 GMT", "2022-08-18T10:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 Etc/GMT+4", "2022-08-18T14:00:00"),
    ("2018/7/2 6:07:41", "2018-07-02T06:07:41"),
    ("2020/11/15", "2020-11-15T00:00:00"),
    ("lun, 03 ott 2022 8:55:00 GMT", "2022-10-03T08:55:00"),
    ("Di, 19 Jun 2018 11:41", "2018-06-19T11:41:00"),
    ("mar, 14 oct 2014 19:56:51 +0000", "2014-10-14T19:56:51"),
    ("sam. 3 sept. 2022 10:00", "2022-09-03T10:00:00"),
    ("Wed, May 6 2020 04:45:26 +0000", "2020-05-06T04:45:26"),
    ("Fri, 04 Sep 15 00:01:01 +0200", "2015-09-03T22:01:01"),
    ("Tue, 12 Jan 2021 1:35:20 -0800", "2021-01-12T09:35:20"),
    ("Sun, 06 Sep 2015 16:18:00 EDT", "2015-09-06T20:18:00"),
    ("2022-08-18T24:00:00Z", "2022-08-19T00:00:00"),
    ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 CEST+0200", "2022-08-18T08:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 0000", "2022-08-18T10:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 GMT Daylight Time", "2022-08-18T09:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 W. Europe Daylight Time", "2022-08-18T08:00:00"),
    ("2022-08-18T10:00Z", "2022-08-18T10:00:00"),
    ("18.08.2022, 20:15 Uhr", "2022-08-18T20:15:00"),
    ("18/08/2022 20h15", "2022-08-18T20:15:00"),
    ("2022-08-18 (Thu) 10:00", "2022-08-18T10:00:00"),
]
ABSENT = [
    "0",
    "1970-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "Mon, 30 Nov -0001 00:00:00 +0000",
    "0000-00-00 00:00:00",
    "Thu, 18 Aug 2022 25:00:00 GMT",
    "Thu, 32 Aug 2022 10:00:00 GMT",
    "30 Feb 2022",
    "03/04/2022",
    "Thu, 18 Aug 2022 10:00:00 XYZT",
    "Thu, 18 Aug 2022 10:00:00 +9900",
    "listopad 18, 2022",
    "18 listopada 2022",
    "yesterday",
    "3 days ago",
    "Aug 18",
    "August 2022",
    "10:00",
    "18",
    "1/2/3",
    "12345",
    "99999999999999999999",
    "2022-08-18T10:00:00+1500",
    "2022-13-01",
    "2022-02-30T10:00:00Z",
]
BY_REGION = [  # text, language, host, instant
    ("03/04/2022", "en-US", None, "2022-03-04T00:00:00"),
    ("03/04/2022", "en-GB", None, "2022-04-03T00:00:00"),
    ("03/04/2022", "it", None, "2022-04-03T00:00:00"),
    ("03/04/2022 10:00", None, "news.example.co.uk", "2022-04-03T10:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 IST", "en-IE", None, "2022-08-18T09:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 IST", "en-US", "www.rte.ie", "2022-08-18T09:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 IST", "he", None, "2022-08-18T08:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 CST", "zh-CN", None, "2022-08-18T02:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 EST", "en-AU", None, "2022-08-18T00:00:00"),
    ("Thu, 18 Aug 2022 10:00:00 BST", "bn", None, "2022-08-18T04:00:00"),
    ("18 listopad 2022", "pl", None, "2022-11-18T00:00:00"),
    ("18 listopad 2022", "hr", None, "2022-10-18T00:00:00"),
    ("čt, 18 srp 2022 10:00:00 +0200", "cs", None, "2022-08-18T08:00:00"),
]


@pytest.mark.parametrize(("text", "moment"), PRESENT, ids=named(PRESENT))
def test_a_date_is_read_in_whatever_form(text: str, moment: str) -> None:
    assert read_date(text) == datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert read_date(f"\n {text} \t") == read_date(text)


@pytest.mark.parametrize("text", ABSENT, ids=named(ABSENT))
def test_what_is_no_certain_date_is_none(text: str) -> None:
    assert read_date(text) is None


@pytest.mark.parametrize(("text", "language", "host", "moment"), BY_REGION, ids=named(BY_REGION))
def test_the_region_of_a_feed_decides(text: str, language: str | None, host: str | None, moment: str) -> None:
    assert read_date(text, region_of(language, host)) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (1660816800, "2022-08-18T10:00:00+00:00"),
        (1660816800.5, "2022-08-18T10:00:00+00:00"),
        (1660816800123, "2022-08-18T10:00:00+00:00"),
        (0, None),
        (True, None),
        (None, None),
        (12, None),
        (float("nan"), None),
        (float("inf"), None),
        (["2022-08-18"], None),
    ],
)
def test_numbers_of_json_are_seconds_or_milliseconds(value: object, moment: str | None) -> None:
    assert read_date(value) == (datetime.fromisoformat(moment) if moment else None)


DATE = "gio, 18 ago 2022 10:00:00 CEST"
FORMATS = {
    "tree": f"<rss version='2.0'><channel><item><title>x</title><pubDate>{DATE}</pubDate></item></channel></rss>",
    "feedparser": f"<rss version='2.0'><channel><item><guid>1</guid><description>a<b></description>"
    f"<pubDate>{DATE}</pubDate></item></channel></rss>",
    "atom": f"<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>1</id><title>x</title><published>{DATE}</published>"
    "</entry></feed>",
    "rdf": "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/' "
    f"xmlns:dc='http://purl.org/dc/elements/1.1/'><channel/><item><title>x</title><dc:date>{DATE}</dc:date></item>"
    "</rdf:RDF>",
    "json": '{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "content_text": "x", '
    f'"date_published": "{DATE}"' + "}]}",
}


@pytest.mark.parametrize("body", FORMATS.values(), ids=FORMATS)
def test_every_reader_reads_the_same_dates(body: str) -> None:
    (activity,) = normalise(body.encode(), "", "https://news.example/feed").activities
    assert activity.content.published == datetime(2022, 8, 18, 8, tzinfo=UTC)


@pytest.mark.parametrize("body", FORMATS.values(), ids=FORMATS)
def test_a_date_that_is_not_read_leaves_a_note(body: str) -> None:
    feed = normalise(body.replace(DATE, "a while ago").encode(), "", "https://news.example/feed")
    assert feed.activities[0].content.published is None
    assert "Dates in an unknown form were left out, such as 'a while ago': 1." in (feed.note or "")


@pytest.mark.parametrize("body", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize(
    ("written", "address", "note"),
    [
        ("Thu, 18 Aug 2022 10:00:00 IST", "https://news.example/feed", "such as IST: 1."),
        ("Thu Aug 18 10:00:00 BST 2022", "https://news.example/feed", "such as BST: 1."),
        ("Thu, 18 Aug 2022 10:00:00 ist", "https://news.example/feed", "such as IST: 1."),
        ("2022-08-18 10:00:00 +0530 IST", "https://news.example/feed", None),
        ("Thu, 18 Aug 2022 10:00:00 +0530 (IST)", "https://news.example/feed", None),
        ("Thu, 18 Aug 2022 10:00:00 IST", "https://news.example.in/feed", None),
        ("Thu, 18 Aug 2022 10:00:00 BST", "https://news.example.co.uk/feed", None),
        ("Thu, 18 Aug 2022 10:00:00 EST", "https://news.example/feed", None),
        ("Thu, 18 Aug 2022 10:00:00 CEST", "https://news.example/feed", None),
    ],
)
def test_a_zone_that_is_guessed_leaves_a_note(body: str, written: str, address: str, note: str | None) -> None:
    feed = normalise(body.replace(DATE, written).encode(), "", address)
    assert feed.activities[0].content.published is not None
    expected = note and f"Time zones with several meanings were read in the commonest one, {note}"
    assert (expected or "") in (feed.note or "")
    assert ("several meanings" in (feed.note or "")) is (note is not None)


def test_the_language_of_a_feed_reaches_its_dates() -> None:
    for language, month in (("pl", 11), ("hr", 10)):
        item = "<item><guid>1</guid><title>x</title><pubDate>18 listopad 2022</pubDate></item>"
        body = f"<rss version='2.0'><channel><language>{language}</language>{item}</channel></rss>"
        (activity,) = normalise(body.encode(), "", "https://news.example/feed").activities
        assert activity.content.published == datetime(2022, month, 18, tzinfo=UTC)


def test_months_are_known_by_their_names_and_beginnings() -> None:
    names = {
        "Août": 8,
        "aout": 8,
        "févr.": 2,
        "Mrz": 3,
        "janeiro": 1,
        "ИЮЛЯ": 7,
        "září": 9,
        "सितंबर": 9,
        "Şubat": 2,
        "noiembrie": 11,
        "lokakuuta": 10,
    }
    assert {name: set(months(name)) for name in names} == {name: {number} for name, number in names.items()}
    assert not months("jui")  # juin or juillet


def test_weekdays_are_known_by_their_names() -> None:
    thursday = [weekdays(word) for word in ("jeudi", "Do", "quinta-feira", "木曜日", "четверг")]
    assert thursday == [{3}] * 5
    assert weekdays("th") == set()


def test_english_words_mean_the_same_with_all_languages_known() -> None:
    days = date_words._weekday_table()
    for word, numbers in date_words._QUICK_DAYS.items():
        assert days.get(word, frozenset()) == numbers
        in_usual_languages = date_words._month_table(date_words._USUAL).get(word, frozenset())
        assert in_usual_languages == date_words._ENGLISH.get(word, frozenset())


def test_dates_in_english_need_no_names_of_other_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(date_words, "_weekday_table", Mock(side_effect=AssertionError))
    monkeypatch.setattr(date_words, "_month_table", Mock(side_effect=AssertionError))
    date_words._months.cache_clear()
    for language in ("", "en"):
        assert read_date("Thu, 26 Nov 2026 10:15:00 EST", region_of(language, None)) is not None


@given(st.text(max_size=120) | st.text(alphabet="0123456789:/-.+ TZapmJanSept,()[]", max_size=60))
def test_any_text_is_a_date_or_none(text: str) -> None:
    found = read_date(text)
    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["1" * 100, "1:" * 50, "a " * 50, "jan " * 25, "(" * 100, "+1" * 50, "10:00 " + "CET " * 22, "m" * 100]
)
def test_an_odd_text_costs_no_time(text: str) -> None:
    months("word")  # loads the names of all languages
    weekdays("word")
    began = time.process_time()
    for number in range(50):
        read_date(text[: 100 - number])
    assert time.process_time() - began < 0.5
