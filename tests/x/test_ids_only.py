"""Test the display mode for operators without clearance for X's content: only ids are requested and stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from aggregator.__main__ import aggregator
from aggregator.domain.activity import ActivityKind
from tests.storage.stream.test_content_reduction import dump
from tests.x.asking import following
from tests.x.scripted import page, post
from tests.x_api.bill import POST_PRICE
from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from aggregator.demo.world import Account
    from tests.sources.twitter.fake_x import FakeX
    from tests.x.following import Following, Time

    Follower = Callable[..., Following]

EMBED = {"x_display": "embed"}
WORDS = "zanzibar"  # in every text and name


@pytest.fixture
def x(time: Time) -> Iterator[SimulatedUpstream]:
    """Give an X whose plan includes search."""
    with SimulatedUpstream(time, empty=True, search=True) as upstream:
        yield upstream


@pytest.fixture
def desk(x: SimulatedUpstream, time: Time) -> Account:
    """Give an account with a post, a repost, a quote, a reply and a thread."""
    desk = x.world.add_account("desk_example", f"Desk {WORDS}")
    river = x.world.add_account("river_example", f"River {WORDS}")
    time.passes(minutes=1)
    original = x.world.write(river, f"Original {WORDS}")
    first = x.world.write(desk, f"Post {WORDS}", links=((f"https://t.co/{WORDS}", f"/{WORDS}"),))
    x.world.write(desk, f"RT @river_example: Original {WORDS}", references=(("retweeted", original.id),))
    x.world.write(desk, f"Quote {WORDS}", references=(("quoted", original.id),))
    x.world.write(desk, f"Reply {WORDS}", references=(("replied_to", original.id),))
    x.world.write(desk, f"Thread {WORDS}", references=(("replied_to", first.id),))
    time.passes(minutes=1)
    return desk


def run(installation: Following, *arguments: str) -> Any:
    return CliRunner().invoke(aggregator, arguments, env=dict(installation.environ), catch_exceptions=False)


def contains_words(installation: Following) -> bool:
    """Return whether the database or its files contain words or names of X."""
    store = installation.container.store
    with store.reading() as tx:
        raw = [tx.stream.activities.raw(number) for number in range(1, 100)]
        unread = tx.stream.unread.of_other_versions("none", 100)
    file = Path(installation.environ["AGGREGATOR_DATABASE_URL"].removeprefix("sqlite:///"))
    files = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
    return WORDS in dump(store) or any(raw) or bool(unread) or WORDS.encode() in files


@pytest.mark.usefixtures("desk")
def test_a_poll_stores_only_ids_and_pays_for_no_other_object(x: SimulatedUpstream, follower: Follower) -> None:
    installation = follower(x.url, **EMBED)
    [added] = installation.follow("@desk_example")
    [report] = installation.poll()
    assert (report.new, report.error, added.name) == (5, None, "@desk_example")
    installation.container.profiles.run()
    assert not contains_words(installation)
    kinds = {item.content.kind: item for item in installation.items()}
    assert kinds.keys() == {ActivityKind.POST, ActivityKind.REPOST, ActivityKind.QUOTE, ActivityKind.REPLY}
    for item in kinds.values():
        assert item.content.ids_only
        assert item.content.actor is not None
        assert item.content.actor.handle == "desk_example"
        assert item.content.url == f"https://x.com/desk_example/status/{item.native_id}"
        assert item.content.published is not None
        assert item.object is None
    assert kinds[ActivityKind.REPOST].object_key is not None
    bill = x.x.bill
    assert len(bill.posts) == 5  # neither what they quote nor what they answer
    assert len(bill.users) == 1  # only to find the account's id
    assert installation.ledger()[3] == pytest.approx(bill.dollars)


@pytest.mark.parametrize("vocabulary", ["tweets", "posts"])
def test_requests_name_no_expansion_and_no_field_with_content(fake: FakeX, follower: Follower, vocabulary: str) -> None:
    queries: list[Mapping[str, Any]] = []

    def answer(path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        del path
        queries.append(query)
        return page(post(11, words=WORDS))

    installation, _ = following(follower, fake, answer, x_display="embed", x_vocabulary=vocabulary)
    installation.poll()
    assert queries
    for query in queries:
        assert not {name for name in query if name.partition(".")[0] in {"expansions", "media", "poll", "user"}}
        fields = query.get("tweet.fields") or query["post.fields"]
        assert not {"text", "entities", "attachments", "note_tweet", "note_post", "article"} & set(fields.split(","))
    assert not contains_words(installation)


def test_a_post_that_can_not_be_read_is_not_kept(fake: FakeX, follower: Follower) -> None:
    odd = post(12, words=WORDS) | {"referenced_tweets": 5}
    answer = page(odd, post(11, words=WORDS))
    installation, _ = following(follower, fake, lambda _path, _query: answer, x_display="embed")
    [report] = installation.poll()
    assert report.new == 1
    assert installation.note("desk-1").endswith("(TypeError: references that are not a list).")
    assert not contains_words(installation)


@pytest.mark.parametrize("sweep", ["jobs", "lookup", "auto"])
def test_edits_and_deletions_are_followed_without_content(
    x: SimulatedUpstream, follower: Follower, time: Time, desk: Account, sweep: str
) -> None:
    installation = follower(x.url, **EMBED, x_sweep=sweep)
    installation.follow("@desk_example")
    installation.poll()
    own = [item for item in x.world.timeline(desk.id) if not item.references]
    x.world.delete(own[-1])
    edited = x.world.write(desk, f"Draft {WORDS}")
    time.passes(hours=1)
    installation.poll()
    x.world.edit(edited, f"Edited {WORDS}")
    for _ in range(3):
        time.passes(hours=2)
        installation.poll()
        installation.container.sweep()
    assert str(own[-1].id) not in {item.native_id for item in installation.items()}
    assert str(edited.id) in {item.native_id for item in installation.items()}
    assert not contains_words(installation)


@pytest.mark.parametrize("address", ["search:zoo", "mentions:@desk_example", "quotes:@desk_example"])
def test_posts_of_others_name_nobody(x: SimulatedUpstream, follower: Follower, time: Time, address: str) -> None:
    desk = x.world.add_account("desk_example", f"Desk {WORDS}")
    river = x.world.add_account("river_example", f"River {WORDS}")
    time.passes(minutes=1)
    first = x.world.write(desk, f"Post {WORDS}")
    installation = follower(x.url, **EMBED)
    installation.follow(address)
    link = f"https://x.com/desk_example/status/{first.id}"
    words = f"A zoo for @desk_example {WORDS} https://t.co/abc"
    found = x.world.write(river, words, references=(("quoted", first.id),), links=(("https://t.co/abc", link),))
    time.passes(minutes=1)
    installation.poll()
    [item] = installation.items()
    assert item.content.url == f"https://x.com/i/status/{found.id}"
    assert item.content.actor is None or item.content.actor.handle is None
    assert not contains_words(installation)
    assert "river_example" not in dump(installation.container.store)


def test_the_switch_removes_what_is_stored_and_nothing_comes_back(
    x: SimulatedUpstream, follower: Follower, time: Time, desk: Account
) -> None:
    full = follower(x.url)
    full.follow("@desk_example")
    full.poll()
    full.container.profiles.run()
    draft = x.world.write(desk, f"Draft {WORDS}")
    time.passes(minutes=30)
    full.poll()
    x.world.edit(draft, f"Edited {WORDS}")
    time.passes(minutes=10)
    full.poll()
    assert contains_words(full)
    reduced = full.beside(**EMBED)
    assert WORDS not in str([item.content for item in reduced.items()])  # at once
    stored = reduced.ids()
    assert f"Ids only: X; {len(stored)} items still have content" in run(reduced, "status").output
    migrated = run(reduced, "migrate")
    assert f"Removed the content of {len(stored)} items" in migrated.output
    assert "Ids only: X; no content is stored" in run(reduced, "status").output
    assert not contains_words(reduced)
    assert reduced.source("desk-example").name == "@desk_example"
    time.passes(hours=3)
    reduced.poll()
    reduced.container.sweep()
    reduced.container.profiles.run()
    reduced.container.cleanup.run()
    assert reduced.ids() == stored
    assert not contains_words(reduced)


@pytest.mark.usefixtures("desk")
def test_the_sweep_removes_content_without_a_command(x: SimulatedUpstream, follower: Follower) -> None:
    full = follower(x.url)
    full.follow("@desk_example")
    full.poll()
    reduced = full.beside(**EMBED)
    reduced.container.sweep()
    with reduced.container.store.reading() as tx:
        assert tx.stream.reduction.count() == 0


@pytest.mark.usefixtures("desk")
def test_a_preview_shows_no_words(x: SimulatedUpstream, follower: Follower) -> None:
    installation = follower(x.url, **EMBED)
    for address in ("@desk_example", "search:post"):
        shown = run(installation, "source", "preview", address)
        assert shown.exit_code == 0, shown.output
        assert WORDS not in shown.output


def test_a_month_costs_its_posts_alone(x: SimulatedUpstream, follower: Follower, time: Time, desk: Account) -> None:
    installation = follower(x.url, **EMBED, x_sweep="off")
    installation.follow("@desk_example")
    installation.poll()
    before = x.x.bill.dollars
    river = x.world.by_username["river_example"]
    for _ in range(10):
        other = x.world.write(river, WORDS)
        x.world.write(desk, WORDS, references=(("quoted", other.id),))
        time.passes(hours=6)
        installation.poll()
        installation.container.profiles.run()
    assert round(x.x.bill.dollars - before, 6) == round(10 * POST_PRICE, 6)


def test_where_jobs_work_nothing_is_looked_up_for_money(
    x: SimulatedUpstream, follower: Follower, time: Time, desk: Account
) -> None:
    installation = follower(x.url, **EMBED)
    installation.follow("@desk_example")
    installation.poll()
    before = x.x.bill.dollars
    own = [item for item in x.world.timeline(desk.id) if not item.references]
    x.world.delete(own[0])
    for _ in range(3 * 24):
        time.passes(hours=1)
        installation.container.sweep()
        installation.container.profiles.run()
    assert x.x.bill.requests["/2/tweets"] == 0
    assert x.x.bill.dollars == before
    assert str(own[0].id) not in installation.ids()
