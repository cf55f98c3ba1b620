"""Test requirement 4: pages without posts, late posts, and positions that X no longer accepts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.sources.twitter.read_budget import FIRST_RUN, PAGE, PAGES
from aggregator.sources.twitter.snowflakes import id_at
from tests.x.asking import answering, following, timelines
from tests.x.scripted import NOTHING, Reply, Script, page, post

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sources.twitter.fake_x import FakeX
    from tests.x.following import Following, Time
    from tests.x.scripted import Asked

    Follower = Callable[..., Following]


def test_x_04_late_posts_are_no_burst_since_x_dates_them(fake: FakeX, follower: Follower, time: Time) -> None:
    written = [post(1, created_at=time().isoformat())]
    installation, _ = following(follower, fake, lambda *_: page(*written))
    installation.poll()
    missed = (time() - timedelta(days=9)).isoformat()
    written[:] = [post(number, created_at=missed) for number in range(60, 10, -1)]  # X did not return them before
    time.passes(hours=1)
    installation.poll()
    assert len(installation.items()) == 51


def silent_timeline(replies: int, announcements: int = 1) -> Callable[[str, Asked], dict[str, Any]]:
    """Return a timeline that X filters after it has cut the pages: replies, and older announcements."""

    def timeline(_: str, query: Asked) -> dict[str, Any]:
        everything = [*range(replies), *(-1 - number for number in range(announcements))]  # newest first
        start, size = int(query.get("pagination_token", 0)), int(query["max_results"])
        ids = [1000 + number for number in everything[start : start + size] if number < 0]
        if "since_id" in query:
            return NOTHING
        return page(*map(post, ids), token=str(start + size) if start + size < len(everything) else None)

    return timeline


def test_x_04_pages_without_posts_are_followed_and_never_read_again(fake: FakeX, follower: Follower) -> None:
    replies = FIRST_RUN * (PAGES + 3)
    installation, script = following(follower, fake, silent_timeline(replies))
    installation.poll()
    assert len(timelines(script)) == PAGES
    assert "without posts" in installation.note("desk-1")
    assert "continues after them" in installation.note("desk-1")
    script.requests.clear()
    installation.poll()
    tokens = [query.get("pagination_token") for query in timelines(script)]
    assert tokens[:4] == [str(FIRST_RUN * (PAGES + number)) for number in range(4)]
    assert installation.ids() == ["999"]
    script.requests.clear()
    installation.poll()
    assert len(timelines(script)) == 1
    assert int(timelines(script)[0]["since_id"]) > 999
    assert installation.ledger()[1] == 1  # pages without posts are free


RUSH = 2 * PAGES * PAGE


@pytest.mark.parametrize("checked", ["by us", "by X"])
def test_x_04_a_gap_that_x_no_longer_has_is_given_up_and_reported(
    fake: FakeX, follower: Follower, time: Time, monkeypatch: pytest.MonkeyPatch, checked: str
) -> None:
    from aggregator.sources.twitter import search

    ids = [id_at(time() - timedelta(hours=2)) + number for number in range(3)]
    refusals: list[str] = []

    def found(path: str, query: Asked) -> Reply | dict[str, Any]:
        assert path == "/2/tweets/search/recent"
        oldest = id_at(time() - timedelta(days=7))
        for name in ("since_id", "until_id"):
            if int(query.get(name, oldest)) < oldest:
                refusals.append(name)
                message = f"'{name}' must be a tweet id created after [a moment]. Use a '{name}' that is larger."
                return Reply({"errors": [{"parameters": {name: [query[name]]}, "message": message}]}, 400)
        since, until = int(query.get("since_id", oldest)), int(query.get("until_id", 2**62))
        until = min(until, int(query.get("next_token", 2**62)))
        matching = [number for number in reversed(ids) if since < number < until]
        cut = matching[: int(query["max_results"])]
        return page(*map(post, cut), token=str(cut[-1]) if len(matching) > len(cut) else None)

    script = Script(fake, answering(found))
    installation = follower(fake.url)
    [source] = installation.follow("search:#plan")
    installation.poll()
    rush = id_at(time.passes(hours=1))
    ids += range(rush, rush + RUSH)
    installation.poll()
    assert installation.source(source.slug).poll.fetch_state.keys() >= {"until_id"}
    later = id_at(time.passes(days=9)) - 1000
    ids.append(later)
    if checked == "by X":
        monkeypatch.setattr(search, "within_reach", lambda mark, *_: (mark, False))
    script.requests.clear()
    [report] = installation.poll()
    assert report.error is None
    assert str(later) in installation.ids()
    assert "Posts since an earlier poll are lost" in installation.note(source.slug)
    assert refusals == (["until_id"] if checked == "by X" else [])
    assert installation.source(source.slug).poll.fetch_state == {"since_id": str(later)}
