"""Test that a post that can't be read costs neither its account nor itself: it is kept, counted and read later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.services import read_again
from aggregator.sources.twitter import unread_posts
from aggregator.sources.twitter.normalise import normalise_page
from tests.x.asking import following
from tests.x.scripted import NOTHING, page, post

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from aggregator.domain.activity import Actor
    from aggregator.sources.twitter.normalise import PageContent
    from tests.sources.twitter.fake_x import FakeX
    from tests.x.following import Following
    from tests.x.scripted import Asked

    Follower = Callable[..., Following]

ODD = post(12, words="An odd post") | {"entities": 5}


def answers(path: str, query: Asked) -> dict[str, Any]:
    """Answer like an account whose newest post but one is odd."""
    del path
    posts = [post(13), ODD, post(11)]
    return page(*posts) if "since_id" not in query else NOTHING


def newer(payload: dict[str, Any], *, account: Actor | None) -> PageContent:
    """Read what this version can't."""
    assert payload["data"] == [ODD]
    return normalise_page({**payload, "data": [ODD | {"entities": {}}]}, account=account)


def test_the_account_goes_on_and_the_post_is_counted(fake: FakeX, follower: Follower) -> None:
    installation, script = following(follower, fake, answers)
    [report] = installation.poll()
    assert (report.new, report.error) == (2, None)
    assert installation.ids() == ["11", "13"]
    assert "1 post could not be read" in installation.note("desk-1")
    assert [tuple(row) for row in installation.rows("SELECT native_id, key FROM unread_entry")] == [("12", "x:12")]
    installation.poll()
    assert script.requests[-1][1]["since_id"] == "13"  # the odd post is not requested again
    with installation.container.store.reading() as tx:
        assert list(tx.stream.unread.counts().values()) == [1]


def test_a_newer_version_reads_it_with_the_next_poll(
    fake: FakeX, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation, _ = following(follower, fake, answers)
    installation.poll()
    installation.poll()
    assert installation.ids() == ["11", "13"]
    monkeypatch.setattr(read_again, "product_version", lambda: "99")
    monkeypatch.setattr(unread_posts, "normalise_page", newer)
    installation.poll()
    assert installation.ids() == ["11", "12", "13"]
    assert {item.content.text for item in installation.items()} >= {"An odd post"}
    assert installation.rows("SELECT id FROM unread_entry") == []
