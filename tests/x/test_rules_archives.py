"""Test requirement 24: an account's archive waits for review, or is looked up; deleted posts never become visible."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from aggregator.cli.source_edit import import_archive
from aggregator.domain.errors import BadRequestError
from tests.sources.twitter.archives import archive, archived

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aggregator.demo.world import Account, Post
    from tests.x.following import Following, Time
    from tests.x_api.upstream import SimulatedUpstream

    Follower = Callable[..., Following]

DAYS = 60


@pytest.fixture
def desk(x: SimulatedUpstream) -> Account:
    return x.world.add_account("desk_example")


@pytest.fixture
def posts(x: SimulatedUpstream, desk: Account, time: Time) -> list[Post]:
    """Give posts, of which the oldest one is deleted, and one is a repost."""
    other = x.world.add_account("other")
    original = x.world.write(other, "Somebody else's words", time() - timedelta(days=100))
    found = [x.world.write(desk, f"Day {day}", time() - timedelta(days=day)) for day in range(DAYS, 0, -1)]
    found.append(x.world.repost(desk, original, time() - timedelta(hours=1)))
    x.world.delete(found[0])
    return found


@pytest.fixture
def path(tmp_path: Path, desk: Account, posts: list[Post]) -> Path:
    account = f'[{{"account": {{"accountId": "{desk.id}", "username": "desk_example"}}}}]'
    items = [
        archived(post.id, post.text, created_at=post.created.strftime("%a %b %d %H:%M:%S %z %Y")) for post in posts
    ]
    return archive(tmp_path / "twitter.zip", items, account=account)


@pytest.fixture
def following(follower: Follower, x: SimulatedUpstream, path: Path) -> Following:
    """Give an installation that follows the account and has its newest posts."""
    del path  # after its posts
    installation = follower(x.url)
    installation.follow("@desk_example")
    installation.poll()
    return installation


def run(following: Following, path: Path, *, check: bool) -> tuple[int, int]:
    work = following.container.account_archive(following.source("desk-example"), path)
    work.run(check=check, report=lambda: None)
    return work.done.stored, work.done.missing


def test_x_24_unchecked_posts_wait_for_review(following: Following, path: Path, posts: list[Post]) -> None:
    before, paid = len(following.items(limit=500)), following.ledger()[1]
    assert run(following, path, check=False) == (DAYS + 1 - before, 0)
    assert len(following.items(limit=500)) == before
    rows = following.rows("SELECT review, review_reason, native_id FROM activity WHERE review = 'waiting'")
    assert str(posts[0].id) in {row.native_id for row in rows}  # the archive does not say that it is deleted
    assert {row.review_reason for row in rows} == {"from an account's archive, not checked at its network"}
    assert following.ledger()[1] == paid


def test_x_24_checked_posts_are_shown_as_they_are_now_and_deleted_ones_left_out(
    following: Following, path: Path, posts: list[Post]
) -> None:
    before, paid = len(following.items(limit=500)), following.ledger()[1]
    assert run(following, path, check=True) == (DAYS - before, 1)
    assert len(following.items(limit=500)) == DAYS
    assert str(posts[0].id) not in following.ids()
    assert following.ledger()[1] - paid == DAYS - before
    assert run(following, path, check=True) == (0, 1)  # nothing is stored twice


def test_x_24_an_archive_of_another_account_is_refused(following: Following, tmp_path: Path) -> None:
    with pytest.raises(BadRequestError, match=r"archive of @desk_example \(id 7\)"):
        run(following, archive(tmp_path / "other.zip", [archived(1, "Mine")]), check=False)


def test_x_24_purged_posts_stay_away(following: Following, path: Path, posts: list[Post]) -> None:
    following.container.purge.post("x", str(posts[1].id))
    for check in (False, True):
        run(following, path, check=check)
    assert str(posts[1].id) not in following.ids()


def test_x_24_the_command_shows_the_cost_and_imports(
    following: Following, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in following.environ.items():
        monkeypatch.setenv(name, value)
    missing = DAYS + 1 - len(following.items(limit=500))
    refused = CliRunner().invoke(import_archive, ["desk-example", str(path), "--check"])
    assert f"{missing} new posts; looking them up costs about $" in str(refused.exception)
    done = CliRunner().invoke(import_archive, ["desk-example", str(path)])
    assert done.exit_code == 0, done.output
    assert f"desk-example: {missing} posts imported, which wait for review." in done.output


def test_x_24_a_feed_takes_no_archive(following: Following, path: Path) -> None:
    [source] = following.follow("search:#plan")
    with pytest.raises(BadRequestError, match="follows no account"):
        following.container.account_archive(source, path).count(check=False)
