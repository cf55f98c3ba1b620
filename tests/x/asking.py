"""Follow scripted accounts, for the rules on requests to X."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.x.scripted import Reply, Script, account

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sources.twitter.fake_x import FakeX
    from tests.x.following import Following
    from tests.x.scripted import Answers, Asked

    Follower = Callable[..., Following]

TIMELINE = "/2/users/1/tweets"
CAPPED = {
    "title": "UsageCapExceeded",
    "type": "https://api.twitter.com/2/problems/usage-capped",
    "detail": "Cap reached",
}


def answering(timeline: Answers) -> Answers:
    """Respond to lookups as X does, and to timelines by a function."""

    def answers(path: str, query: Asked) -> Reply | dict[str, Any]:
        if path.startswith("/2/users/by/username/"):
            handle = path.rpartition("/")[2]
            return {"data": account(int(handle.rpartition("_")[2]) if handle[-1].isdigit() else 1, handle)}
        if path == "/2/users":
            return {"data": [account(int(id_)) for id_ in query["ids"].split(",")]}
        return timeline(path, query)

    return answers


def following(
    follower: Follower, fake: FakeX, timeline: Answers, accounts: int = 1, **settings: str
) -> tuple[Following, Script]:
    script = Script(fake, answering(timeline))
    installation = follower(fake.url, **settings)
    installation.follow(*(f"@desk_{number}" for number in range(1, accounts + 1)))
    script.requests.clear()
    return installation, script


def timelines(script: Script) -> list[dict[str, str]]:
    return [query for path, query in script.requests if path.endswith("/tweets")]
