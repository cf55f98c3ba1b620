"""Test requirement 23: older posts of an account are read within an amount of money that is shown first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from aggregator.cli.source_edit import backfill
from aggregator.domain.errors import BadRequestError
from aggregator.sources.twitter.read_budget import FIRST_RUN, PAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from aggregator.demo.world import Account
    from aggregator.services.poll_report import Report
    from tests.x.following import Following, Time
    from tests.x_api.upstream import SimulatedUpstream

    Follower = Callable[..., Following]

POSTS = 2 * PAGE + 30


@pytest.fixture
def desk(x: SimulatedUpstream, time: Time) -> Account:
    """Give an account with a post a day."""
    account = x.world.add_account("desk_example")
    for number in range(POSTS, 0, -1):
        x.world.write(account, f"Day {number}", time() - timedelta(days=number))
    return account


def run(installation: Following, **terms: object) -> list[Report]:
    reports: list[Report] = []
    [source] = [installation.source("desk-example")]
    service = installation.container.backfill
    service.run(source, service.request(source, **terms), reports.append)  # type: ignore[arg-type]
    return reports


@pytest.mark.usefixtures("desk")
def test_x_23_the_whole_history_is_read_once(x: SimulatedUpstream, follower: Follower) -> None:
    installation = follower(x.url)
    installation.follow("@desk_example")
    installation.poll()
    assert len(installation.ids()) == FIRST_RUN
    reports = run(installation)
    assert [report.new for report in reports] == [PAGE, POSTS - FIRST_RUN - PAGE]
    assert len(installation.items(limit=500)) == POSTS  # none was taken for a burst
    assert installation.ledger()[1] == POSTS
    assert run(installation) == [] or sum(report.new for report in run(installation)) == 0
    assert installation.ledger()[1] == POSTS
    assert x.x.bill.dollars == pytest.approx(installation.ledger()[3])


@pytest.mark.usefixtures("desk")
def test_x_23_nothing_before_the_day_is_read_or_billed(x: SimulatedUpstream, follower: Follower, time: Time) -> None:
    installation = follower(x.url)
    installation.follow("@desk_example")
    installation.poll()
    run(installation, since=time() - timedelta(days=60, hours=1))
    assert len(installation.ids()) == 60
    assert installation.ledger()[1] == 60


@pytest.mark.usefixtures("desk")
def test_x_23_an_amount_of_money_is_never_exceeded_and_the_next_run_goes_on(
    x: SimulatedUpstream, follower: Follower
) -> None:
    installation = follower(x.url)
    installation.follow("@desk_example")
    installation.poll()
    before = installation.ledger()[3]
    run(installation, dollars=0.30)
    spent = installation.ledger()[3] - before
    assert 0 < spent <= 0.30
    read = len(installation.ids())
    assert FIRST_RUN < read < POSTS
    run(installation, dollars=0.30)
    assert len(installation.ids()) > read
    run(installation)
    assert len(installation.items(limit=500)) == POSTS
    assert installation.ledger()[1] == POSTS  # nothing was paid twice


@pytest.mark.usefixtures("desk")
def test_x_23_the_budget_of_the_cycle_holds_for_history_too(x: SimulatedUpstream, follower: Follower) -> None:
    installation = follower(x.url, x_budget="0.8")
    installation.follow("@desk_example")
    installation.poll()
    with pytest.raises(Exception, match="budget"):
        run(installation)
    assert installation.ledger()[3] <= 0.8


def test_x_23_deleted_posts_stay_away(x: SimulatedUpstream, desk: Account, follower: Follower) -> None:
    installation = follower(x.url)
    installation.follow("@desk_example")
    installation.poll()
    oldest = x.world.timeline(desk.id)[-1]
    installation.container.purge.post("x", str(oldest.id))
    run(installation)
    assert str(oldest.id) not in installation.ids()


@pytest.mark.usefixtures("desk")
def test_x_23_the_cost_is_shown_and_confirmed_first(
    x: SimulatedUpstream, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = follower(x.url, x_budget="100")
    installation.follow("@desk_example")
    installation.poll()
    for name, value in installation.environ.items():
        monkeypatch.setenv(name, value)
    day = (datetime.now(UTC) - timedelta(days=30)).date().isoformat()
    refused = CliRunner().invoke(backfill, ["desk-example", "--since", day])
    assert "Confirm this cost with --yes" in str(refused.exception)
    assert "Up to 3200 posts, at most $" in str(refused.exception)
    assert "by what it costs at present" in str(refused.exception)
    assert "The budget has room for" in str(refused.exception)
    assert len(installation.ids()) == FIRST_RUN
    done = CliRunner().invoke(backfill, ["desk-example", "--yes", "--budget", "0.5"])
    assert done.exit_code == 0, done.output
    assert "at most $0.50" in done.output
    assert len(installation.ids()) > FIRST_RUN


def test_x_23_searches_have_no_history(x: SimulatedUpstream, follower: Follower) -> None:
    installation = follower(x.url)
    [source] = installation.follow("search:#plan")
    with pytest.raises(BadRequestError, match="accounts only"):
        installation.container.backfill.cost(source, installation.container.backfill.request(source))
