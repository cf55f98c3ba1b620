"""Test requirements 3, 10, 11, 17 and 21 against the simulated X: changes there are applied here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.source import SourceState
from tests.reader.conftest import app_of
from tests.reader.serving import serving
from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.x.following import Following, Time

    Follower = Callable[..., Following]


def test_x_03_the_watermark_survives_the_deletion_of_the_newest_post(
    x: SimulatedUpstream, follower: Follower, time: Time
) -> None:
    desk = x.world.add_account("desk_example")
    posts = [x.world.write(desk, f"Post {n}", time.passes(minutes=1)) for n in range(3)]
    installation = follower(x.url)
    installation.follow("@desk_example")
    installation.poll()
    x.world.delete(posts[-1])
    time.passes(hours=1)
    installation.poll()
    newer = x.world.write(desk, "Newer", time.passes(hours=1))
    installation.poll()
    assert installation.source("desk-example").poll.fetch_state == {"since_id": str(newer.id)}
    assert len(x.x.bill.posts) == 4  # nothing was read twice


def test_x_10_an_edit_replaces_the_post_in_place(x: SimulatedUpstream, follower: Follower, time: Time) -> None:
    desk = x.world.add_account("desk_example")
    first = x.world.write(desk, "Frist", time.passes(minutes=1))
    x.world.write(desk, "Second", time.passes(minutes=1))
    installation = follower(x.url)
    installation.follow("@desk_example")
    installation.poll()
    before = {item.native_id: (item.id, item.position) for item in installation.items()}
    x.world.edit(first, "First", time.passes(minutes=5))
    time.passes(minutes=1)
    installation.poll()
    after = {item.native_id: item for item in installation.items()}
    assert {name: (item.id, item.position) for name, item in after.items()} == before
    edited = after[str(first.id)]
    assert (edited.content.text, edited.content.edited) == ("First", True)
    with installation.container.store.reading() as tx:
        assert [version["text"] for version in tx.stream.versions.of(edited.id)] == ["Frist"]


@pytest.mark.parametrize("fault", ["truncated", "list", "empty", "html", "503", "503-html", "endless"])
def test_x_11_what_the_wire_brings_never_costs_a_post(
    x: SimulatedUpstream, follower: Follower, time: Time, fault: str
) -> None:
    desk = x.world.add_account("desk_example")
    installation = follower(x.url)
    installation.follow("@desk_example")
    x.world.write(desk, "Post", time.passes(minutes=1))
    x.x.faults.add(fault, "/tweets")
    [failed] = installation.poll()
    assert failed.outcome == "failed"
    time.passes(hours=3)
    assert [report.new for report in installation.poll()] == [1]


@pytest.mark.parametrize("sweep", ["jobs", "lookup"])
def test_x_17_what_is_deleted_leaves_every_output_with_its_reposts_and_stays_away(
    x: SimulatedUpstream, follower: Follower, time: Time, sweep: str
) -> None:
    desk, other, river = (x.world.add_account(name) for name in ("desk_example", "other_desk", "river_example"))
    doomed = x.world.write(desk, "Doomed words", time.passes(minutes=1))
    original = x.world.write(river, "Original words", time.passes(minutes=1))
    x.world.repost(other, original, time.passes(minutes=1))
    x.world.repost(other, doomed, time.passes(minutes=1))
    x.world.write(other, "A quote", time.passes(minutes=1), references=(("quoted", original.id),))
    x.world.write(desk, "Stays", time.passes(minutes=1))
    installation = follower(x.url, x_sweep=sweep)
    installation.follow("@desk_example", "@other_desk")
    installation.poll()
    assert (len(installation.items()), len(installation.items(stitch=True))) == (
        5,
        4,
    )  # the doomed post and its repost are one entry
    with installation.container.store.reading() as tx:
        revision = tx.stream.state.revision()
    x.world.delete(doomed)
    x.world.restrict(river, "protected")
    for _ in range(4):  # a job is begun by one sweep and looked at by a later one
        installation.container.sweep()
        time.passes(hours=7)
    texts = json.dumps(
        [
            str(row)
            for table in ("activity", "raw_payload", "activity_version")
            for row in installation.rows(f"SELECT * FROM {table}")
        ]
    )
    assert "Doomed words" not in texts
    assert "Original words" not in texts
    assert [item.content.text for item in installation.items()] == ["Stays", "A quote"]
    assert installation.items()[1].object is None
    with installation.container.store.reading() as tx:
        changes = tx.stream.activities.changes(revision, 100)
    assert len(changes.gone) == 3
    outputs = ("/", "/feed.rss", "/feed.atom", "/feed.json", "/feed.as2?page=first", "/api/v1/changes?limit=1000")
    with serving(app_of(installation.container.store)) as reader:  # with full visibility
        given = "".join(reader.ask(path).text for path in (*outputs, "/api/v1/activities?stitch=no"))
        assert reader.ask("/api/v1/activities?q=doomed").json["items"] == []
    assert "Stays" in given
    assert "Doomed" not in given
    assert str(doomed.id) not in given
    x.world.restrict(river, "")
    installation.poll()
    x.world.repost(desk, original, time.passes(minutes=1))  # another source brings it again
    installation.poll()
    assert [item.content.text for item in installation.items()] == ["Stays", "A quote"]


def test_x_17_a_purge_works_at_once_and_nothing_comes_back(
    x: SimulatedUpstream, follower: Follower, time: Time
) -> None:
    desk = x.world.add_account("desk_example")
    post = x.world.write(desk, "Post", time.passes(minutes=1))
    installation = follower(x.url)
    installation.follow("@desk_example")
    installation.container.purge.post("x", str(post.id))  # before it was ever read
    installation.poll()
    assert installation.items() == []
    x.world.write(desk, "Another", time.passes(minutes=1))
    installation.poll()
    installation.container.purge.account("x", desk.id)
    assert installation.items() == []
    with installation.container.store.reading() as tx:
        assert tx.polling.sources.get("desk-example") is None


@pytest.mark.parametrize("vocabulary", ["tweets", "posts"])
def test_x_21_it_follows_an_x_of_either_vocabulary(follower: Follower, time: Time, vocabulary: str) -> None:
    with SimulatedUpstream(time, empty=True, vocabulary=vocabulary) as x:
        desk, river = x.world.add_account("desk_example"), x.world.add_account("river_example")
        original = x.world.write(river, "Long words. " * 60, time.passes(minutes=1))
        x.world.repost(desk, original, time.passes(minutes=1))
        installation = follower(x.url, x_vocabulary=vocabulary)
        installation.follow("@desk_example")
        time.passes(minutes=1)
        installation.poll()
        [item] = installation.items()
        assert item.object is not None
        assert item.object.content.text == ("Long words. " * 60).strip()
        assert item.object.content.actor is not None
        assert item.object.content.actor.handle == "river_example"
        other = "posts" if vocabulary == "tweets" else "tweets"
        [report] = installation.beside(x_vocabulary=other).poll()
        assert "X's API has changed" in str(report.error)
        assert installation.source("desk-example").state is SourceState.ACTIVE


def test_x_15_the_ledger_is_what_the_sample_x_counts(x: SimulatedUpstream, follower: Follower, time: Time) -> None:
    people = [x.world.add_account(f"desk_{n}") for n in range(5)]
    installation = follower(x.url)
    installation.follow(*(f"@{person.username}" for person in people))
    for day in range(3):
        for person in people:
            original = x.world.write(people[day], f"Words {day}", time.passes(minutes=1))
            x.world.repost(person, original, time.passes(minutes=1))
        installation.poll()
        time.passes(days=1)
    requests, posts, users, dollars = installation.ledger()
    bill = x.x.bill
    assert (requests, posts, users) == (sum(bill.requests.values()), len(bill.posts), len(bill.users))
    assert dollars == pytest.approx(bill.dollars)


def test_x_22_a_search_is_a_source_where_the_plan_has_it(follower: Follower, time: Time) -> None:
    with SimulatedUpstream(time, empty=True, search=True) as x:
        desk, river = x.world.add_account("desk_example"), x.world.add_account("river_example")
        post = x.world.write(river, "Words on #opengov", time.passes(minutes=1))
        x.world.write(desk, "Other words", time.passes(minutes=1))
        installation = follower(x.url)
        [added] = installation.follow("search: #opengov  OR from:nobody")
        assert added.address == "search:#opengov OR from:nobody"
        time.passes(minutes=1)
        installation.poll()
        assert installation.ids() == [str(post.id)]
        [item] = installation.items()
        assert item.content.actor is not None
        assert item.content.actor.handle == "river_example"
        newer = x.world.write(desk, "More on #opengov", time.passes(minutes=1))
        time.passes(days=8)  # X refuses an id of so long ago
        last = x.world.write(desk, "Last on #opengov", time.passes(minutes=1))
        time.passes(minutes=1)
        installation.poll()
        assert installation.ids() == [str(post.id), str(last.id)]
        assert newer.id < last.id
        assert "Posts since an earlier poll are lost" in installation.note(added.slug)


def test_x_22_a_search_beyond_the_plan_says_so(x: SimulatedUpstream, follower: Follower) -> None:
    installation = follower(x.url)
    installation.follow("search:#opengov")
    [report] = installation.poll()
    assert "X does not allow this call (Your plan has no access to this endpoint.)" in str(report.error)
    with pytest.raises(Exception, match="limit of 512"):
        installation.follow("search:" + "word " * 200)


def test_an_outage_of_x_does_not_hold_back_the_news(x: SimulatedUpstream, follower: Follower, time: Time) -> None:
    from tests.upstream import Publisher

    x.world.add_account("desk_example")
    with Publisher(feeds=1) as publisher:
        installation = follower(x.url, private_networks="127.0.0.1")
        installation.follow("@desk_example", publisher.url("/good/1.xml"))
        time.passes(hours=30)
        x.x.faults.add("503", times=99)
        batches = installation.container.dispatcher.claim()
        assert len({batch.queue for batch in batches}) == 2  # queues of their own
        reports = [
            report for batch in batches for report in installation.container.polling.poll(batch.ids, batch.token)
        ]
    outcomes: dict[str, Any] = {report.slug: report.outcome for report in reports}
    assert outcomes.pop("desk-example") == "failed"
    assert set(outcomes.values()) <= {"new", "changed", "unchanged"}
