"""Requirements 2, 4, 8, 11 to 14, 16 and 20: how X is asked, and what becomes of each refusal."""

from __future__ import annotations

import json
import logging
import threading
import time as clock
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.errors import AccountError
from aggregator.domain.polling.schedule import LOOK_AFTER
from aggregator.domain.source import SourceState
from aggregator.sources.twitter import plugin as kind_module
from aggregator.sources.twitter.read_budget import FIRST_RUN, PAGE, PAGES
from tests.building import due_of
from tests.x.following import START
from tests.x.scripted import NOTHING, Reply, Script, account, page, post

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.fake_x import FakeX
    from tests.x.following import Following, Time
    from tests.x.scripted import Answers, Asked

    Follower = Callable[..., Following]

TIMELINE = "/2/users/1/tweets"
CAPPED = {
    "title": "UsageCapExceeded",
    "type": "https://api.twitter.com/2/problems/usage-capped",
    "detail": "Cap reached",
}


def answering(timeline: Answers) -> Answers:
    """Answer lookups as X does, and timelines by a function."""

    def answers(path: str, asked: Asked) -> Reply | dict[str, Any]:
        if path.startswith("/2/users/by/username/"):
            handle = path.rpartition("/")[2]
            return {"data": account(int(handle.rpartition("_")[2]) if handle[-1].isdigit() else 1, handle)}
        if path == "/2/users":
            return {"data": [account(int(id_)) for id_ in asked["ids"].split(",")]}
        return timeline(path, asked)

    return answers


def following(
    follower: Follower, fake: FakeX, timeline: Answers, accounts: int = 1, **settings: str
) -> tuple[Following, Script]:
    script = Script(fake, answering(timeline))
    one = follower(fake.url, **settings)
    one.follow(*(f"@desk_{number}" for number in range(1, accounts + 1)))
    script.asked.clear()
    return one, script


def timelines(script: Script) -> list[dict[str, str]]:
    return [asked for path, asked in script.asked if path.endswith("/tweets")]


# 2 and 4: what is read


def test_x_02_the_first_poll_is_bounded_and_later_ones_ask_for_what_is_new(fake: FakeX, follower: Follower) -> None:
    pages = [page(post(20), post(10), token="more"), page(post(30)), NOTHING]
    one, script = following(follower, fake, lambda *_: pages[min(len(timelines(script)), 3) - 1])
    for _ in range(3):
        one.poll()
    assert [(asked["max_results"], asked.get("since_id")) for asked in timelines(script)] == [
        (str(FIRST_RUN), None),
        (str(PAGE), "20"),
        (str(PAGE), "30"),
    ]
    assert one.ids() == ["10", "20", "30"]


