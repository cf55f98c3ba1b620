"""Test that `exclude=replies` keeps an account's threads, and pays for nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.x.asking import TIMELINE, answering
from tests.x.scripted import NOTHING, Reply, Script, page, post

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sources.twitter.fake_x import FakeX
    from tests.x.following import Following
    from tests.x.scripted import Asked

    Follower = Callable[..., Following]

SEARCH = "/2/tweets/search/recent"
FIRST, SECOND = post(2051000000000000100, conversation_id="2051000000000000100"), post(
    2051000000000000200,
    conversation_id="2051000000000000100",
    in_reply_to_user_id="1",
    referenced_tweets=[{"type": "replied_to", "id": "2051000000000000100"}],
)  # fmt: skip


def opened(
    follower: Follower, fake: FakeX, found: Reply | dict[str, Any], excluded: list[str]
) -> tuple[Following, Script]:
    def answers(path: str, query: Asked) -> Reply | dict[str, Any]:
        if "since_id" in query:
            return NOTHING
        return found if path == SEARCH else page(FIRST)

    script = Script(fake, answering(answers))
    installation = follower(fake.url)
    installation.follow("@desk_1", exclude=excluded)
    script.requests.clear()
    return installation, script


def test_replies_to_own_posts_stay(fake: FakeX, follower: Follower) -> None:
    installation, script = opened(follower, fake, page(SECOND), ["replies"])
    installation.poll()
    assert installation.ids() == [FIRST["id"], SECOND["id"]]
    assert len({item.thread for item in installation.items()}) == 1
    assert [path for path in script.paths if path in {TIMELINE, SEARCH}] == [TIMELINE, SEARCH]
    asked_for = dict(script.requests)
    assert asked_for[TIMELINE]["exclude"] == "replies"
    assert asked_for[SEARCH]["query"] == "from:desk_1 to:desk_1 is:reply"
    assert installation.ledger()[1] == 2  # the posts of the thread
    installation.poll()
    assert installation.source("desk-1").poll.fetch_state["since_id"] == SECOND["id"]


@pytest.mark.parametrize("excluded", [["retweets"], []], ids=["reposts", "nothing"])
def test_without_the_option_nothing_is_searched(fake: FakeX, follower: Follower, excluded: list[str]) -> None:
    installation, script = opened(follower, fake, page(SECOND), excluded)
    installation.poll()
    assert SEARCH not in script.paths


def test_a_plan_without_searches_costs_only_the_threads(fake: FakeX, follower: Follower) -> None:
    refusal = Reply({"title": "Forbidden", "detail": "not in your plan", "type": "about:blank"}, 403)
    installation, _ = opened(follower, fake, refusal, ["replies"])
    [report] = installation.poll()
    assert (report.new, report.error) == (1, None)
