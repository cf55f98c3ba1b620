"""Test calendars as sources, over real HTTP and on both databases: moved and cancelled events change in place."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import icalendar
import pytest

from aggregator.config.settings import Settings
from aggregator.container import Container, utc_now
from aggregator.domain.activity import ActivityKind
from aggregator.domain.errors import BadRequestError, UnreadableError
from aggregator.domain.stream import Query
from aggregator.sources.ical.plugin import KIND
from tests.reader.conftest import app_of
from tests.reader.serving import serving
from tests.sources.ical.test_recurrence import calendar
from tests.upstream import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aggregator.domain.activity import Activity
    from storage.store import Store

SOON = (utc_now() + timedelta(days=3)).replace(hour=10, minute=0, second=0, microsecond=0)


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher() as publisher:
        yield publisher


@pytest.fixture
def container(store: Store, tmp_path: Path) -> Iterator[Container]:
    container = Container(
        Settings.from_environment(
            {
                "AGGREGATOR_DATA_DIR": str(tmp_path),
                "AGGREGATOR_DATABASE_URL": store.engine.url.render_as_string(hide_password=False),
                "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
                "AGGREGATOR_HOST_SPACING": "0",
            }
        )
    )
    yield container
    container.close()


def meeting(start: datetime, *, sequence: int = 0, status: str = "CONFIRMED", stamp: str = "20260101T000000Z") -> bytes:
    return calendar(
        *("X-WR-CALNAME:Meetings", "BEGIN:VEVENT", "UID:m1", f"SEQUENCE:{sequence}", f"STATUS:{status}"),
        *(f"DTSTAMP:{stamp}", "SUMMARY:The meeting", f"DTSTART;TZID=Europe/Madrid:{start:%Y%m%dT%H%M%S}"),
        *("DURATION:PT90M", "LOCATION:Town hall", "END:VEVENT"),
    )


def events_in(body: bytes) -> list[Any]:
    return list(icalendar.Calendar.from_ical(body).walk("VEVENT"))


def events(container: Container) -> list[Activity]:
    with container.store.reading() as tx:
        return list(tx.stream.activities.page(Query(kinds=frozenset({ActivityKind.EVENT}))).items)


def test_an_event_that_moves_or_is_cancelled_changes_in_place(container: Container, publisher: Publisher) -> None:
    publisher.serve("/c.ics", meeting(SOON), "text/calendar")
    source, _ = container.subscribe(publisher.url("/c.ics"))
    assert (source.kind, source.name) == ("calendar", "Meetings")
    (first,) = events(container)
    assert first.content.event is not None
    assert first.content.event.zone_label == "Europe/Madrid"

    publisher.serve("/c.ics", meeting(SOON + timedelta(hours=1), sequence=1), "text/calendar")
    [report] = container.polling.poll_now([source.id])
    assert (report.new, report.changed) == (0, 1)
    (moved,) = events(container)
    assert moved.id == first.id
    assert moved.content.event is not None
    assert moved.content.event.start - first.content.event.start == timedelta(hours=1)
    with container.store.reading() as tx:
        assert len(tx.stream.versions.of(first.id)) == 1

    publisher.serve("/c.ics", meeting(SOON + timedelta(hours=1), sequence=2, status="CANCELLED"), "text/calendar")
    [report] = container.polling.poll_now([source.id])
    (cancelled,) = events(container)
    assert cancelled.id == first.id
    assert cancelled.content.event is not None
    assert cancelled.content.event.cancelled


def test_a_calendar_that_is_written_anew_without_change_changes_nothing(
    container: Container, publisher: Publisher
) -> None:
    publisher.serve("/c.ics", meeting(SOON), "text/calendar")
    source, _ = container.subscribe(publisher.url("/c.ics"))
    before = events(container)

    publisher.serve("/c.ics", meeting(SOON, stamp="20260909T090909Z", sequence=7), "text/calendar")
    [report] = container.polling.poll_now([source.id])

    assert (report.new, report.changed) == (0, 0)
    assert events(container) == before


def test_the_window_moves_though_the_document_does_not(container: Container, publisher: Publisher) -> None:
    weekly = calendar(
        *("BEGIN:VEVENT", "UID:w", f"DTSTART:{SOON:%Y%m%dT%H%M%SZ}", "RRULE:FREQ=WEEKLY", "END:VEVENT"),
    )
    publisher.serve("/w.ics", weekly, "text/calendar")
    source, _ = container.subscribe(publisher.url("/w.ics"))
    with container.store.reading() as tx:
        before = tx.stream.activities.facets(Query(), {}).counts["kind"]["event"]
    later = utc_now() + timedelta(days=15)
    container.clock = lambda: later

    [report] = container.polling.poll_now([source.id])

    assert report.new == 2
    with container.store.reading() as tx:
        assert tx.stream.activities.facets(Query(), {}).counts["kind"]["event"] == before + 2


def test_what_names_no_calendar_is_left_to_others_and_what_is_none_is_refused(
    container: Container, publisher: Publisher
) -> None:
    added, _ = container.subscribe(publisher.url("/good/1.xml"))
    assert added.kind == "rss"
    publisher.serve("/n.ics", b"<html>", "text/html")
    with pytest.raises(UnreadableError, match="no BEGIN:VCALENDAR"):
        container.subscribe(publisher.url("/n.ics"))


@pytest.mark.parametrize("options", [{"x": 1}, {"past": -1}, {"ahead": "many"}, {"timezone": "Nowhere"}])
def test_options_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(BadRequestError):
        KIND.parse_options(options)


def test_the_stream_gives_its_events_as_a_calendar(container: Container, publisher: Publisher) -> None:
    publisher.serve("/c.ics", meeting(SOON), "text/calendar")
    source, _ = container.subscribe(publisher.url("/c.ics"))
    with serving(app_of(container.store, clock=utc_now)) as reader:
        answer = reader.ask("/events.ics")
        assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
        again = reader.ask("/events.ics", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status == 304
        (first,) = events_in(answer.body)
        publisher.serve("/c.ics", meeting(SOON, sequence=1, status="CANCELLED"), "text/calendar")
        container.polling.poll_now([source.id])
        (second,) = events_in(reader.ask("/events.ics").body)
        assert reader.ask("/events.ics?source=nobody").status == 400
        assert not events_in(reader.ask("/events.ics?kind=article").body)

    assert first["UID"] == second["UID"]
    assert str(first["DTSTART"].params["TZID"]) == "Europe/Madrid"
    assert first["DTSTART"].dt.replace(tzinfo=None) == SOON.replace(tzinfo=None)
    assert "STATUS" not in first  # it may be tentative
    assert str(second["STATUS"]) == "CANCELLED"
    assert second["SEQUENCE"] > first["SEQUENCE"]
    assert str(first["LOCATION"]) == "Town hall"