def test_x_02_a_crash_between_pages_loses_nothing_and_repeats_nothing(
    fake: FakeX, follower: Follower, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts = [post(number) for number in range(1, 251)]

    def timeline(_: str, asked: Asked) -> dict[str, Any]:
        since, until = int(asked.get("since_id", 0)), int(asked.get("pagination_token", 10**18))
        found = [one for one in reversed(posts) if since < int(one["id"]) < until][: int(asked["max_results"])]
        token = found[-1]["id"] if found and int(found[-1]["id"]) > since + 1 else None
        return page(*found, token=token)

    posts, rest = posts[:5], posts
    one, _ = following(follower, fake, timeline)
    one.poll()
    posts = rest
    with monkeypatch.context() as dying:
        dying.setattr("aggregator.services.ingest.Ingest._store_result", _die)
        with pytest.raises(_DiedError):
            one.poll()
    time.passes(hours=1)  # the dead worker's lease is over
    one.beside().poll()
    assert one.ids() == [str(number) for number in range(1, 251)]
    assert one.rows("SELECT count(*) FROM activity")[0][0] == 250
    assert one.ledger()[1] == 250  # read twice on one day, billed once


class _DiedError(BaseException):
    pass


def _die(*_: object) -> None:
    raise _DiedError


def test_x_04_a_page_budget_leaves_a_place_to_go_on_from(fake: FakeX, follower: Follower) -> None:
    held = [*range(1, 6)]

    def timeline(_: str, asked: Asked) -> dict[str, Any]:
        since, until = int(asked.get("since_id", 0)), int(asked.get("until_id", 10**18))
        until = min(until, int(asked.get("pagination_token", 10**18)))
        found = [number for number in reversed(held) if since < number < until]
        cut = found[: int(asked["max_results"])]
        return page(*map(post, cut), token=str(cut[-1]) if len(found) > len(cut) else None)

    one, script = following(follower, fake, timeline)
    one.poll()
    held += range(6, 6 + 2 * PAGES * PAGE)
    script.asked.clear()
    one.poll()
    assert len(timelines(script)) == PAGES
    one.poll()
    one.poll()
    assert one.ids() == [str(number) for number in held]
    assert one.source("desk-1").poll.fetch_state == {"since_id": str(held[-1])}
    assert one.ledger()[1] == len(held)  # nothing was read twice


# 8: both vocabularies


def test_x_08_the_vocabulary_of_requests_is_one_setting(fake: FakeX, follower: Follower) -> None:
    one, script = following(follower, fake, lambda *_: NOTHING)
    one.poll()
    older = timelines(script)[-1]
    [said] = one.beside(x_vocabulary="posts").poll()
    assert said.error is None
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
    one, _ = following(follower, fake, lambda *_: Reply(refusal, 400))
    [report] = one.poll()
    assert "X's API has changed" in str(report.error)
    assert "AGGREGATOR_X_VOCABULARY" in str(report.error)
    assert one.source("desk-1").poll.last_error_code == "api-changed"
    assert one.source("desk-1").state is SourceState.ACTIVE


def test_x_21_a_refused_expansion_is_left_out(fake: FakeX, follower: Follower) -> None:
    def timeline(_: str, asked: Asked) -> Reply | dict[str, Any]:
        if "attachments.media_keys" in asked["expansions"].split(","):
            message = "The `expansions` query parameter value [attachments.media_keys] is not one of [author_id]"
            return Reply({"errors": [{"parameters": {"expansions": [asked["expansions"]]}, "message": message}]}, 400)
        return page(post(5))

    one, script = following(follower, fake, timeline)
    one.poll()
    assert one.ids() == ["5"]
    assert len(timelines(script)) == 2
    one.poll()
    assert len(timelines(script)) == 3  # remembered


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

    one, _ = following(follower, fake, lambda *_: NOTHING)
    fake.body = misbehaves
    began = clock.monotonic()
    [report] = one.poll()
    stop.set()
    assert clock.monotonic() - began < 60
    assert report.outcome == "failed"
    assert (
        one.source("desk-1").poll.last_error_code
        == {"hangs": "too-slow", "drips": "too-slow", "endless": "too-large"}[fault]
    )


# 12: nobody sleeps


def limit(reset: int | None = None, remaining: int | None = None) -> dict[str, str]:
    told = {"x-rate-limit-reset": reset, "x-rate-limit-remaining": remaining}
    return {name: str(value) for name, value in told.items() if value is not None}


def test_x_12_a_rate_limit_holds_for_all_workers_for_one_endpoint_and_one_token(
    fake: FakeX, follower: Follower, time: Time
) -> None:
    until = START + timedelta(minutes=7)
    refusing = [True]
    one, script = following(
        follower,
        fake,
        lambda *_: (
            Reply({"title": "Too Many Requests"}, 429, limit(int(until.timestamp()))) if refusing[0] else NOTHING
        ),
        accounts=2,
    )
    began = clock.monotonic()
    assert {report.error.partition(";")[0] for report in one.poll() if report.error}
    assert clock.monotonic() - began < 60  # the limit lasts for seven minutes
    assert len(timelines(script)) == 1  # the second account of the batch was not even asked
    refusing[0] = False
    one.beside().poll()
    assert len(timelines(script)) == 1  # nor by another worker
    for slug in ("desk-1", "desk-2"):
        held = one.source(slug)
        assert (held.poll.failures, held.poll.last_error_code) == (0, "host-paused")
        assert due_of(held) >= until
    one.follow("@desk_3")  # another endpoint
    one.beside(x_bearer_token="another").poll("desk-1")
    assert len(timelines(script)) == 2  # another token
    time.now = until
    assert [report.outcome for report in one.poll("desk-2")] == ["unchanged"]


def test_x_12_without_a_reset_each_pause_is_longer_with_jitter_and_a_cap(
    fake: FakeX, follower: Follower, time: Time
) -> None:
    one, script = following(follower, fake, lambda *_: Reply({"title": "Too Many Requests"}, 429))
    pauses = []
    for _ in range(9):
        one.poll()
        [row] = one.rows("SELECT paused_until FROM host WHERE paused_until IS NOT NULL AND name LIKE '%tweets@%'")
        with one.container.store.reading() as tx:
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
    one, script = following(
        follower, fake, lambda *_: Reply(page(post(5)), headers=limit(int(until.timestamp()), 0)), accounts=2
    )
    one.poll()
    assert len(timelines(script)) == 1
    assert one.ids() == ["5"]


# 13: caps


@pytest.mark.parametrize(("status", "body"), [(429, CAPPED), (402, {"title": "Payment Required"})])
def test_x_13_a_cap_stops_all_calls_until_the_next_cycle_or_an_operator(
    fake: FakeX, follower: Follower, time: Time, status: int, body: dict[str, str]
) -> None:
    capped = [True]
    one, script = following(follower, fake, lambda *_: Reply(body, status) if capped[0] else NOTHING, accounts=3)
    one.poll()
    assert len(script.asked) == 1
    for number in (1, 2, 3):
        held = one.source(f"desk-{number}")
        assert (held.state, held.poll.failures, held.poll.last_error_code) == (SourceState.ACTIVE, 0, "cap-reached")
    capped[0] = False
    time.passes(days=3)
    one.beside().poll()
    with pytest.raises(Exception, match="usage cap"):
        one.follow("@desk_9")
    assert len(script.asked) == 1
    with one.container.store.writing() as tx:
        tx.billing.ledger.block("x", None, None)
    assert {report.outcome for report in one.poll()} == {"unchanged"}
    capped[0] = True
    time.passes(minutes=5)
    one.poll()
    capped[0] = False
    time.now = time.now.replace(day=1, month=6)
    assert {report.outcome for report in one.poll()} == {"unchanged"}


# 14: refusals


@pytest.mark.parametrize(("status", "code"), [(401, "credentials"), (403, "not-allowed")])
def test_x_14_a_refusal_stops_the_source_after_one_try(fake: FakeX, follower: Follower, status: int, code: str) -> None:
    one, script = following(follower, fake, lambda *_: Reply({"title": "No", "detail": "not for you"}, status))
    one.poll()
    held = one.source("desk-1")
    assert (held.state, held.poll.last_error_code) == (SourceState.STOPPED, code)
    assert "not for you" in held.state_reason
    one.poll()
    assert len(script.asked) == 1


def test_x_14_a_refused_token_is_not_tried_for_the_rest_of_a_batch(fake: FakeX, follower: Follower) -> None:
    one, script = following(follower, fake, lambda *_: Reply({}, 401), accounts=5)
    one.poll()
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    "reply", [Reply(b"<html>over capacity</html>", 503), Reply(b"<html>hello</html>"), Reply(b'{"data": ['), Reply([1])]
)
def test_x_14_what_passes_is_tried_again_ever_more_seldom(
    fake: FakeX, follower: Follower, time: Time, reply: Reply
) -> None:
    replies = [reply]
    one, script = following(follower, fake, lambda *_: replies[0])
    waits = []
    for _ in range(8):
        one.poll()
        held = one.source("desk-1")
        assert held.state is SourceState.ACTIVE
        waits.append(due_of(held) - time.now)
        time.now = due_of(held)
    assert waits == sorted(waits)
    assert waits[-1] > waits[0]
    assert len(script.asked) == 8
    replies[0] = Reply(page(post(5)))
    one.poll()
    assert (one.source("desk-1").poll.failures, one.ids()) == (0, ["5"])


