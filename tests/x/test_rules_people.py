"""Test requirements 1, 15 and 22: profiles, their cost, and the state of accounts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.cli.budget import View, metered_service
from aggregator.domain.source import SourceState
from aggregator.services.subscribe import Subscription
from tests.building import due_of
from tests.x.scripted import NOTHING, Reply, Script, account, page, post

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sources.twitter.fake_x import FakeX
    from tests.x.following import Following, Time
    from tests.x.scripted import Asked

    Follower = Callable[..., Following]


class Directory:
    """An X with a few accounts, and one timeline."""

    def __init__(self, fake: FakeX) -> None:
        self.people = {1: "desk_example"}
        self.pages: list[dict[str, Any]] = []
        self.script = Script(fake, self.answer)

    def answer(self, path: str, query: Asked) -> Reply | dict[str, Any]:
        if path.startswith("/2/users/by/username/"):
            handle = path.rpartition("/")[2].casefold()
            found = [account(id_, name) for id_, name in self.people.items() if name.casefold() == handle]
            missing = {"type": "https://api.twitter.com/2/problems/resource-not-found", "detail": f"No [{handle}]."}
            return {"data": found[0]} if found else {"errors": [missing]}
        if path == "/2/users":
            ids = [int(id_) for id_ in query["ids"].split(",")]
            return {"data": [account(id_, self.people[id_]) for id_ in ids if id_ in self.people]}
        return self.pages.pop(0) if self.pages else NOTHING

    def count(self, path: str) -> int:
        return sum(requested == path for requested in self.script.paths)


def names(installation: Following) -> dict[str, tuple[str, str]]:
    return {row[0]: (row[1], row[2]) for row in installation.rows("SELECT native_id, name, handle FROM actor")}


def test_x_01_a_handle_is_resolved_once_and_polled_by_its_id(fake: FakeX, follower: Follower, time: Time) -> None:
    directory = Directory(fake)
    installation = follower(fake.url)
    [added] = installation.follow("@Desk_Example")
    assert (added.address, added.options) == ("@desk_example", {"user_id": "1"})
    for _ in range(3):
        time.passes(hours=1)
        installation.poll()
    assert directory.script.paths == ["/2/users/by/username/Desk_Example", *["/2/users/1/tweets"] * 3]


def test_x_01_a_list_of_handles_is_looked_up_together(fake: FakeX, follower: Follower) -> None:
    directory = Directory(fake)
    directory.people |= {number: f"desk_{number}" for number in range(2, 121)}
    usual = directory.answer

    def answer(path: str, query: Asked) -> Reply | dict[str, Any]:
        if path != "/2/users/by":
            return usual(path, query)
        names = query["usernames"].split(",")
        there = {name.casefold(): account(id_, name) for id_, name in directory.people.items()}
        missing = {"type": "https://api.twitter.com/2/problems/resource-not-found", "detail": "Could not find user."}
        return {
            "data": [there[name.casefold()] for name in names if name.casefold() in there],
            "errors": [{**missing, "value": name} for name in names if name.casefold() not in there],
        }

    directory.script = Script(fake, answer)
    installation = follower(fake.url)
    outcomes: dict[str, str] = {}
    handles = [*(f"@desk_{number}" for number in range(2, 121)), "@nobody_here", "@Desk_Example"]
    installation.container.subscribe_all(
        handles, Subscription(), lambda address, outcome: outcomes.update({address: str(outcome)})
    )
    assert directory.script.paths == ["/2/users/by", "/2/users/by"]
    assert "X has no account @nobody_here" in outcomes["@nobody_here"]
    with installation.container.store.reading() as tx:
        assert tx.polling.sources.count() == 120
    assert installation.source("desk-77").options == {"user_id": "77"}


def test_x_01_a_renamed_account_keeps_its_stream_and_a_handle_that_is_taken_over_is_reported(
    fake: FakeX, follower: Follower, time: Time
) -> None:
    directory = Directory(fake)
    directory.pages = [page(post(5))]
    installation = follower(fake.url)
    installation.follow("@desk_example")
    installation.poll()
    assert names(installation) == {"1": ("Desk_Example", "desk_example")}
    directory.people = {1: "new_desk", 2: "desk_example"}
    directory.pages = [page(post(6))]
    time.passes(days=8)
    installation.poll()
    source = installation.source("desk-example")
    assert (source.address, source.options, source.state) == ("@new_desk", {"user_id": "1"}, SourceState.ACTIVE)
    assert names(installation)["1"] == ("New_Desk", "new_desk")
    with installation.container.store.reading() as tx:
        [former] = tx.polling.sources.former_addresses(source.id)
    assert former.reason == "its owner renamed it; @desk_example belongs to another account now, which is not followed"
    assert installation.ids() == ["5", "6"]
    assert {path for path in directory.script.paths if path.endswith("/tweets")} == {"/2/users/1/tweets"}


def test_x_15_people_are_asked_for_together_and_seldom(fake: FakeX, follower: Follower, time: Time) -> None:
    directory = Directory(fake)
    directory.people |= {number: f"author_{number}" for number in range(100, 260)}
    reposts = [
        post(1000 + number, referenced_tweets=[{"type": "retweeted", "id": str(number)}]) for number in range(100, 140)
    ]
    originals = [post(number, number) for number in range(100, 140)]
    directory.pages = [page(*reversed(reposts), tweets=originals)]
    installation = follower(fake.url)
    installation.follow("@desk_example")
    installation.poll()
    assert directory.count("/2/users") == 1  # the account itself and forty authors
    assert names(installation)["139"] == ("Author_139", "author_139")
    shown = installation.items()[0]
    assert shown.object is not None
    assert shown.object.content.actor is not None
    assert shown.object.content.actor.name == "Author_139"
    assert installation.ledger() == (3, 80, 41, 80 * 0.005 + 41 * 0.01)  # the account was billed when it was looked up
    for _ in range(6):
        time.passes(days=1)
        directory.pages = [page(post(2000 + time.now.day))]
        installation.poll()
    assert directory.count("/2/users") == 1
    time.passes(days=2)
    installation.container.profiles.run()
    assert directory.count("/2/users") == 2
    assert installation.ledger()[2] == 42  # whom we follow; all others only every four weeks
    time.passes(days=21)
    installation.container.profiles.run()
    assert installation.ledger()[2] == 42 + 41


def test_x_15_somebody_who_is_gone_is_not_asked_for_again_and_again(
    fake: FakeX, follower: Follower, time: Time
) -> None:
    directory = Directory(fake)
    directory.pages = [page(post(5, 77))]
    installation = follower(fake.url)
    installation.follow("@desk_example")
    installation.poll()
    for _ in range(5):
        time.passes(hours=1)
        installation.container.profiles.run()
    assert directory.count("/2/users") == 1
    assert names(installation)["77"][0] == "X user 77"


def test_x_15_what_others_say_of_somebody_replaces_nothing(fake: FakeX, follower: Follower, time: Time) -> None:
    directory = Directory(fake)
    directory.people[7] = "somebody"
    mention: Any = {"mentions": [{"start": 3, "end": 12, "username": "Some_Body", "id": "7"}]}
    repost: dict[str, Any] = {"referenced_tweets": [{"type": "retweeted", "id": "4"}], "entities": mention}
    directory.pages = [page(post(5, **repost), tweets=[post(4, 7)])]
    installation = follower(fake.url)
    installation.follow("@desk_example")
    installation.poll()
    assert names(installation)["7"] == ("Somebody", "somebody")
    directory.pages = [page(post(6, **repost), tweets=[post(4, 7)])]
    time.passes(hours=1)
    installation.poll()
    assert names(installation)["7"] == ("Somebody", "somebody")


def test_x_15_a_call_that_would_pass_the_budget_is_not_made(fake: FakeX, follower: Follower, time: Time) -> None:
    directory = Directory(fake)
    installation = follower(fake.url, x_budget="0.03", x_reserve="0")
    installation.follow("@desk_example")
    assert installation.ledger()[3] == 0.01
    [report] = installation.poll()
    assert "The budget for X is used up" in str(report.error)
    source = installation.source("desk-example")
    assert (source.poll.failures, source.poll.last_error_code) == (0, "budget")
    assert due_of(source) <= time.now + timedelta(hours=2)
    assert directory.count("/2/users/1/tweets") == 0


def test_x_15_the_ledger_is_compared_with_x_s_own_count(fake: FakeX, follower: Follower, time: Time) -> None:
    directory = Directory(fake)
    usual = directory.answer

    def answer(path: str, query: Asked) -> Reply | dict[str, Any]:
        if path == "/2/usage/tweets":
            return {"data": {"project_usage": "1234", "project_cap": "3000000"}}
        return usual(path, query)

    directory.script = Script(fake, answer)
    installation = follower(fake.url)
    installation.container.profiles.run()
    installation.container.profiles.run()
    assert directory.count("/2/usage/tweets") == 1
    with installation.container.store.reading() as tx:
        assert tx.billing.ledger.reported("x") == (1234, time.now)


def _with_credits(fake: FakeX, directory: Directory, balance: Any) -> None:
    usual = directory.answer

    def answer(path: str, query: Asked) -> Reply | dict[str, Any]:
        if path == "/2/usage/credits":
            return balance if isinstance(balance, Reply) else {"data": balance}
        return usual(path, query)

    directory.script = Script(fake, answer)


@pytest.mark.parametrize("total", [2.5, "2.50"], ids=["number", "text"])
def test_x_15_the_balance_stands_beside_the_ledger(
    fake: FakeX, follower: Follower, time: Time, total: float | str
) -> None:
    directory = Directory(fake)
    _with_credits(fake, directory, {"total_balance": total, "prepaid_balance": -1, "free_balance": 3.5})
    installation = follower(fake.url)
    installation.follow("@desk_example")  # a lookup costs a cent
    for _ in range(6):
        installation.container.profiles.run()
        time.passes(minutes=10)
    assert directory.count("/2/usage/credits") == 1
    time.passes(hours=1)
    installation.container.profiles.run()
    assert directory.count("/2/usage/credits") == 2
    view = View(installation.container, metered_service(installation.container, None))
    assert view.json()["balance"]["dollars"] == 2.5
    assert view.balance is not None
    assert not view.balance.is_low


def test_x_15_an_alert_opens_before_the_credits_end(fake: FakeX, follower: Follower, time: Time) -> None:
    directory = Directory(fake)
    _with_credits(fake, directory, {"total_balance": 0.02})
    installation = follower(fake.url)
    installation.follow("@desk_example")
    installation.container.profiles.run()
    installation.container.notifier.attend()
    with installation.container.store.reading() as tx:
        [alert] = [alert for alert in tx.monitoring.alerts.open() if alert.kind == "credits-low"]
    assert "$0.0200 are left, for 2.0 days" in alert.sentence
    _with_credits(fake, directory, {"total_balance": 25})
    time.passes(hours=2)
    installation.container.profiles.run()
    installation.container.notifier.attend()
    with installation.container.store.reading() as tx:
        assert tx.monitoring.alerts.open() == []


@pytest.mark.parametrize("status", [403, 404], ids=["forbidden", "not-found"])
def test_x_15_a_plan_without_the_balance_is_asked_once_a_day(
    fake: FakeX, follower: Follower, time: Time, status: int
) -> None:
    directory = Directory(fake)
    _with_credits(fake, directory, Reply({"title": "Not Found", "type": "about:blank"}, status))
    installation = follower(fake.url)
    for _ in range(23):
        installation.container.profiles.run()
        time.passes(hours=1)
    assert directory.count("/2/usage/credits") == 1
    installation.container.notifier.attend()
    with installation.container.store.reading() as tx:
        assert tx.billing.ledger.balance("x", time.now) is None
        assert tx.monitoring.alerts.open() == []


def test_x_22_one_command_tells_how_an_account_stands(fake: FakeX, follower: Follower, time: Time) -> None:
    from click.testing import CliRunner

    from aggregator.__main__ import aggregator

    directory = Directory(fake)
    directory.pages = [page(post(99), post(1000))]
    installation = follower(fake.url)
    installation.follow("@desk_example")
    installation.poll()
    until = int((time.now + timedelta(hours=900_000)).timestamp())  # the command's clock is the real one
    directory.script = Script(fake, lambda *_: Reply({}, 429, {"x-rate-limit-reset": str(until)}))
    installation.poll()
    result = CliRunner().invoke(aggregator, ["source", "show", "desk-example"], env=dict(installation.environ))
    assert result.exit_code == 0
    lines = {line.partition(": ")[0]: line.partition(": ")[2] for line in result.stdout.splitlines()}
    assert lines["Newest id"] == "1000"
    assert lines["Costs"].startswith("about $")
    assert lines["Last error"].startswith("X's rate limit is reached for /2/users/:id/tweets; paused until")
    assert lines["Last error"].endswith("(host-paused)")
    assert {"Last success", "Last new item", "Next poll"} <= lines.keys()
