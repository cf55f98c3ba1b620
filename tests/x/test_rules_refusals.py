"""Test requirements 10, 14, 16 and 20: consequences of X's error responses, and the safety of its token."""

from __future__ import annotations

import json
import logging
import threading
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.errors import AccountError
from aggregator.domain.polling.schedule import LOOK_AFTER
from aggregator.domain.source import SourceState
from aggregator.sources.twitter import plugin as kind_module
from tests.building import due_of
from tests.x.asking import answering, following, timelines
from tests.x.following import START
from tests.x.scripted import NOTHING, Reply, Script, page, post

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.sources.twitter.fake_x import FakeX
    from tests.x.following import Following, Time
    from tests.x.scripted import Asked

    Follower = Callable[..., Following]


# 14: refusals


PROBLEMS = "https://api.x.com/2/problems"
REFUSED = {"title": "No", "type": "about:blank", "detail": "not for you"}


@pytest.mark.parametrize(
    ("status", "code"), [(401, "credentials"), (403, "not-allowed")], ids=["unauthorized", "forbidden"]
)
def test_x_14_a_refusal_is_shared_and_one_call_an_hour_tries_again(
    fake: FakeX, follower: Follower, time: Time, status: int, code: str
) -> None:
    replies = [Reply(REFUSED, status)]
    installation, script = following(follower, fake, lambda *_: replies[-1], accounts=5)
    installation.poll()
    installation.beside().poll()  # another process knows it, too
    assert len(script.requests) == 1
    sources = [installation.source(f"desk-{number}") for number in range(1, 6)]
    assert {(source.state, source.poll.last_error_code) for source in sources} == {(SourceState.ACTIVE, code)}
    assert all("not for you" in str(source.poll.last_error) for source in sources)
    for _ in range(6):  # hours
        time.passes(hours=1, minutes=1)
        installation.tick()
    assert 6 <= len(script.requests) <= 7
    replies.append(Reply(NOTHING))
    time.passes(hours=1, minutes=1)
    script.requests.clear()
    installation.poll("desk-3")
    assert installation.tick() == 4  # all others are due at once
    assert len(script.requests) == 5
    assert all(installation.source(f"desk-{number}").poll.failures == 0 for number in range(1, 6))


def test_x_14_a_new_token_is_used_at_once(fake: FakeX, follower: Follower, time: Time) -> None:
    installation, script = following(follower, fake, lambda *_: Reply(REFUSED, 401), accounts=3)
    installation.tick()
    assert len(script.requests) == 1
    Script(fake, answering(lambda *_: NOTHING))
    renewed = installation.beside(x_bearer_token="the-new-token")
    time.passes(seconds=10)
    installation.container.profiles.run()  # a process that still has the former token
    assert renewed.tick() == 0
    renewed.container.profiles.run()
    time.passes(seconds=10)
    assert renewed.tick() == 3
    assert all(renewed.source(f"desk-{number}").poll.last_success == time.now for number in (1, 2, 3))
    time.passes(seconds=10)
    renewed.container.profiles.run()
    assert renewed.tick() == 0  # the change of the token counts once
    renewed.container.notifier.attend()
    with renewed.container.store.reading() as tx:
        assert not any(refusal.stops_polls for refusal in tx.api.refusals.all())
        assert tx.monitoring.alerts.open() == []


def test_x_14_a_missing_token_stops_nothing(fake: FakeX, follower: Follower, time: Time) -> None:
    installation, script = following(follower, fake, lambda *_: NOTHING, accounts=2)
    without = installation.beside(x_bearer_token="")
    without.tick()
    assert without.source("desk-1").poll.last_error_code == "credentials"
    time.passes(seconds=10)
    without.container.profiles.run()
    assert installation.tick() == 0
    installation.container.profiles.run()
    time.passes(seconds=10)
    assert installation.tick() == 2
    assert len(timelines(script)) == 2


@pytest.mark.parametrize("status", [401, 403], ids=["unauthorized", "forbidden"])
def test_x_14_the_page_of_a_cdn_is_an_outage(fake: FakeX, follower: Follower, time: Time, status: int) -> None:
    replies = [Reply(b"<html><title>Just a moment...</title></html>", status)]
    installation, script = following(follower, fake, lambda *_: replies[-1])
    installation.poll()
    source = installation.source("desk-1")
    assert (source.state, source.poll.last_error_code) == (SourceState.ACTIVE, "http-status")
    replies.append(Reply(page(post(5))))
    time.now = due_of(source)
    installation.tick()
    assert installation.ids() == ["5"]
    assert len(script.requests) == 2


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        ({"type": f"{PROBLEMS}/resource-not-found", "detail": "User has been suspended."}, "suspended"),
        ({"type": f"{PROBLEMS}/not-authorized-for-resource", "detail": "Not authorized."}, "protected"),
    ],
    ids=["suspended", "protected"],
)
def test_x_14_an_account_that_returns_is_read_again(
    fake: FakeX, follower: Follower, time: Time, problem: dict[str, str], code: str
) -> None:
    replies: list[dict[str, Any]] = [{"errors": [problem]}]
    installation, script = following(follower, fake, lambda *_: replies[-1])
    for day in range(1, 12):
        before = time.now
        installation.tick()
        source = installation.source("desk-1")
        assert (source.state, source.poll.last_error_code) == (SourceState.ACTIVE, f"account-{code}")
        assert timedelta(days=1) <= due_of(source) - before <= timedelta(days=1.1)
        assert len(script.requests) == day
        time.now = due_of(source)
    replies.append(page(post(5)))
    installation.tick()
    assert installation.ids() == ["5"]


