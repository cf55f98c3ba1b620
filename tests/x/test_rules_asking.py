"""Test requirements 2, 4, 8, 11 to 13 and 21: how requests to X are made, limited and paused."""

from __future__ import annotations

import threading
import time as clock
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.source import SourceState
from aggregator.sources.twitter.read_budget import FIRST_RUN, PAGE, PAGES
from tests.building import due_of
from tests.x.asking import CAPPED, answering, following, timelines
from tests.x.following import START
from tests.x.scripted import NOTHING, Reply, Script, page, post

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sources.twitter.fake_x import FakeX
    from tests.x.following import Following, Time
    from tests.x.scripted import Asked

    Follower = Callable[..., Following]


# 2 and 4: requests for posts


def test_x_02_the_first_poll_is_bounded_and_later_ones_ask_for_what_is_new(fake: FakeX, follower: Follower) -> None:
    pages = [page(post(20), post(10), token="more"), page(post(30)), NOTHING]
    installation, script = following(follower, fake, lambda *_: pages[min(len(timelines(script)), 3) - 1])
    for _ in range(3):
        installation.poll()
    assert [(query["max_results"], query.get("since_id")) for query in timelines(script)] == [
        (str(FIRST_RUN), None),
        (str(PAGE), "20"),
        (str(PAGE), "30"),
    ]
    assert installation.ids() == ["10", "20", "30"]


