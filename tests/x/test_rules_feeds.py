"""Test requirement 22: mentions, quotes, lists and searches are sources; pages of X are never read as web pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from aggregator.__main__ import aggregator
from aggregator.domain.activity import ActivityKind
from aggregator.domain.errors import AggregatorError, BadRequestError, UnconfirmedCostError
from aggregator.services.subscribe import Subscription
from aggregator.sources.twitter.feeds import LIST_PAGE
from tests.x_api.upstream import SimulatedUpstream
from tests.x_api.world import AccountList

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aggregator.demo.world import Account
    from tests.x.following import Following, Time

    Follower = Callable[..., Following]

COST = "$0.30 a day ($9.00 a month)"


@pytest.fixture
def x(time: Time) -> Iterator[SimulatedUpstream]:
    """Give an X whose plan includes search."""
    with SimulatedUpstream(time, empty=True, search=True) as upstream:
        yield upstream


def accounts(x: SimulatedUpstream) -> tuple[Account, Account]:
    return x.world.add_account("desk_example"), x.world.add_account("river_example")


def confirmed(installation: Following, address: str) -> None:
    installation.container.subscribe(address, Subscription(approve=lambda _: True))


def run(installation: Following, *arguments: str, input_: str | None = None) -> Any:
    return CliRunner().invoke(aggregator, arguments, env=dict(installation.environ), input=input_)


@pytest.mark.parametrize("vocabulary", ["tweets", "posts"])
def test_x_22_mentions_of_an_account_are_a_source(
    x: SimulatedUpstream, follower: Follower, time: Time, vocabulary: str
) -> None:
    desk, river = accounts(x)
    time.passes(minutes=1)
    first = x.world.write(river, "Thanks @desk_example for the data")
    x.world.write(river, "Words about something else")
    installation = follower(x.url, x_vocabulary=vocabulary)
    [added] = installation.follow("mentions:@Desk_Example")
    assert (added.address, added.slug) == ("mentions:@desk_example", "mentions-of-desk-example")
    time.passes(minutes=1)
    installation.poll()
    second = x.world.write(river, "And once more @desk_example", time.passes(minutes=1))
    time.passes(minutes=1)
    installation.poll()
    assert installation.ids() == [str(first.id), str(second.id)]
    assert {item.content.actor.handle for item in installation.items() if item.content.actor} == {"river_example"}
    assert len(x.x.bill.posts) == 2  # only new posts are requested
    x.world.rename(desk, "desk_renamed")
    time.passes(days=8)
    x.world.write(desk, "@desk_renamed is our new name")
    time.passes(minutes=1)
    installation.poll()
    installation.container.profiles.run()
    assert installation.source(added.slug).address == "mentions:@desk_renamed"


def test_x_22_quotes_of_an_account_are_a_source(x: SimulatedUpstream, follower: Follower, time: Time) -> None:
    desk, river = accounts(x)
    time.passes(minutes=1)
    original = x.world.write(desk, "Our announcement")
    quote = x.world.write(river, "Good news", references=(("quoted", original.id),))
    x.world.write(desk, "Quoting ourselves", references=(("quoted", original.id),))
    x.world.write(river, "No quote")
    installation = follower(x.url)
    [added] = installation.follow("quotes:@desk_example")
    assert added.address == "quotes:@desk_example"
    time.passes(minutes=1)
    installation.poll()
    [item] = installation.items()
    assert (item.native_id, item.content.kind) == (str(quote.id), ActivityKind.QUOTE)
    assert item.object is not None
    assert item.object.content.text == "Our announcement"


def test_x_22_the_cost_of_a_list_is_shown_and_confirmed_before_it_is_added(
    x: SimulatedUpstream, follower: Follower
) -> None:
    x.world.lists["77"] = AccountList("Open data", set())
    installation = follower(x.url)
    preview = run(installation, "source", "preview", "https://x.com/i/lists/77")
    assert COST in " ".join(preview.output.replace("!", "").split())
    refused = run(installation, "source", "add", "list:77")
    assert refused.exit_code == 1
    assert COST in refused.output
    assert "--yes" in refused.output
    assert installation.rows("SELECT count(*) FROM source")[0][0] == 0
    done = run(installation, "source", "add", "list:77", "--yes")
    assert (done.exit_code, COST in done.output) == (0, True)
    [slug] = [row[0] for row in installation.rows("SELECT slug FROM source")]
    assert slug == "x-list-open-data"


def test_x_22_a_list_costs_its_newest_page_once_a_day(x: SimulatedUpstream, follower: Follower, time: Time) -> None:
    desk, river = accounts(x)
    x.world.lists["77"] = AccountList("Open data", {desk.id, river.id})
    posts = [x.world.write(desk if number % 2 else river, f"Words {number}") for number in range(60)]
    time.passes(minutes=1)
    installation = follower(x.url)
    with pytest.raises(UnconfirmedCostError):
        installation.follow("list:77")
    confirmed(installation, "list:77")
    installation.poll()
    before = len(x.x.bill.posts)
    for _ in range(3):
        time.passes(hours=1)
        installation.poll()
    assert len(x.x.bill.posts) == before  # billed on this day already
    posts.append(x.world.write(desk, "New words", time.passes(hours=1)))
    time.passes(minutes=1)
    installation.poll()
    assert len(x.x.bill.posts) == before + 1
    time.passes(days=1)
    installation.poll()
    assert len(x.x.bill.posts) == before + 1 + LIST_PAGE
    assert str(posts[-1].id) in installation.ids()
    assert installation.ledger()[1] == len([id_ for _, id_ in x.x.bill.posts])


def test_x_22_a_missing_list_is_reported(x: SimulatedUpstream, follower: Follower) -> None:
    with pytest.raises(AggregatorError, match="no public list 78"):
        confirmed(follower(x.url), "list:78")


def test_x_22_a_search_reports_that_it_finds_no_reposts(x: SimulatedUpstream, follower: Follower, time: Time) -> None:
    desk, river = accounts(x)
    time.passes(minutes=1)
    post = x.world.write(desk, "All about #plan")
    x.world.repost(river, post)
    installation = follower(x.url)
    for command in (("source", "preview", "search:#plan"), ("source", "add", "https://x.com/hashtag/plan")):
        result = run(installation, *command)
        assert result.exit_code == 0
        assert "no reposts for words and hashtags since May 2026" in " ".join(result.output.replace("!", "").split())
    time.passes(minutes=1)
    installation.poll()
    assert installation.ids() == [str(post.id)]


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("https://x.com/home", "Use an account"),
        ("https://twitter.com/desk_example/status/20", "Add its author: '@desk_example'"),
        ("x.com/desk_example/lists/friends", "has no id"),
    ],
    ids=["page", "post", "list without id"],
)
def test_x_22_pages_of_x_are_never_read_as_web_pages(
    x: SimulatedUpstream, follower: Follower, address: str, advice: str
) -> None:
    installation = follower(x.url)
    with pytest.raises(BadRequestError) as refused:
        installation.follow(address)
    assert advice in str(refused.value)
    assert sum(x.x.bill.requests.values()) == 0