def test_x_14_a_403_about_an_account_is_that_accounts(fake: FakeX, follower: Follower) -> None:
    problem = {"type": f"{PROBLEMS}/not-authorized-for-resource", "title": "No", "detail": "No."}
    answers = {"1": Reply(problem, 403)}
    installation, _ = following(
        follower, fake, lambda path, _: answers.get(path.split("/")[3], Reply(page(post(7, 2)))), accounts=2
    )
    installation.poll()
    assert installation.source("desk-1").poll.last_error_code == "account-protected"
    assert installation.ids() == ["7"]


def test_x_14_one_alert_tells_of_a_refusal(fake: FakeX, follower: Follower, time: Time) -> None:
    installation, _ = following(follower, fake, lambda *_: Reply(REFUSED, 401), accounts=3)
    installation.poll()
    installation.container.notifier.attend()
    with installation.container.store.reading() as tx:
        [alert] = tx.monitoring.alerts.open()
    assert alert.kind == "calls-refused"
    assert "AGGREGATOR_X_BEARER_TOKEN" in alert.sentence
    Script(fake, answering(lambda *_: NOTHING))
    time.passes(hours=2)
    installation.poll()
    installation.container.notifier.attend()
    with installation.container.store.reading() as tx:
        assert tx.monitoring.alerts.open() == []


def test_x_14_a_refused_token_is_not_tried_for_the_rest_of_a_batch(fake: FakeX, follower: Follower) -> None:
    installation, script = following(follower, fake, lambda *_: Reply({}, 401), accounts=5)
    installation.poll()
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"<html>over capacity</html>", 503),
        pytest.param(Reply(b"<html>hello</html>"), marks=pytest.mark.slow),
        pytest.param(Reply(b'{"data": ['), marks=pytest.mark.slow),
        Reply([1]),
    ],
)
def test_x_14_what_passes_is_tried_again_ever_more_seldom(
    fake: FakeX, follower: Follower, time: Time, reply: Reply
) -> None:
    replies = [reply]
    installation, script = following(follower, fake, lambda *_: replies[0])
    waits = []
    for _ in range(8):
        installation.poll()
        source = installation.source("desk-1")
        assert source.state is SourceState.ACTIVE
        waits.append(due_of(source) - time.now)
        time.now = due_of(source)
    assert waits == sorted(waits)
    assert waits[-1] > waits[0]
    assert len(script.requests) == 8
    replies[0] = Reply(page(post(5)))
    installation.poll()
    assert (installation.source("desk-1").poll.failures, installation.ids()) == (0, ["5"])


def test_x_14_errors_without_posts_are_a_failure_of_that_account_alone(fake: FakeX, follower: Follower) -> None:
    problems = {
        "1": {"type": "https://api.twitter.com/2/problems/resource-not-found", "detail": "Could not find user."},
        "2": {"type": "https://api.twitter.com/2/problems/resource-not-found", "detail": "User has been suspended."},
        "3": {"type": "https://api.twitter.com/2/problems/not-authorized-for-resource", "detail": "Not authorized."},
    }

    def timeline(path: str, _: Asked) -> dict[str, Any]:
        number = path.split("/")[3]
        return {"errors": [problems[number]]} if number in problems else page(post(7, 4))

    installation, _ = following(follower, fake, timeline, accounts=4)
    installation.poll()
    assert [installation.source(f"desk-{n}").poll.last_error_code for n in (1, 2, 3, 4)] == [
        "account-missing",
        "account-suspended",
        "account-protected",
        None,
    ]
    assert installation.ids() == ["7"]


def test_x_14_when_x_is_away_the_rest_of_a_batch_is_not_asked(fake: FakeX, follower: Follower) -> None:
    installation, script = following(follower, fake, lambda *_: Reply(b"", 503), accounts=9)
    installation.poll()
    assert len(script.requests) == kind_module.MOST_OUTAGES
    codes = [installation.source(f"desk-{n}").poll.last_error_code for n in range(1, 10)]
    assert (codes.count("http-status"), codes.count("host-paused")) == (3, 6)