def test_x_02_a_crash_between_pages_loses_nothing_and_repeats_nothing(
    fake: FakeX, follower: Follower, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts = [post(number) for number in range(1, 251)]

    def timeline(_: str, query: Asked) -> dict[str, Any]:
        since, until = int(query.get("since_id", 0)), int(query.get("pagination_token", 10**18))
        found = [post for post in reversed(posts) if since < int(post["id"]) < until][: int(query["max_results"])]
        token = found[-1]["id"] if found and int(found[-1]["id"]) > since + 1 else None
        return page(*found, token=token)

    posts, rest = posts[:5], posts
    installation, _ = following(follower, fake, timeline)
    installation.poll()
    posts = rest
    with monkeypatch.context() as dying:
        dying.setattr("aggregator.services.ingest.Ingest._store_result", _die)
        with pytest.raises(_DiedError):
            installation.poll()
    time.passes(hours=1)  # the dead worker's lease is over
    installation.beside().poll()
    assert installation.ids() == [str(number) for number in range(1, 251)]
    assert installation.rows("SELECT count(*) FROM activity")[0][0] == 250
    assert installation.ledger()[1] == 250  # read twice on one day, billed once


class _DiedError(BaseException):
    pass


def _die(*_: object) -> None:
    raise _DiedError


def test_x_04_a_page_budget_leaves_a_place_to_go_on_from(fake: FakeX, follower: Follower) -> None:
    ids = [*range(1, 6)]

    def timeline(_: str, query: Asked) -> dict[str, Any]:
        since, until = int(query.get("since_id", 0)), int(query.get("until_id", 10**18))
        until = min(until, int(query.get("pagination_token", 10**18)))
        found = [number for number in reversed(ids) if since < number < until]
        cut = found[: int(query["max_results"])]
        return page(*map(post, cut), token=str(cut[-1]) if len(found) > len(cut) else None)

    installation, script = following(follower, fake, timeline)
    installation.poll()
    ids += range(6, 6 + 2 * PAGES * PAGE)
    script.requests.clear()
    installation.poll()
    assert len(timelines(script)) == PAGES
    installation.poll()
    installation.poll()
    assert installation.ids() == [str(number) for number in ids]
    assert installation.source("desk-1").poll.fetch_state == {"since_id": str(ids[-1])}
    assert installation.ledger()[1] == len(ids)  # nothing was read twice


# 8: both vocabularies


def test_x_08_the_vocabulary_of_requests_is_one_setting(fake: FakeX, follower: Follower) -> None:
    installation, script = following(follower, fake, lambda *_: NOTHING)
    installation.poll()
    older = timelines(script)[-1]
    [report] = installation.beside(x_vocabulary="posts").poll()
    assert report.error is None
    newer = timelines(script)[-1]
    assert "note_tweet" in older["tweet.fields"].split(",")
    assert "referenced_tweets.id" in older["expansions"].split(",")
    assert "author_id" not in older["expansions"].split(",")
    assert "tweet.fields" not in newer
    assert "note_post" in newer["post.fields"].split(",")
    assert "referenced_posts" in newer["expansions"].split(",")


def test_x_08_an_unknown_parameter_is_reported_as_a_changed_api(fake: FakeX, follower: Follower) -> None:
    message = "The query parameter [tweet.fields] is not one of [id,post.fields]"
    refusal = {"errors": [{"parameters": {"tweet.fields": ["id"]}, "message": message}]}
    installation, _ = following(follower, fake, lambda *_: Reply(refusal, 400))
    [report] = installation.poll()
    assert "X's API has changed" in str(report.error)
    assert "AGGREGATOR_X_VOCABULARY" in str(report.error)
    assert installation.source("desk-1").poll.last_error_code == "api-changed"
    assert installation.source("desk-1").state is SourceState.ACTIVE


def test_x_21_a_refused_expansion_is_left_out(fake: FakeX, follower: Follower, time: Time) -> None:
    def timeline(_: str, query: Asked) -> Reply | dict[str, Any]:
        if "attachments.media_keys" in query["expansions"].split(","):
            message = "The `expansions` query parameter value [attachments.media_keys] is not one of [author_id]"
            return Reply({"errors": [{"parameters": {"expansions": [query["expansions"]]}, "message": message}]}, 400)
        return page(post(5))

    installation, script = following(follower, fake, timeline)
    installation.poll()
    assert installation.ids() == ["5"]
    assert len(timelines(script)) == 2
    installation.poll()
    assert len(timelines(script)) == 3  # remembered
    installation.beside().poll()
    assert len(timelines(script)) == 4  # by all processes
    time.passes(days=8)
    installation.poll()
    assert len(timelines(script)) == 6  # sent again, since the plan may have changed


def test_x_21_an_expansion_is_refused_for_one_endpoint(fake: FakeX, follower: Follower) -> None:
    def answer(path: str, query: Asked) -> Reply | dict[str, Any]:
        if path == "/2/tweets/search/recent" and "attachments.media_keys" in query["expansions"].split(","):
            message = "The `expansions` query parameter value [attachments.media_keys] is not one of [author_id]"
            return Reply({"errors": [{"parameters": {"expansions": [query["expansions"]]}, "message": message}]}, 400)
        return answering(lambda *_: NOTHING)(path, query)

    script = Script(fake, answer)
    installation = follower(fake.url)
    installation.follow("@desk_1", "search:budget")
    installation.poll()
    sent = {path: query["expansions"].split(",") for path, query in script.requests if "expansions" in query}
    assert "attachments.media_keys" in sent["/2/users/1/tweets"]
    assert "attachments.media_keys" not in sent["/2/tweets/search/recent"]


@pytest.mark.parametrize("whose", ["app", "user"])
def test_x_12_a_used_up_day_lasts_until_its_own_reset(fake: FakeX, follower: Follower, time: Time, whose: str) -> None:
    soon, late = (int((time.now + timedelta(hours=hours)).timestamp()) for hours in (0.25, 20))
    headers = {
        "x-rate-limit-remaining": "880",
        "x-rate-limit-reset": str(soon),
        f"x-{whose}-limit-24hour-limit": "100",
        f"x-{whose}-limit-24hour-remaining": "0",
        f"x-{whose}-limit-24hour-reset": str(late),
    }
    replies = [Reply({"title": "Too Many Requests"}, 429, headers)]
    installation, script = following(follower, fake, lambda *_: replies[-1])
    for _ in range(19):
        installation.poll()
        time.passes(hours=1)
    assert len(script.requests) == 1
    replies.append(Reply(NOTHING, 200, {**headers, f"x-{whose}-limit-24hour-reset": str(late + 86_400)}))
    time.passes(hours=2)
    installation.poll()  # the last call of the next day
    time.passes(hours=1)
    installation.poll()
    assert len(script.requests) == 2


# 11: nothing takes for ever


@pytest.mark.parametrize("fault", ["hangs", "drips", "endless"])
def test_x_11_every_call_ends_in_bounded_time(
    fake: FakeX, follower: Follower, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aggregator.sources.twitter import transport

    monkeypatch.setattr(
        transport.BoundedAdapter.__init__, "__kwdefaults__", {"read": 0.3, "total": 0.6, "largest": 99_999}
    )
    stop = threading.Event()

    def misbehaves(handler: Any) -> None:
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        while not stop.is_set() and fault != "hangs":
            handler.wfile.write(b" " * (1 if fault == "drips" else 4096))
            handler.wfile.flush()
            stop.wait(0.1 if fault == "drips" else 0)
        stop.wait(120)

    installation, _ = following(follower, fake, lambda *_: NOTHING)
    fake.body = misbehaves
    began = clock.monotonic()
    [report] = installation.poll()
    stop.set()
    assert clock.monotonic() - began < 60
    assert report.outcome == "failed"
    assert (
        installation.source("desk-1").poll.last_error_code
        == {"hangs": "too-slow", "drips": "too-slow", "endless": "too-large"}[fault]
    )


# 12: no poll sleeps


def limit(reset: int | None = None, remaining: int | None = None) -> dict[str, str]:
    headers = {"x-rate-limit-reset": reset, "x-rate-limit-remaining": remaining}
    return {name: str(value) for name, value in headers.items() if value is not None}


def test_x_12_a_rate_limit_holds_for_all_workers_for_one_endpoint_and_one_token(
    fake: FakeX, follower: Follower, time: Time
) -> None:
    until = START + timedelta(minutes=7)
    refusing = [True]
    installation, script = following(
        follower,
        fake,
        lambda *_: (
            Reply({"title": "Too Many Requests"}, 429, limit(int(until.timestamp()))) if refusing[0] else NOTHING
        ),
        accounts=2,
    )
    began = clock.monotonic()
    assert {report.error.partition(";")[0] for report in installation.poll() if report.error}
    assert clock.monotonic() - began < 60  # the limit lasts for seven minutes
    assert len(timelines(script)) == 1  # the second account of the batch was not even asked
    refusing[0] = False
    installation.beside().poll()
    assert len(timelines(script)) == 1  # nor by another worker
    for slug in ("desk-1", "desk-2"):
        source = installation.source(slug)
        assert (source.poll.failures, source.poll.last_error_code) == (0, "host-paused")
        assert due_of(source) >= until
    installation.follow("@desk_3")  # another endpoint
    installation.beside(x_bearer_token="another").poll("desk-1")
    assert len(timelines(script)) == 2  # another token
    time.now = until
    assert [report.outcome for report in installation.poll("desk-2")] == ["unchanged"]


def test_x_12_without_a_reset_each_pause_is_longer_with_jitter_and_a_cap(
    fake: FakeX, follower: Follower, time: Time
) -> None:
    installation, script = following(follower, fake, lambda *_: Reply({"title": "Too Many Requests"}, 429))
    pauses = []
    for _ in range(9):
        installation.poll()
        [row] = installation.rows(
            "SELECT paused_until FROM host WHERE paused_until IS NOT NULL AND name LIKE '%tweets@%'"
        )
        with installation.container.store.reading() as tx:
            [paused] = tx.polling.hosts.paused(time.now)
        pauses.append((paused.until - time.now) / timedelta(minutes=1))
        time.now = paused.until
        assert row
    assert len(timelines(script)) == 9
    for number, minutes in enumerate(pauses):
        least = min(15 * 2**number, 24 * 60)
        assert least <= minutes <= min(least * 1.25, 24 * 60)


def test_x_12_a_success_that_was_the_last_one_has_the_same_effect(fake: FakeX, follower: Follower) -> None:
    until = START + timedelta(minutes=3)
    installation, script = following(
        follower, fake, lambda *_: Reply(page(post(5)), headers=limit(int(until.timestamp()), 0)), accounts=2
    )
    installation.poll()
    assert len(timelines(script)) == 1
    assert installation.ids() == ["5"]


# 13: caps


@pytest.mark.parametrize(
    "body",
    [CAPPED, {"title": "SpendingLimitReached", "type": "https://api.x.com/2/problems/spending-limit"}],
    ids=["usage-cap", "spending-limit"],
)
def test_x_13_a_cap_stops_all_calls_until_the_next_cycle_or_an_operator(
    fake: FakeX, follower: Follower, time: Time, body: dict[str, str]
) -> None:
    capped = [True]
    installation, script = following(follower, fake, lambda *_: Reply(body, 429) if capped[0] else NOTHING, accounts=3)
    installation.poll()
    assert len(script.requests) == 1
    for number in (1, 2, 3):
        source = installation.source(f"desk-{number}")
        assert (source.state, source.poll.failures, source.poll.last_error_code) == (
            SourceState.ACTIVE,
            0,
            "cap-reached",
        )
    capped[0] = False
    time.passes(days=3)
    installation.beside().poll()
    with pytest.raises(Exception, match="usage cap"):
        installation.follow("@desk_9")
    assert len(script.requests) == 1
    with installation.container.store.writing() as tx:
        tx.billing.ledger.block("x", None, None)
    assert {report.outcome for report in installation.poll()} == {"unchanged"}
    capped[0] = True
    time.passes(minutes=5)
    installation.poll()
    capped[0] = False
    time.now = time.now.replace(day=1, month=6)
    assert {report.outcome for report in installation.poll()} == {"unchanged"}


def test_x_13_a_daily_cap_ends_with_the_day(fake: FakeX, follower: Follower, time: Time) -> None:
    replies = [Reply({**CAPPED, "period": "Daily"}, 429)]
    installation, script = following(follower, fake, lambda *_: replies[-1])
    installation.poll()
    time.now = time.now.replace(hour=23, minute=50)
    installation.poll()
    assert len(script.requests) == 1
    replies.append(Reply(NOTHING))
    time.passes(minutes=11)
    installation.poll()
    assert len(script.requests) == 2
    assert installation.source("desk-1").poll.last_success == time.now
