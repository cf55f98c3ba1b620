"""Test the pure functions behind pages: dates in words, allowed links, and stale sources."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from aggregator.domain.activity import ActivityKind, Content, Media
from aggregator.domain.source import PollState, SourceState
from aggregator.domain.source_health import is_stale
from aggregator.reader.health import worker_warning
from aggregator.web.addresses import site_name, web_address
from aggregator.web.dates import Dates, When, machine_time
from aggregator.web.pictures import attached, lead, visible
from tests.building import NOON

START = datetime(2014, 4, 16, 14, 0, tzinfo=UTC)
NEW_YORK = Dates.of(ZoneInfo("America/New_York"), "en")


def test_machine_times_are_utc_with_z() -> None:
    assert machine_time(START.astimezone(ZoneInfo("Asia/Tokyo"))) == "2014-04-16T14:00:00Z"


@pytest.mark.parametrize(
    ("locale", "moment", "midnight"),
    [
        ("en", "April 16, 2014, 10:00 AM", "12:05 AM"),
        ("en-US", "April 16, 2014, 10:00 AM", "12:05 AM"),
        ("en-GB", "16 April 2014, 10:00", "00:05"),
        ("en-AU", "16 April 2014, 10:00 am", "12:05 am"),
        ("fr", "16 avril 2014, 10:00", "00:05"),
        ("en-Latn-GB", "16 April 2014, 10:00", "00:05"),
    ],
)
def test_a_locale_has_its_habits(locale: str, moment: str, midnight: str) -> None:
    dates = Dates.of(ZoneInfo("America/New_York"), locale)

    assert dates.moment(START) == moment
    assert dates.hour(datetime(2014, 4, 16, 4, 5, tzinfo=UTC)) == midnight


def test_noon_is_twelve_in_the_afternoon() -> None:
    assert NEW_YORK.hour(START + timedelta(hours=2)) == "12:00 PM"


def test_days_are_named_when_they_are_near() -> None:
    today = date(2014, 4, 16)
    named = [NEW_YORK.heading(today - timedelta(days=ago), today) for ago in (0, 1, 2, -1)]

    assert named == ["Today", "Yesterday", "Monday, April 14, 2014", "Thursday, April 17, 2014"]


@pytest.mark.parametrize(
    ("end", "label", "hours", "remark"),
    [
        (None, None, "10:00 AM EDT", None),
        (START + timedelta(hours=1), "EST", "10:00 AM to 11:00 AM EDT", "EST"),
        (START + timedelta(hours=1), "EDT", "10:00 AM to 11:00 AM EDT", None),
        (START + timedelta(days=1), None, "10:00 AM to April 17, 2014, 10:00 AM EDT", None),
        (None, "Asia/Jakarta", "9:00 PM WIB", None),
        (None, "Nowhere/City", "10:00 AM EDT", "Nowhere/City"),
        (None, "../../etc/passwd", "10:00 AM EDT", "../../etc/passwd"),
    ],
)
def test_an_events_hours_are_never_guessed(
    end: datetime | None, label: str | None, hours: str, remark: str | None
) -> None:
    assert NEW_YORK.when(START, end, label) == When("Wednesday, April 16, 2014", hours, remark, "Apr", 16)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("https://example.org/a?b#c", True),
        ("HTTP://example.org", True),
        ("javascript:alert(1)", False),
        (" https://example.org", False),
        ("https://exa mple.org", False),
        ("//example.org", False),
        ("/path", False),
        ("data:text/html,x", False),
        ("https:///path", False),
        ("", False),
        (None, False),
    ],
)
def test_only_web_addresses_become_links(address: str | None, *, allowed: bool) -> None:
    assert (web_address(address) is not None) is allowed


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://x.com/a/status/1", "X"),
        ("https://mobile.twitter.com/a", "X"),
        ("https://www.example.org/a", "example.org"),
        ("https://[broken", None),
        ("nothing", None),
        (None, None),
    ],
)
def test_sites_have_names(address: str | None, name: str | None) -> None:
    assert site_name(address) == name


def test_only_what_can_be_shown_is_a_picture() -> None:
    film = Media("video", "https://v.example/1", preview="https://v.example/still")
    blind = Media("video", "https://v.example/2")
    bad = Media("image", "javascript:alert(1)")
    sound = Media("audio", "https://v.example/3")
    content = Content(ActivityKind.POST, "x", media=(bad, blind, sound, film))

    assert lead(content) == film
    assert visible(content) == [blind, film]
    assert attached(content) == [sound]


POLL = PollState(due=NOON, last_success=NOON - timedelta(minutes=15), interval=timedelta(minutes=15))
ACTIVE, STOPPED, PAUSED = SourceState.ACTIVE, SourceState.STOPPED, SourceState.PAUSED


@pytest.mark.parametrize(
    ("state", "changes", "stale"),
    [
        (ACTIVE, {}, False),
        (ACTIVE, {"failures": 1}, False),
        (ACTIVE, {"failures": 2}, True),
        (ACTIVE, {"failures": 1, "last_success": None}, True),
        (ACTIVE, {"last_success": None}, False),  # just added
        (ACTIVE, {"due": NOON - timedelta(minutes=40)}, False),
        (ACTIVE, {"due": NOON - timedelta(minutes=41)}, True),
        (ACTIVE, {"due": NOON + timedelta(days=3), "last_success": NOON - timedelta(days=1)}, False),
        (ACTIVE, {"due": None}, False),
        (STOPPED, {}, True),
        (PAUSED, {"failures": 9}, False),
    ],
)
def test_stale_is_what_fails_or_is_overdue(state: SourceState, changes: dict[str, Any], *, stale: bool) -> None:
    assert is_stale(state, replace(POLL, **changes), NOON) is stale


@pytest.mark.parametrize(("seconds", "warned"), [(0, False), (60, False), (61, True)])
def test_silence_of_the_scheduler_is_noticed(seconds: int, *, warned: bool) -> None:
    assert (worker_warning(NOON - timedelta(seconds=seconds), NOON) is not None) is warned
    assert worker_warning(None, NOON) is not None