def test_x_14_errors_without_posts_are_a_failure_of_that_account_alone(fake: FakeX, follower: Follower) -> None:
    problems = {
        "1": {"type": "https://api.twitter.com/2/problems/resource-not-found", "detail": "Could not find user."},
        "2": {"type": "https://api.twitter.com/2/problems/resource-not-found", "detail": "User has been suspended."},
        "3": {"type": "https://api.twitter.com/2/problems/not-authorized-for-resource", "detail": "Not authorized."},
    }

    def timeline(path: str, _: Asked) -> dict[str, Any]:
        number = path.split("/")[3]
        return {"errors": [problems[number]]} if number in problems else page(post(7, 4))

    one, _ = following(follower, fake, timeline, accounts=4)
    one.poll()
    assert [one.source(f"desk-{n}").poll.last_error_code for n in (1, 2, 3, 4)] == [
        "account-missing",
        "account-suspended",
        "account-protected",
        None,
    ]
    assert one.ids() == ["7"]


def test_x_14_when_x_is_away_the_rest_of_a_batch_is_not_asked(fake: FakeX, follower: Follower) -> None:
    one, script = following(follower, fake, lambda *_: Reply(b"", 503), accounts=9)
    one.poll()
    assert len(script.asked) == kind_module.MOST_TROUBLES
    codes = [one.source(f"desk-{n}").poll.last_error_code for n in range(1, 10)]
    assert (codes.count("http-status"), codes.count("host-paused")) == (3, 6)


