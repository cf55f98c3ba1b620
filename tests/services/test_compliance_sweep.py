"""Test the compliance sweep against a simulated X: content deleted there is removed here."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.sources.twitter.compliant_x import SECRET, CompliantX
from tests.x.following import Following, Time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from storage.store import Store

ME, OTHER = 1, 2  # accounts; both are followed
POST, REPOST, QUOTE, REPLY, ALONE = 100, 200, 210, 220, 230


@pytest.fixture
def x() -> Iterator[CompliantX]:
    with CompliantX() as x:
        x.account(ME, "desk_example")
        x.account(OTHER, "river_lab")
        x.post(POST, OTHER, "The original words")
        x.post(REPOST, ME, "RT @river_lab: The original", about=(("retweeted", POST),))
        x.post(QUOTE, ME, "My own comment", about=(("quoted", POST),))
        x.post(REPLY, ME, "My own answer", about=(("replied_to", POST),))
        x.post(ALONE, ME, "Something else")
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
        if not opened[:-1]:
            opened[0].follow("@river_lab", "@desk_example")
            opened[0].poll()
        return opened[-1]

    yield open_
    for container in opened:
        container.close()


def _shown(container: Following) -> set[int]:
    return {int(item.native_id) for item in container.items()}


def _everything(store: Store) -> str:
    """Return every row of every table, for a search through all of them."""
    from storage.tables.metadata import metadata

    with store.engine.connect() as connection:
        tables = [table for table in metadata.sorted_tables if table.name != "raw_payload"]
        return "\n".join(str(tuple(row)) for table in tables for row in connection.execute(table.select()))


def _sweep_twice(container: Following, time: Time) -> None:
    """Start jobs, and check them an hour later."""
    container.container.sweep()
    time.passes(hours=1)
    container.container.sweep()


@pytest.mark.parametrize("how", ["jobs", "lookup"])
def test_a_deleted_post_leaves_everything_after_a_sweep(
    how: str, following: Callable[..., Following], x: CompliantX, store: Store, time: Time
) -> None:
    container = following(x_sweep=how)
    assert _shown(container) == {POST, REPOST, QUOTE, REPLY, ALONE}
    with store.reading() as tx:
        before = tx.stream.state.revision()
    x.gone[POST] = "deleted"
    if how == "jobs":
        container.container.sweep()
        time.passes(hours=1)
    [report] = container.container.sweep()
    assert (report.gone, report.activities) == (1, 3)
    assert _shown(container) == {QUOTE, REPLY, ALONE}
    [quote] = [item for item in container.items() if int(item.native_id) == QUOTE]
    assert (quote.object, quote.content.text, quote.object_key) == (None, "My own comment", "x:100")
    assert "original words" not in _everything(store)
    with store.reading() as tx:
        changes = tx.stream.activities.changes(before, 100)
        assert len(changes.gone) == 2  # the post and its repost
        assert [int(activity.native_id) for activity in changes.activities] == [QUOTE]
        payloads = {item.native_id: tx.stream.activities.raw(item.id) for item in container.items()}
    assert payloads[str(QUOTE)] is None
    assert b"original" not in b"".join(filter(None, payloads.values()))


def test_polling_again_does_not_bring_it_back(following: Callable[..., Following], x: CompliantX, store: Store) -> None:
    container = following(x_sweep="lookup")
    x.gone[POST] = "deleted"
    container.container.sweep()
    x.gone.clear()  # X serves a stale copy
    x.account(3, "third_example")
    x.post(300, 3, "RT @river_lab: The original", about=(("retweeted", POST),))
    x.post(310, 3, "Third words", about=(("quoted", POST),))
    with store.writing() as tx:
        for source in tx.polling.sources.each():
            tx.polling.sources.change(source.id, fetch_state={})
    container.follow("@third_example")
    container.poll()
    assert _shown(container) == {QUOTE, REPLY, ALONE, 310}
    [quote] = [item for item in container.items() if int(item.native_id) == 310]
    assert quote.object is None
    assert "original words" not in _everything(store)


def test_a_job_goes_from_created_to_complete_over_several_sweeps(
    following: Callable[..., Following], x: CompliantX, time: Time
) -> None:
    container = following()
    x.steps = ["in_progress", "in_progress", "complete"]
    x.gone[ALONE] = "deleted"
    [first] = container.container.sweep()
    assert first.notes == ["A job over 5 posts was started.", "A job over 2 accounts was started."]
    assert sorted(x.uploaded["1000"], key=int) == ["100", "200", "210", "220", "230"]
    assert x.uploaded["1001"] == ["1", "2"]
    for _ in range(2):
        time.passes(hours=1)
        [report] = container.container.sweep()
        assert report.notes[0] == "The job over 5 posts is not finished yet."
        assert ALONE in _shown(container)
    time.passes(hours=1)
    [report] = container.container.sweep()
    assert report.notes[0] == "The job over 5 posts is complete."
    assert ALONE not in _shown(container)
    assert len(x.jobs) == 2  # the next ones are due six hours after these
    time.passes(hours=3)
    container.container.sweep()
    assert len(x.jobs) == 4
    assert x.count("GET /2/tweets") == 0


def test_a_failed_job_is_replaced(following: Callable[..., Following], x: CompliantX, time: Time) -> None:
    container = following()
    x.steps = ["failed"]
    container.container.sweep()
    x.steps = ["complete"]
    x.gone[ALONE] = "deleted"
    time.passes(hours=1)
    [report] = container.container.sweep()
    assert report.notes[:2] == [
        "The job over 5 posts has failed; a new one replaces it.",
        "A job over 5 posts was started.",
    ]
    time.passes(hours=1)
    container.container.sweep()
    assert ALONE not in _shown(container)


def test_a_job_whose_list_is_not_taken_is_replaced(
    following: Callable[..., Following], x: CompliantX, time: Time
) -> None:
    container = following()
    x.upload_status = 503
    [report] = container.container.sweep()
    assert "X's file store responded to the upload of a compliance job with status 503" in report.notes[0]
    x.upload_status = 200
    time.passes(hours=1)
    [report] = container.container.sweep()
    assert report.notes == ["A job over 5 posts was started.", "A job over 2 accounts was started."]


def test_where_jobs_are_refused_posts_are_looked_up(following: Callable[..., Following], x: CompliantX) -> None:
    container = following()
    x.refusing = 403
    x.gone[ALONE] = "deleted"
    [report] = container.container.sweep()
    assert "X does not allow this call" in report.notes[0]
    assert (report.looked_up, report.gone) == (5, 1)
    assert ALONE not in _shown(container)


def test_jobs_alone_look_nothing_up(following: Callable[..., Following], x: CompliantX) -> None:
    container = following(x_sweep="jobs")
    x.refusing = 403
    container.container.sweep()
    assert x.count("GET /2/tweets") == 0


def test_switched_off_asks_nothing(following: Callable[..., Following], x: CompliantX) -> None:
    container = following(x_sweep="off")
    x.requests.clear()
    assert container.container.sweep()[0].notes == ["The sweep is disabled (AGGREGATOR_X_SWEEP=off)."]
    assert x.requests == []


def test_a_post_is_looked_up_once_a_day(following: Callable[..., Following], time: Time) -> None:
    container = following(x_sweep="lookup")
    container.container.sweep()
    time.passes(hours=23)
    assert container.container.sweep()[0].looked_up == 0
    time.passes(hours=2)
    assert container.container.sweep()[0].looked_up == 5


def test_with_the_budget_gone_nothing_is_looked_up(following: Callable[..., Following], x: CompliantX) -> None:
    container = following().beside(x_sweep="lookup", x_budget="0.001")
    x.requests.clear()
    [report] = container.container.sweep()
    assert (report.looked_up, x.count("GET /2/tweets")) == (0, 0)
    assert report.notes == ["Today's compliance budget is used up; a later sweep continues."]


@pytest.mark.parametrize(("fate", "upstream"), [("protected", "protected"), ("suspended", "gone")])
def test_what_is_protected_or_suspended_goes_as_well(
    fate: str, upstream: str, following: Callable[..., Following], x: CompliantX
) -> None:
    container = following(x_sweep="lookup")
    x.gone[POST] = fate
    container.container.sweep()
    assert _shown(container) == {QUOTE, REPLY, ALONE}
    rows = container.rows("SELECT upstream, gone_reason FROM activity WHERE gone IS NOT NULL ORDER BY id")
    assert [tuple(row) for row in rows] == [
        (upstream, f"its account on X is {fate}"),
        (upstream, f"its original: its account on X is {fate}"),
    ]


@pytest.mark.parametrize("withheld", [{"copyright": True, "country_codes": []}, {"country_codes": ["XX"]}])
def test_what_is_withheld_everywhere_goes(
    withheld: dict[str, object], following: Callable[..., Following], x: CompliantX
) -> None:
    container = following(x_sweep="lookup")
    x.posts[POST].withheld = {"copyright": False, **withheld}
    container.container.sweep()
    assert _shown(container) == {QUOTE, REPLY, ALONE}
    assert {row[0] for row in container.rows("SELECT upstream FROM activity WHERE gone IS NOT NULL")} == {"withheld"}


def test_what_is_withheld_in_some_countries_says_so(following: Callable[..., Following], x: CompliantX) -> None:
    container = following(x_sweep="lookup")
    x.posts[ALONE].withheld = {"copyright": False, "country_codes": ["TR", "DE"]}
    [report] = container.container.sweep()
    assert (report.gone, report.updated) == (0, 1)
    [post] = [item for item in container.items() if int(item.native_id) == ALONE]
    assert post.content.withheld == ("DE", "TR")
    assert post.content.url == "https://x.com/desk_example/status/230"


def test_an_edit_is_taken_over(following: Callable[..., Following], x: CompliantX, time: Time) -> None:
    container = following(x_sweep="lookup")
    x.edit(ALONE, 235, "Something else, put right")
    [report] = container.container.sweep()
    assert report.updated == 1
    [post] = [item for item in container.items() if int(item.native_id) == ALONE]
    assert (post.content.text, post.content.edited) == ("Something else, put right", True)
    assert post.content.url == "https://x.com/desk_example/status/235"
    time.passes(hours=25)
    x.gone[ALONE] = x.gone[235] = "deleted"  # the newest version is checked now
    container.container.sweep()
    assert ALONE not in _shown(container)


def test_an_unchanged_post_is_not_written(following: Callable[..., Following], store: Store) -> None:
    container = following(x_sweep="lookup")
    with store.reading() as tx:
        before = tx.stream.state.revision()
    assert container.container.sweep()[0].updated == 0
    with store.reading() as tx:
        assert tx.stream.state.revision() == before


def test_an_account_that_is_gone_takes_all_it_said_along(
    following: Callable[..., Following], x: CompliantX, store: Store, time: Time
) -> None:
    container = following()
    x.people_gone[OTHER] = "suspended"
    _sweep_twice(container, time)
    assert _shown(container) == {QUOTE, REPLY, ALONE}
    with store.reading() as tx:
        assert tx.stream.actors.known("x", ["2"])["2"].name == "Removed account"
    assert "original words" not in _everything(store)


def test_a_second_sweep_at_the_same_time_does_nothing(following: Callable[..., Following], time: Time) -> None:
    container = following()
    with container.container.store.writing() as tx:
        assert tx.compliance.claim("sweep:x", time(), time.passes(minutes=15))
    time.passes(minutes=-15)
    assert container.container.sweep()[0].notes == ["Another sweep is running."]
    time.passes(minutes=16)  # the lease's holder is dead
    assert container.container.sweep()[0].notes != ["Another sweep is running."]


def test_a_worker_that_dies_between_download_and_storing_costs_nothing(
    following: Callable[..., Following], x: CompliantX, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = following()
    x.gone[ALONE] = x.gone[POST] = "deleted"
    container.container.sweep()
    time.passes(hours=1)

    def dies(*_: object, **__: object) -> None:
        raise SystemError("killed")

    with monkeypatch.context() as killed:
        killed.setattr("aggregator.services.compliance_sweep.ComplianceSweep._withdraw", dies)
        with pytest.raises(SystemError):
            container.container.sweep()
    assert _shown(container) == {POST, REPOST, QUOTE, REPLY, ALONE}
    container.container.sweep()
    assert _shown(container) == {QUOTE, REPLY}
    assert len(container.rows("SELECT id FROM audit WHERE what = 'post gone'")) == 2


def test_the_address_of_a_file_is_told_nowhere(
    following: Callable[..., Following], x: CompliantX, store: Store, time: Time, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    container = following()
    x.upload_status = 500
    container.container.sweep()
    x.upload_status = 200
    time.passes(hours=1)
    _sweep_twice(container, time)
    assert x.uploaded
    assert SECRET not in caplog.text
    assert SECRET not in "".join(capfd.readouterr())
    assert SECRET not in _everything(store)


def test_what_went_is_in_the_audit(
    following: Callable[..., Following], x: CompliantX, store: Store, time: Time
) -> None:
    container = following()
    x.gone[POST] = "deleted"
    _sweep_twice(container, time)
    with store.reading() as tx:
        [note] = tx.moderation.audit.of("x:100")
    detail = note["detail"]
    assert (note["who"], note["what"], detail["how"], detail["reason"]) == (
        "system", "post gone", "job 1000", "deleted on X",
    )  # fmt: skip
    assert (detail["at"], detail["activities"]) == ("2026-05-04T12:30:00+00:00", 3)


def test_nothing_held_asks_nothing(time: Time, tmp_path: Path, store: Store, x: CompliantX) -> None:
    url = store.engine.url.render_as_string(hide_password=False)
    container = Following(time, x.url, str(tmp_path), url)
    assert container.container.sweep()[0].notes == ["No posts of x are stored."]
    assert x.requests == []
    container.close()
