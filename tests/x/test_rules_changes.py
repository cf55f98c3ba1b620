"""Test requirements 6, 10 and 17: what X does not include is looked up within the reserve, and changes are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.x.following import Following, Time
    from tests.x_api.upstream import SimulatedUpstream

    Follower = Callable[..., Following]


@pytest.mark.parametrize("vocabulary", ["tweets", "posts"])
def test_x_06_what_a_reposted_quote_quotes_is_looked_up_once(
    x: SimulatedUpstream, follower: Follower, time: Time, vocabulary: str
) -> None:
    desk, river, old = (x.world.add_account(name) for name in ("desk_example", "river_example", "old_example"))
    time.passes(minutes=1)
    first = x.world.write(old, "The first words")
    quote = x.world.write(river, "I disagree", references=(("quoted", first.id),))
    x.world.repost(desk, quote, time.passes(minutes=1))
    installation = follower(x.url, x_vocabulary=vocabulary)
    installation.follow("@desk_example")
    installation.poll()
    lookups = x.x.bill.requests["/2/tweets"]
    assert lookups == 1
    assert str(first.id) in {id_ for _, id_ in x.x.bill.posts}
    [compliance] = installation.rows("SELECT sum(posts) FROM spend WHERE purpose = 'compliance'")
    assert tuple(compliance) == (1,)  # paid from the reserve
    assert round(x.x.bill.dollars, 3) == round(installation.ledger()[3], 3)
    time.passes(hours=1)
    installation.poll()
    assert x.x.bill.requests["/2/tweets"] == lookups


def test_x_06_without_a_reserve_a_reposted_quote_is_stored_without_a_lookup(
    x: SimulatedUpstream, follower: Follower, time: Time
) -> None:
    desk, river = x.world.add_account("desk_example"), x.world.add_account("river_example")
    first = x.world.write(river, "The first words", time.passes(minutes=1))
    quote = x.world.write(river, "I disagree", references=(("quoted", first.id),))
    x.world.repost(desk, quote, time.passes(minutes=1))
    installation = follower(x.url, x_budget="5", x_reserve="0")
    installation.follow("@desk_example")
    [report] = installation.poll()
    assert (report.error, len(installation.items())) == (None, 1)
    assert x.x.bill.requests["/2/tweets"] == 0


def test_x_10_an_edit_of_an_original_reaches_its_reposts_where_jobs_work(
    x: SimulatedUpstream, follower: Follower, time: Time
) -> None:
    desk, river = x.world.add_account("desk_example"), x.world.add_account("river_example")
    original = x.world.write(river, "The vote is on Monday", time.passes(minutes=1))
    x.world.repost(desk, original, time.passes(minutes=1))
    installation = follower(x.url)
    installation.follow("@desk_example")
    installation.poll()
    x.world.edit(original, "The vote is on Tuesday", time.passes(minutes=30))
    for _ in range(3):
        time.passes(hours=1)
        installation.container.sweep()
    [item] = installation.items()
    assert item.object is not None
    assert (item.object.content.text, item.object.content.edited) == ("The vote is on Tuesday", True)
    assert x.x.bill.requests["/2/tweets"] == 2  # the known version, and the newest
    assert len({day for day, _ in x.x.bill.posts}) == 1  # on the day of the poll, when the known version is free


def test_x_17_where_jobs_work_a_withheld_post_leaves_every_output(
    x: SimulatedUpstream, follower: Follower, time: Time
) -> None:
    desk, river = x.world.add_account("desk_example"), x.world.add_account("river_example")
    original = x.world.write(river, "Words that a court forbids", time.passes(minutes=1))
    x.world.repost(desk, original, time.passes(minutes=1))
    kept = x.world.write(desk, "Other words", time.passes(minutes=1))
    installation = follower(x.url)
    installation.follow("@desk_example", "@river_example")
    installation.poll()
    assert len(installation.items()) == 3
    x.world.withhold(original, ("XY",))
    before = x.x.bill.dollars
    for _ in range(3 * 24):
        time.passes(hours=1)
        installation.container.sweep()
    assert [item.native_id for item in installation.items()] == [str(kept.id)]
    assert x.x.bill.dollars - before <= 3 * 10 * 0.005 + 0.015  # the least that the rota may cost, for three days
