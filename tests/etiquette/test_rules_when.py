"""Test rules 10 to 22, about the time of requests, against a scripted publisher and a controlled clock."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from aggregator.container import utc_now
from aggregator.domain.errors import PausedError
from aggregator.domain.polling.host_groups import HostGroup, Pauses
from aggregator.domain.polling.schedule import (
    PollBudget,
    PublishingProfile,
    Terms,
    after_success,
    observed,
    poll_weight,
)
from aggregator.services.rate_limiter import HostRateLimiter
from tests.building import due_of
from tests.etiquette.publisher import START, Publisher, Says, feed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.services.poll_report import Report
    from storage.store import Store
    from tests.etiquette.publisher import Polling, Time

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ETAG = {"ETag": '"1"'}
NOW = format_datetime(START, usegmt=True)
UNCHANGED = Says(status=304)


def _wait(polling: Polling, slug: str = "feed") -> timedelta:
    return due_of(polling.source(slug)) - polling.time()


@pytest.mark.parametrize(
    ("headers", "floor"),
    [
        pytest.param(ETAG, 15 * MINUTE, id="etag", marks=pytest.mark.slow),
        pytest.param({"Last-Modified": "x"}, 15 * MINUTE, id="last-modified", marks=pytest.mark.slow),
        pytest.param({}, HOUR, id="neither"),
    ],
)
def test_rule_10_nothing_is_fetched_more_often_than_its_floor(
    polling: Polling, publisher: Publisher, time: Time, headers: Mapping[str, str], floor: timedelta
) -> None:
    busy = [Says(feed(*range(n, n + 9), when=START + n * MINUTE), headers=headers) for n in range(40)]
    polling.follow(publisher.says("/f", *busy))
    times = []
    for _ in range(4 * 4):  # four hours of ticks by two schedulers, one of them new every 15 minutes
        other = polling.restarted()
        for _ in range(5):
            if polling.tick() + other.tick():
                times.append(time())
            time.passes(minutes=3)
        other.container.close()
    assert len(times) == len(publisher.requests) >= 3
    assert min(later - sooner for sooner, later in pairwise(times)) >= floor


@pytest.mark.parametrize("status", [200, 304])
@pytest.mark.parametrize(
    ("headers", "least"),
    [
        ({"Cache-Control": "max-age=14400"}, 4 * HOUR),
        ({"Cache-Control": "public, s-maxage=14400, max-age=60"}, 4 * HOUR),
        ({"Cache-Control": "max-age=14400", "Age": "7200"}, 2 * HOUR),
        ({"Expires": format_datetime(START + 4 * HOUR, usegmt=True), "Date": NOW}, 4 * HOUR),
        ({"Cache-Control": "no-store, no-cache, max-age=0"}, 15 * MINUTE),
        ({"Cache-Control": "max-age=99999999"}, DAY),
    ],
)
def test_rule_11_freshness_makes_it_later_never_earlier(
    polling: Polling, publisher: Publisher, status: int, headers: Mapping[str, str], least: timedelta
) -> None:
    answer = Says(feed(1), headers={**ETAG, **headers}) if status == 200 else Says(status=304, headers=headers)
    polling.follow(publisher.says("/f", Says(feed(1), headers=ETAG), answer))
    polling.poll()
    polling.poll()
    assert _wait(polling) >= least
    assert _wait(polling) <= max(1.1 * HOUR, least) + MINUTE


def test_rule_11_a_slow_source_may_ask_for_a_month(polling: Polling, publisher: Publisher) -> None:
    month = Says(feed(1), headers={**ETAG, "Cache-Control": f"max-age={40 * 86400}"})
    polling.follow(publisher.says("/f", month), options={"slow": True})
    polling.poll()
    assert _wait(polling) == 31 * DAY
    assert polling.note() == "The publisher requests 40 d between polls (max-age); the limit is 31 d."


@pytest.mark.parametrize(
    ("extra", "least", "note"),
    [
        ("<ttl>180</ttl>", 3 * HOUR, "None"),
        ("<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>", 6 * HOUR, "None"),
        ("<sy:updatePeriod>hourly</sy:updatePeriod><ttl>120</ttl>", 2 * HOUR, "None"),
        ("<ttl>0</ttl>", 15 * MINUTE, "Its ttl ('0') is invalid and is ignored."),
        ("<ttl>-5</ttl>", 15 * MINUTE, "Its ttl ('-5') is invalid and is ignored."),
        ("<ttl>1000000000</ttl>", 15 * MINUTE, "Its ttl ('1000000000') is invalid and is ignored."),
        (
            "<sy:updatePeriod>often</sy:updatePeriod>",
            15 * MINUTE,
            "Its sy:updatePeriod ('often') is invalid and is ignored.",
        ),
    ],
)
def test_rule_12_the_feed_s_own_wishes_count(
    polling: Polling, publisher: Publisher, extra: str, least: timedelta, note: str
) -> None:
    polling.follow(publisher.says("/f", Says(feed(1, extra=extra), headers=ETAG), UNCHANGED))
    for _ in range(2):  # with the document, and with a 304 after it
        polling.poll()
        assert least <= _wait(polling) <= max(1.1 * HOUR, least) + MINUTE
        assert polling.note() == note


def test_rule_13_skipped_hours_and_days_are_avoided(polling: Polling, publisher: Publisher, time: Time) -> None:
    hours = "".join(f"<hour>{hour}</hour>" for hour in range(13, 25))
    extra = f"<skipHours>{hours}</skipHours><skipDays><day>Tuesday</day></skipDays>"
    polling.follow(publisher.says("/f", Says(feed(1, extra=extra), headers=ETAG), UNCHANGED))
    time.passes(minutes=30)
    for _ in range(2):
        polling.poll()
        due = due_of(polling.source())
        assert (due.weekday(), due.hour) == (2, 1)  # Wednesday, since 24 is midnight
    time.now = START.replace(day=4, hour=3)
    assert polling.poll().error is None
    assert due_of(polling.source()) - time() <= 1.2 * HOUR


def test_rule_13_a_list_of_all_hours_is_ignored(polling: Polling, publisher: Publisher) -> None:
    extra = "<skipHours>" + "".join(f"<hour>{hour}</hour>" for hour in range(24)) + "</skipHours>"
    polling.follow(publisher.says("/f", Says(feed(1, extra=extra), headers=ETAG)))
    polling.poll()
    assert _wait(polling) <= 1.2 * HOUR
    assert polling.note() == "Its skipHours name every hour and are ignored."


LATER = START + 3 * HOUR


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("7200", 2 * HOUR),
        (format_datetime(LATER, usegmt=True), 3 * HOUR),
        (LATER.strftime("%A, %d-%b-%y %H:%M:%S GMT"), 3 * HOUR),
        (LATER.strftime("%a %b %e %H:%M:%S %Y"), 3 * HOUR),
        (format_datetime(START - HOUR, usegmt=True), None),
        ("0", None),
        ("-5", None),
        ("1e9", None),
        ("1000000000", 24 * HOUR),
        ("soon", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_rule_14_every_form_of_retry_after_has_its_outcome(
    polling: Polling, publisher: Publisher, value: str, wait: timedelta | None, status: int
) -> None:
    date = format_datetime(START, usegmt=True)
    polling.follow(publisher.says("/f", Says(status=status, headers={"Retry-After": value, "Date": date})))
    polling.poll()
    with polling.container.store.reading() as tx:
        paused = [pause.until - START for pause in tx.polling.hosts.paused(START)]
    without = [HOUR] if status == 429 else []  # a 503 that does not say for how long is a failure like others
    assert paused == ([wait] if wait else without)
    assert _wait(polling) >= (wait or 15 * MINUTE)


def test_rule_14_a_date_is_taken_relative_to_the_publisher_s_clock(polling: Polling, publisher: Publisher) -> None:
    clock = START - 5 * DAY  # theirs is five days slow
    headers = {
        "Date": format_datetime(clock, usegmt=True),
        "Retry-After": format_datetime(clock + 2 * HOUR, usegmt=True),
    }
    polling.follow(publisher.says("/f", Says(status=429, headers=headers)))
    polling.poll()
    with polling.container.store.reading() as tx:
        assert [pause.until for pause in tx.polling.hosts.paused(START)] == [START + 2 * HOUR]


@pytest.mark.parametrize("status", [429, 503])
def test_rule_15_a_host_is_paused_and_others_go_on(polling: Polling, publisher: Publisher, status: int) -> None:
    with Publisher() as other:
        busy = publisher.says("/a", Says(status=status, headers={"Retry-After": "7200"}))
        polling.follow(busy, slug="a")
        polling.follow(publisher.says("/b", Says(feed(1))), slug="b")
        polling.follow(other.says("/c", Says(feed(2))), slug="c")
        polling.tick()
        assert publisher.paths == ["/a"]  # /b is on the paused host, whichever of the two was first
        assert other.paths == ["/c"]
        assert (polling.source("b").poll.last_error_code, polling.source("b").poll.failures) == ("host-paused", 0)


def test_rule_15_an_operator_may_pause_the_address_alone(polling: Polling, publisher: Publisher) -> None:
    with polling.container.store.writing() as tx:
        tx.polling.host_groups.put(HostGroup("127.0.0.1", "127.0.0.1", pauses=Pauses.URL))
    polling.follow(publisher.says("/a", Says(status=429, headers={"Retry-After": "7200"})), slug="a")
    polling.follow(publisher.says("/b", Says(feed(1))), slug="b")
    polling.tick()
    assert sorted(publisher.paths) == ["/a", "/b"]
    assert _wait(polling, "a") >= 2 * HOUR


def test_rule_16_without_a_time_the_pause_doubles_and_eases_stepwise(
    polling: Polling, publisher: Publisher, time: Time
) -> None:
    polling.follow(publisher.says("/f", Says(status=429)))

    def paused() -> timedelta:
        polling.poll()
        with polling.container.store.reading() as tx:
            [pause] = tx.polling.hosts.paused(time())
        wait = pause.until - time()
        time.now = pause.until
        return wait

    assert [paused() / HOUR for _ in range(7)] == [1, 2, 4, 8, 16, 24, 24]
    publisher.says("/f", Says(feed(1)))
    polling.poll()  # the first good answer, at once after the pause, takes nothing back
    time.passes(hours=1)
    polling.poll()
    time.passes(hours=1)
    polling.poll()  # two steps
    publisher.says("/f", Says(status=429))
    assert paused() / HOUR == 24  # of seven, so that it is still at the top
    publisher.says("/f", Says(feed(1)))
    for _ in range(7):
        time.passes(hours=1)
        polling.poll()
    publisher.says("/f", Says(status=429))
    assert 1 <= paused() / HOUR < 24


def test_rule_17_a_pause_survives_a_restart_and_holds_by_hand(
    polling: Polling, publisher: Publisher, time: Time
) -> None:
    polling.follow(publisher.says("/f", Says(status=429, headers={"Retry-After": "3600"})))
    polling.poll()
    time.passes(minutes=20)
    again = polling.restarted()
    reports: list[Report] = []
    again.container.pull.run([again.source()], reports.append)
    again.container.close()
    assert len(publisher.requests) == 1
    [report] = reports
    assert report.error is not None
    assert "paused for another 40 min" in report.error


def test_rule_18_one_request_at_a_time_and_apart_over_all_workers(store: Store) -> None:
    spacing = timedelta(seconds=0.2)
    workers = [HostRateLimiter(store, utc_now, spacing=spacing, concurrency=1) for _ in range(3)]
    starts: list[float] = []
    running: list[int] = [0, 0]  # now, at the most

    async def call(turns: HostRateLimiter) -> None:
        async with turns.acquire("news.example:443"):
            starts.append(asyncio.get_running_loop().time())
            running[0] += 1
            running[1] = max(running)
            await asyncio.sleep(0.03)
            running[0] -= 1

    async def everybody() -> None:
        await asyncio.gather(*(call(workers[number % 3]) for number in range(9)))
        await asyncio.gather(*(turns.close() for turns in workers))

    began = time.monotonic()  # as the clock of the event loop
    asyncio.run(everybody())
    assert running[1] == 1
    assert max(starts) - began >= 8 * 0.2 - 0.05


def test_rule_19_subdomains_of_a_service_share_their_turns_and_pauses(store: Store) -> None:
    with store.writing() as tx:
        tx.polling.host_groups.put(HostGroup("blogs.example", "blogs.example"))
    turns = HostRateLimiter(store, lambda: START, spacing=timedelta(), concurrency=1)

    async def calls() -> None:
        await turns.pause("ann.tumblr.com:443", START + HOUR, "429")
        for paused in ("bob.tumblr.com:443", "tumblr.com:443"):
            with pytest.raises(PausedError, match=r"tumblr\.com:443 is paused for another 60 min"):
                await turns.acquire(paused).__aenter__()
        await turns.pause("one.blogs.example:443", None, "429")
        with pytest.raises(PausedError):
            await turns.acquire("two.blogs.example:443").__aenter__()
        async with turns.acquire("nottumblr.com:443"), turns.acquire("feeds.feedburner.com:443"):
            pass
        await turns.close()

    asyncio.run(calls())


@pytest.mark.slow
def test_rule_20_a_start_with_500_overdue_sources_makes_no_burst(polling: Polling, time: Time) -> None:
    for number in range(500):
        polling.follow(f"http://host{number}.example/f", slug=f"s{number}", host=f"host{number}.example:80")
    time.passes(days=30)  # of standing still
    begun = []
    for _ in range(55):  # ticks, less than a lease
        begun.append(sum(len(batch.ids) for batch in polling.container.dispatcher.claim()))
        time.passes(seconds=5)
    assert sum(begun) == 500
    assert sum(begun[:12]) <= 120 + 60  # the limit of a minute, and half a minute's share at the start
    assert max(sum(begun[at : at + 12]) for at in range(1, 44)) <= 120


def test_rule_21_hourly_sources_spread_over_the_hour() -> None:
    """A thousand hourly sources that were all polled at 12:00 sharp."""
    due = dict.fromkeys(range(1000), START)
    for _ in range(48):
        due = {n: after_success(at, Terms(n, HOUR, MINUTE), poll_weight=1, pace=None).at for n, at in due.items()}
    minutes = [at.minute for at in due.values()]
    assert max(minutes.count(minute) for minute in range(60)) <= 40
    times = [after_success(START, Terms(7, HOUR, MINUTE), poll_weight=1, pace=None).at for _ in range(3)]
    assert len(set(times)) == 1  # and each source has its own, always the same


def test_rule_22_the_rate_follows_the_posts_and_the_reason_is_kept(
    polling: Polling, publisher: Publisher, time: Time
) -> None:
    busy, dormant = PublishingProfile(START), PublishingProfile(START)
    pace = PollBudget(level=poll_weight(PublishingProfile(START), START), per_second=1 / 3600)
    at = START
    for _ in range(24 * 30):
        at += HOUR
        busy, dormant = observed(busy, at, [at - MINUTE]), observed(dormant, at, [])
    often, seldom = (
        after_success(at, Terms(1, None, 15 * MINUTE), poll_weight=poll_weight(source, at), pace=pace)
        for source in (busy, dormant)
    )
    assert 15 * MINUTE <= often.interval <= 30 * MINUTE
    assert 4 * often.interval <= seldom.interval <= 24 * HOUR
    polling.follow(publisher.says("/f", Says(feed(1), headers=ETAG)))
    polling.poll()
    with polling.container.store.reading() as tx:
        [line] = tx.polling.schedule.log(polling.source().id, 1)
    assert line["next_poll"] == due_of(polling.source()) > time()
    assert line["next_reason"] == polling.source().poll.due_reason == "adaptive: profile not known yet"
    polling.tick()  # measures what all ask for
    time.passes(hours=2)
    polling.tick()
    assert "adaptive: " in polling.source().poll.due_reason
