"""Check that events in feeds match the page: state and days, and nothing of quoted posts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from aggregator.domain.activity import ActivityKind, Occasion
from aggregator.reader.feeds import activitystreams, atom, jsonfeed, rss
from aggregator.reader.feeds.entry_html import html_of
from aggregator.web.dates import Dates
from tests.building import NOON
from tests.reader.feeds.building import a_feed, an_item

if TYPE_CHECKING:
    from types import ModuleType

    from aggregator.domain.activity import Activity

CHRISTMAS = datetime(2026, 12, 24, tzinfo=UTC)
DAY = timedelta(days=1)
FORMATS = {"rss": rss, "atom": atom, "json": jsonfeed, "as2": activitystreams}
TERMS = replace(a_feed([]).terms, dates=Dates.of(ZoneInfo("America/New_York"), "en-US"))


def an_event(occasion: Occasion, **content: Any) -> Activity:
    return an_item(kind=ActivityKind.EVENT, event=occasion, **content)


@pytest.mark.parametrize("written", FORMATS.values(), ids=FORMATS)
def test_a_cancelled_event_looks_cancelled(written: ModuleType) -> None:
    event = Occasion(NOON, NOON + timedelta(hours=1))
    cancelled = an_event(replace(event, cancelled=True), title="A meeting")
    untitled = an_event(replace(event, cancelled=True), title=None)

    assert b"Cancelled: A meeting" in written.render(a_feed([cancelled]))
    assert b"Cancelled" in written.render(a_feed([untitled]))
    assert b"Cancelled" not in written.render(a_feed([an_event(event, title="A meeting")]))
    assert html_of(cancelled, TERMS).startswith("<p><strong>Cancelled</strong></p><p><time")


def test_a_cancelled_event_is_named_so_in_activity_streams() -> None:
    item = an_event(Occasion(NOON, cancelled=True), title="A meeting")
    (activity,) = json.loads(activitystreams.render(a_feed([item])))["orderedItems"]
    assert activity["summary"] == activity["object"]["name"] == "Cancelled: A meeting"


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (CHRISTMAS + DAY, "Thursday, December 24, 2026"),
        (CHRISTMAS + 3 * DAY, "Thursday, December 24, 2026 to Saturday, December 26, 2026"),
        (None, "Thursday, December 24, 2026"),
    ],
    ids=["one-day", "three-days", "without-end"],
)
def test_whole_days_are_dates(end: datetime | None, expected: str) -> None:
    item = an_event(Occasion(CHRISTMAS, end, all_day=True, place="Everywhere"))
    assert html_of(item, TERMS).startswith(f'<p><time datetime="2026-12-24">{expected}</time> · Everywhere</p>')


@pytest.mark.parametrize("written", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("kind", [ActivityKind.EVENT, ActivityKind.ARTICLE, ActivityKind.VIDEO])
def test_what_belongs_to_a_series_quotes_nothing(written: ModuleType, kind: ActivityKind) -> None:
    item = replace(an_item(kind=kind, event=Occasion(NOON)), object_key="web:series")
    assert b"quoted" not in written.render(a_feed([item]))


def test_an_event_names_where_to_attend_it_and_the_other_time_that_it_may_mean() -> None:
    event = Occasion(NOON, zone_label="ET", online="https://meet.example/1", other_start=NOON + timedelta(hours=1))
    activities = html_of(an_event(event), TERMS)
    assert "7:00 AM EST</time> (time zone “ET” is ambiguous; may also be 8:00 AM EST)" in activities
    assert '<a href="https://meet.example/1" rel="nofollow noopener">Attend online</a>' in activities
    assert "javascript" not in html_of(an_event(replace(event, online="javascript:alert(1)")), TERMS)