# 16: one at a time


def test_x_16_two_runs_for_one_account_do_not_both_call(fake: FakeX, follower: Follower) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def timeline(*_: Any) -> dict[str, Any]:
        inside.set()
        go_on.wait(10)
        return page(post(5))

    one, script = following(follower, fake, timeline)
    first = threading.Thread(target=one.poll)
    first.start()
    assert inside.wait(10)
    other = one.beside()
    assert other.poll() == []  # the first one holds it
    assert other.tick() == 0
    go_on.set()
    first.join()
    assert len(timelines(script)) == 1


def test_x_16_missed_beats_cause_no_burst(fake: FakeX, follower: Follower, time: Time) -> None:
    one, script = following(follower, fake, lambda *_: NOTHING)
    one.tick()
    time.passes(days=2)
    one.tick()
    one.tick()
    assert len(timelines(script)) == 2


# 20: the token


def test_x_20_the_token_is_nowhere(fake: FakeX, follower: Follower, caplog: pytest.LogCaptureFixture) -> None:
    token = "AAAAsecret%3Dtoken7f3a"
    caplog.set_level(logging.DEBUG)
    for name in ("tweepy", "urllib3", "requests", "aggregator"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    replies = [Reply(page(post(5, words=f"My token is {token}"))), Reply({"detail": f"Bad token {token}"}, 403)]
    one, script = following(
        follower, fake, lambda *_: replies[min(len(timelines(script)), 2) - 1], x_bearer_token=token
    )
    one.poll()
    one.poll()
    assert len(timelines(script)) == 2
    assert token not in caplog.text
    tables = one.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    held = {table[0]: str(one.rows(f'SELECT * FROM "{table[0]}"')) for table in tables}
    assert [name for name, rows in held.items() if token in rows] == []
    assert token not in repr(one.container.settings)
    assert issubclass(AccountError, Exception)
    assert json.dumps(one.note("desk-1")).find(token) == -1


def test_x_10_a_poll_follows_when_nothing_can_be_edited_any_more(fake: FakeX, follower: Follower, time: Time) -> None:
    until = START + timedelta(minutes=30)
    controls = {
        "edits_remaining": 5,
        "is_edit_eligible": True,
        "editable_until": until.isoformat().replace("+00:00", ".000Z"),
    }
    pages = [page(post(5, edit_controls=controls)), NOTHING]
    one, script = following(follower, fake, lambda *_: pages[min(len(timelines(script)), 2) - 1])
    one.poll()
    assert one.source("desk-1").poll.due == until + LOOK_AFTER
    assert "may change until" in one.source("desk-1").poll.due_reason
    time.now = due_of(one.source("desk-1"))
    assert one.tick() == 1
    assert one.source("desk-1").poll.due_reason.startswith("its rhythm")
