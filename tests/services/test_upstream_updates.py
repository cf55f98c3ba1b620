"""Test that changes at a network reach every activity that shows the post, within the reserve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.domain.activity import ActivityKind
from tests.sources.twitter.compliant_x import CompliantX
from tests.x.following import START, Following, Time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from aggregator.domain.activity import Activity
    from storage.store import Store

ME, OTHER, STRANGER = 1, 2, 3  # the stranger is not followed
ORIGINAL, REPOST, SECOND, QUOTE = 100, 200, 201, 210


@pytest.fixture
def x() -> Iterator[CompliantX]:
    with CompliantX() as x:
        for number, name in ((ME, "desk_example"), (OTHER, "river_lab"), (STRANGER, "stranger")):
            x.account(number, name)
        x.post(ORIGINAL, STRANGER, "The vote is on Monday")
        x.post(REPOST, ME, "RT @stranger: The vote is on Monday", about=(("retweeted", ORIGINAL),))
        x.post(SECOND, OTHER, "RT @stranger: The vote is on Monday", about=(("retweeted", ORIGINAL),))
        x.post(QUOTE, OTHER, "Note this", about=(("quoted", ORIGINAL),))
        yield x


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def following(time: Time, tmp_path: Path, store: Store, x: CompliantX) -> Iterator[Callable[..., Following]]:
    opened: list[Following] = []

    def open_(**settings: str) -> Following:
        url = store.engine.url.render_as_string(hide_password=False)
        opened.append(Following(time, x.url, str(tmp_path), url, **settings))
        opened[-1].follow("@desk_example", "@river_lab")
        opened[-1].poll()
        return opened[-1]

    yield open_
    for container in opened:
        container.close()


def item(container: Following, native_id: int) -> Activity:
    [found] = [item for item in container.items() if item.native_id == str(native_id)]
    return found


def originals(container: Following) -> dict[int, tuple[str, bool]]:
    """Return the text of the embedded originals, and whether they are marked as edited, by native id."""
    found = [(item.native_id, item.object.content) for item in container.items() if item.object]
    return {int(native_id): (content.text, content.edited) for native_id, content in found}


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


TUESDAY = ("The vote is on Tuesday", True)


@pytest.mark.parametrize("how", ["lookup", "auto"])
def test_an_edited_original_is_shown_by_every_repost_and_quote(
    how: str, following: Callable[..., Following], x: CompliantX, time: Time
) -> None:
    container = following(x_sweep=how)
    x.edit(ORIGINAL, 150, "The vote is on Tuesday")
    time.passes(days=2)
    [report] = container.container.sweep()
    assert report.updated == 3
    assert originals(container) == {REPOST: TUESDAY, SECOND: TUESDAY, QUOTE: TUESDAY}
    assert {item.content.text for item in container.items()} == {"", "Note this"}
    before = len(x.looked_up)
    time.passes(days=2)
    [report] = container.container.sweep()
    assert report.updated == 0  # and it stays so, although reposts still refer to the first version
    assert originals(container)[REPOST] == TUESDAY
    assert all(ids != [ORIGINAL] for ids in x.looked_up[before:])  # the newest version is checked from now on


def test_an_edit_that_a_poll_brings_reaches_the_reposts_of_others(
    following: Callable[..., Following], x: CompliantX
) -> None:
    container = following(x_sweep="off")
    x.edit(ORIGINAL, 350, "The vote is on Tuesday")
    container.follow("@stranger")
    container.poll()
    assert originals(container) == {REPOST: TUESDAY, SECOND: TUESDAY, QUOTE: TUESDAY}


def test_an_original_is_looked_up_once_when_its_edit_window_has_ended(
    following: Callable[..., Following], x: CompliantX, time: Time
) -> None:
    x.posts[ORIGINAL].editable_until = stamp(START.replace(hour=13))
    container = following()
    x.edit(ORIGINAL, 150, "The vote is on Tuesday")
    time.passes(minutes=30)
    container.container.sweep()
    assert x.looked_up == []
    time.passes(minutes=40)
    [report] = container.container.sweep()
    assert x.looked_up == [[ORIGINAL], [150]]
    assert (report.updated, originals(container)[REPOST]) == (3, TUESDAY)
    time.passes(hours=1)
    container.container.sweep()
    assert len(x.looked_up) == 2


def test_an_original_that_x_did_not_return_is_added_to_every_repost(
    following: Callable[..., Following], x: CompliantX, time: Time
) -> None:
    x.forgotten.add(ORIGINAL)
    container = following()
    assert not item(container, REPOST).content.complete
    assert originals(container) == {}
    time.passes(hours=1)
    [report] = container.container.sweep()
    assert x.looked_up == [[ORIGINAL]]
    assert report.updated == 3
    monday = ("The vote is on Monday", False)
    assert originals(container) == {REPOST: monday, SECOND: monday, QUOTE: monday}
    repost = item(container, REPOST)
    assert (repost.content.kind, repost.content.text, repost.content.complete) == (ActivityKind.REPOST, "", True)
    time.passes(hours=1)
    container.container.sweep()
    assert len(x.looked_up) == 1  # nothing is missing any more


def test_a_removed_original_does_not_return(following: Callable[..., Following], x: CompliantX, time: Time) -> None:
    container = following(x_sweep="lookup")
    x.gone[ORIGINAL] = "deleted"
    container.container.sweep()
    assert [found.native_id for found in container.items()] == [str(QUOTE)]
    x.gone.clear()
    for _ in range(3):
        time.passes(days=1)
        container.container.sweep()
    assert originals(container) == {}
    assert all(ORIGINAL not in ids for ids in x.looked_up[1:])


def test_where_jobs_work_a_withheld_post_is_found_by_the_rota(
    following: Callable[..., Following], x: CompliantX, time: Time
) -> None:
    x.post(300, ME, "Words that a court forbids")
    container = following()
    x.posts[300].withheld = {"copyright": True, "country_codes": ["XY"]}
    time.passes(hours=20)
    container.container.sweep()
    assert x.looked_up == []  # read less than a day ago
    for _ in range(3):
        time.passes(days=1)
        container.container.sweep()
    assert "300" not in {found.native_id for found in container.items()}


def test_the_rota_stays_within_the_reserve(following: Callable[..., Following], x: CompliantX, time: Time) -> None:
    for number in range(300, 400):
        x.post(number, ME, f"Words {number}")
    container = following()
    spent = container.ledger()[3]
    for _ in range(24 * 4):
        time.passes(hours=1)
        container.container.sweep()
    by_rota = container.ledger()[3] - spent
    assert 0 < by_rota <= max(0.1 * spent, 4 * 10 * 0.005) + 0.015
    container = container.beside(x_reserve="0")
    before = len(x.looked_up)
    time.passes(days=9)
    container.container.sweep()
    assert len(x.looked_up) == before


def test_an_older_version_that_x_includes_later_does_not_stay(
    following: Callable[..., Following], x: CompliantX, time: Time
) -> None:
    container = following(x_sweep="lookup")
    x.edit(ORIGINAL, 150, "The vote is on Tuesday")
    time.passes(days=2)
    container.container.sweep()
    x.post(400, ME, "And this", about=(("quoted", ORIGINAL),))  # with the first version, as X includes it
    container.poll()
    assert originals(container)[400] == originals(container)[REPOST] == TUESDAY


def test_reading_a_repost_again_with_an_older_version_changes_nothing(
    following: Callable[..., Following], x: CompliantX, store: Store, time: Time
) -> None:
    container = following(x_sweep="lookup")
    x.edit(ORIGINAL, 150, "The vote is on Tuesday")
    time.passes(days=2)
    container.container.sweep()
    with store.writing() as tx:
        for source in tx.polling.sources.each():
            tx.polling.sources.change(source.id, fetch_state={})
    assert [report.changed for report in container.poll()] == [0, 0]
    assert originals(container) == {REPOST: TUESDAY, SECOND: TUESDAY, QUOTE: TUESDAY}