# 13: credits

DEPLETED = {"title": "CreditsDepleted", "type": f"{PROBLEMS}/credits", "detail": "No credits are left."}


def test_x_13_used_up_credits_are_tried_after_minutes_then_hours(fake: FakeX, follower: Follower, time: Time) -> None:
    replies = [Reply(DEPLETED, 402)]
    installation, script = following(follower, fake, lambda *_: replies[-1], accounts=3)
    other = installation.beside()
    calls: list[datetime] = []
    for _ in range(12 * 24):  # a day
        before = len(script.requests)
        installation.tick()
        other.tick()
        calls += [time.now] * (len(script.requests) - before)
        time.passes(minutes=5)
    gaps = [later - earlier for earlier, later in pairwise(calls)]
    assert len(calls) == len(set(calls)) <= 12  # never two at once
    assert gaps[0] <= timedelta(minutes=15)
    assert timedelta(hours=2) < gaps[-1] <= timedelta(hours=8)
    source = installation.source("desk-1")
    assert (source.state, source.poll.last_error_code) == (SourceState.ACTIVE, "credits")
    assert "No credits are left" in str(source.poll.last_error)
    replies.append(Reply(NOTHING))
    time.passes(hours=8)
    script.requests.clear()
    while installation.tick():
        pass
    assert len(script.requests) == 3


def test_x_13_after_buying_credits_a_command_tries_at_once(fake: FakeX, follower: Follower) -> None:
    installation, script = following(follower, fake, lambda *_: Reply(DEPLETED, 402), accounts=2)
    installation.poll()
    Script(fake, answering(lambda *_: NOTHING))
    now = installation.time.now
    with installation.container.store.writing() as tx:
        tx.api.refusals.probe_now(["x"], now)
        assert tx.polling.schedule.wake(("credits",), now) == 2
    assert installation.tick() == 2
    assert installation.source("desk-2").poll.last_success == now
    assert len(script.requests) == 1


# 16: one at a time


def test_x_16_two_runs_for_one_account_do_not_both_call(fake: FakeX, follower: Follower) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def timeline(*_: Any) -> dict[str, Any]:
        inside.set()
        go_on.wait(10)
        return page(post(5))

    installation, script = following(follower, fake, timeline)
    first = threading.Thread(target=installation.poll)
    first.start()
    assert inside.wait(10)
    other = installation.beside()
    assert other.poll() == []  # the first one holds it
    assert other.tick() == 0
    go_on.set()
    first.join()
    assert len(timelines(script)) == 1


def test_x_16_missed_beats_cause_no_burst(fake: FakeX, follower: Follower, time: Time) -> None:
    installation, script = following(follower, fake, lambda *_: NOTHING)
    installation.tick()
    time.passes(days=2)
    installation.tick()
    installation.tick()
    assert len(timelines(script)) == 2


# 20: the token


def test_x_20_the_token_is_nowhere(fake: FakeX, follower: Follower, caplog: pytest.LogCaptureFixture) -> None:
    token = "AAAAsecret%3Dtoken7f3a"
    caplog.set_level(logging.DEBUG)
    for name in ("tweepy", "urllib3", "requests", "aggregator"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    replies = [Reply(page(post(5, words=f"My token is {token}"))), Reply({"detail": f"Bad token {token}"}, 403)]
    installation, script = following(
        follower, fake, lambda *_: replies[min(len(timelines(script)), 2) - 1], x_bearer_token=token
    )
    installation.poll()
    installation.poll()
    assert len(timelines(script)) == 2
    assert token not in caplog.text
    tables = installation.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    rows = {table[0]: str(installation.rows(f'SELECT * FROM "{table[0]}"')) for table in tables}
    assert [name for name, rows in rows.items() if token in rows] == []
    assert token not in repr(installation.container.settings)
    assert issubclass(AccountError, Exception)
    assert json.dumps(installation.note("desk-1")).find(token) == -1


def test_x_10_a_poll_follows_when_nothing_can_be_edited_any_more(fake: FakeX, follower: Follower, time: Time) -> None:
    until = START + timedelta(minutes=30)
    controls = {
        "edits_remaining": 5,
        "is_edit_eligible": True,
        "editable_until": until.isoformat().replace("+00:00", ".000Z"),
    }
    pages = [page(post(5, edit_controls=controls)), NOTHING]
    installation, script = following(follower, fake, lambda *_: pages[min(len(timelines(script)), 2) - 1])
    installation.poll()
    assert installation.source("desk-1").poll.due == until + LOOK_AFTER
    assert "may change until" in installation.source("desk-1").poll.due_reason
    time.now = due_of(installation.source("desk-1"))
    assert installation.tick() == 1
    assert installation.source("desk-1").poll.due_reason.startswith("adaptive")
