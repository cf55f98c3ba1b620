"""Test the elements of events for each way of reading a feed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aggregator.domain.activity import ActivityKind
from tests.sources.rss.read_ways import XML_WAYS, atom_entry, json_entry, rss_entry

NOON = datetime(2031, 5, 2, 12, tzinfo=UTC)
LINKED = '<script type="application/ld+json">{"@type": "Event", "startDate": "2031-05-02T12:00Z"}</script><p>Come</p>'
RSS = [
    pytest.param("<ev:startdate>2031-05-02T12:00:00Z</ev:startdate>", id="ev"),
    pytest.param("<ev:startDate>2031-05-02T12:00:00Z</ev:startDate>", id="capitals"),
    pytest.param("<ev:startdate><![CDATA[ 2031-05-02T14:00:00+02:00 ]]></ev:startdate>", id="cdata"),
    pytest.param("<ev:startdate>Fri, 02 May 2031 12:00:00 GMT</ev:startdate>", id="rfc822"),
    pytest.param('<ev:startdate type="x">2031-05-02T12:00:00Z</ev:startdate>', id="attribute"),
    pytest.param("<xcal:dtstart>20310502T120000Z</xcal:dtstart>", id="xcal"),
    pytest.param('<xcal:dtstart tzid="Europe/Berlin">20310502T140000</xcal:dtstart>', id="zone-attribute"),
    pytest.param("<xcal:dtstart>TZID=Europe/Berlin:20310502T140000</xcal:dtstart>", id="zone-text"),
    pytest.param('<gd:when startTime="2031-05-02T12:00:00Z" endTime="2031-05-02T13:00:00Z"/>', id="google"),
    pytest.param(f"<description><![CDATA[{LINKED}]]></description>", id="schema-org"),
]


@pytest.mark.parametrize("way", XML_WAYS)
@pytest.mark.parametrize("inner", RSS)
def test_events_are_read(way: str, inner: str) -> None:
    content = rss_entry(way, inner)
    assert content.kind is ActivityKind.EVENT
    assert content.event is not None
    assert content.event.start == NOON


@pytest.mark.parametrize("way", XML_WAYS)
def test_the_end_the_place_and_the_status_of_an_event_are_read(way: str) -> None:
    inner = (
        "<ev:enddate>2031-05-02T13:00:00Z</ev:enddate><ev:location>Town\n hall &amp; garden</ev:location>"
        "<ev:startdate>2031-05-02T12:00:00Z</ev:startdate><xcal:status>CANCELLED</xcal:status>"
    )
    for content in (rss_entry(way, inner), atom_entry(way, inner)):
        event = content.event
        assert event is not None
        assert (event.start, event.end, event.place) == (NOON, NOON.replace(hour=13), "Town hall & garden")
        assert event.cancelled


def test_values_of_xcal_may_be_nested() -> None:
    """RFC 6321: parameters, then the value."""
    inner = (
        "<xcal:dtstart><xcal:parameters><xcal:tzid><xcal:text>Europe/Berlin</xcal:text></xcal:tzid></xcal:parameters>"
        "<xcal:date-time>2031-05-02T14:00:00</xcal:date-time></xcal:dtstart>"
    )
    event = rss_entry("tree", inner).event
    assert event is not None
    assert (event.start, event.zone_label) == (NOON, "Europe/Berlin")


def test_schema_org_is_read_in_json_feed() -> None:
    event = json_entry({"content_html": LINKED}).event
    assert event is not None
    assert event.start == NOON


@pytest.mark.parametrize("way", XML_WAYS)
@pytest.mark.parametrize(
    "inner",
    [
        "<ev:startdate>soon</ev:startdate>",
        "<ev:startdate/>",
        "<ev:location>Town hall</ev:location>",
        "<dc:startdate>2031-05-02T12:00:00Z</dc:startdate>",
    ],
)
def test_other_elements_make_no_event(way: str, inner: str) -> None:
    assert rss_entry(way, inner).kind is ActivityKind.ARTICLE
