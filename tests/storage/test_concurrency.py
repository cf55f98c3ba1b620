"""Test concurrent writers on PostgreSQL: no deadlock, and no decision on an outdated state."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from sqlalchemy import event, text

from aggregator.domain.activity import Review
from aggregator.domain.errors import UnreadableError
from aggregator.domain.moderation.decisions import Decided, DecisionAction
from aggregator.domain.polling.results import Failure, FetchResult
from aggregator.domain.source import Policy
from aggregator.services.ingest import Ingest, PollTerms
from aggregator.source_api.kind import PollContext
from tests.building import NOON, add_source, an_activity, ingest_now, token
from tests.services.test_ingest import LEASE, Scripted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aggregator.domain.source import Source
    from storage.store import Store

PATIENCE = 20.0  # seconds


def test_an_approval_publishes_only_the_words_that_were_seen(postgresql_store: Store) -> None:
    """A person approves while a poll that brings other words is between its first look and its end."""
    store = postgresql_store
    source = add_source(store, policy=Policy.HOLD)
    first = an_activity("1", text="Words that ana read.")
    ingest_now(store, source, [first])
    with store.reading() as tx:
        seen = tx.stream.activities.known(source.id, ["1"])["1"].id
        item = tx.stream.activities.get(seen)
    assert item is not None
    outcome: list[Decided] = []

    def approve() -> None:
        with store.writing() as tx:
            outcome.append(
                tx.moderation.decisions.decide({item.id: item.revision}, DecisionAction.APPROVE, who="ana", now=NOON)
            )

    edit = replace(first, content=replace(first.content, text="Words that nobody read."), entry_digest="edit")
    with _runs_beside(store, approve, after="activity.entry_digest"):
        ingest_now(store, source, [edit])

    with store.reading() as tx:
        after = tx.stream.activities.get(item.id)
    assert after is not None
    assert len(outcome) == 1
    assert after.review is Review.WAITING or after.content.text == "Words that ana read."
    assert after.content.text == "Words that nobody read." or outcome[0].done


@pytest.mark.parametrize("change", ["policy", "pause", "ask"])
def test_a_poll_and_a_change_of_its_source_end_both(postgresql_store: Store, change: str) -> None:
    store = postgresql_store
    source = add_source(store, "news", kind="scripted")

    def changing() -> None:
        with store.writing() as tx:
            if change == "policy":
                tx.polling.sources.change(source.id, policy=Policy.HOLD.value)
            elif change == "pause":
                tx.moderation.audit.note(NOON, "ana", "paused a source", "source:news", {})
                tx.polling.sources.set_state(source.id, source.state, "", NOON)
            else:
                tx.moderation.audit.note(NOON, "ana", "asked for a poll", "source:news", {})
                tx.polling.schedule.ask([source.id], NOON)

    with _runs_beside(store, changing, after="FROM source \nWHERE source.id ="):
        reports = _poll(store, source, FetchResult([an_activity("1")]))

    assert reports == {"new"} or (reports, change) == ({"failed"}, "pause")  # which takes the lease away


def test_a_policy_that_changes_during_a_poll_counts_for_what_the_poll_brings(store: Store) -> None:
    source = add_source(store, "news", kind="scripted", policy=Policy.AUTO)

    def change() -> None:
        with store.writing() as tx:
            tx.polling.sources.change(source.id, policy=Policy.HOLD.value)

    _poll(store, source, FetchResult([an_activity("1")]), during=change)
    with store.reading() as tx:
        item = tx.stream.activities.get(tx.stream.activities.known(source.id, ["1"])["1"].id)
    assert item is not None
    assert item.review is Review.WAITING


def test_many_writers_at_once_never_deadlock(postgresql_store: Store) -> None:
    """Polls, desk and command line change the same few sources and items from eight threads."""
    store = postgresql_store
    sources = [add_source(store, f"s{n}", kind="scripted", host=f"h{n}.example:443") for n in range(4)]
    for source in sources:
        ingest_now(store, source, [an_activity(f"{source.slug}-{n}") for n in range(3)])
    ids = [source.id for source in sources]

    def store_new(n: int) -> None:
        _poll(store, sources[n % 4], FetchResult([an_activity(f"new-{n}"), an_activity(f"{sources[n % 4].slug}-0")]))

    def fail(n: int) -> None:
        _poll(store, sources[n % 4], Failure(UnreadableError("no feed")))

    def decide(_: int) -> None:
        with store.writing() as tx:
            tx.moderation.decisions.decide(dict.fromkeys(range(1, 12)), DecisionAction.HIDE, who="ana", now=NOON)

    def steer(n: int) -> None:
        with store.writing() as tx:
            tx.polling.sources.change(ids[n % 4], policy=Policy.HOLD.value)
            tx.polling.schedule.ask(ids[:: 1 if n % 2 else -1], NOON)
            tx.polling.schedule.wake(["unreadable"], NOON)
            tx.moderation.audit.note(NOON, "ana", "changed a source", "source:s0", {})

    def lease(_: int) -> None:
        mine = token()
        with store.writing() as tx:
            claimed = tx.polling.schedule.claim_these(ids, NOON, lease=LEASE, token=mine)
        with store.writing() as tx:
            tx.polling.schedule.renew([source.id for source in claimed], mine, NOON + LEASE)
            tx.polling.schedule.release(ids, mine)

    actions: list[Callable[[int], None]] = [store_new, fail, decide, steer, lease]
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(actions[n % 5], n) for n in range(100)]
    assert [future.exception() for future in running if future.exception()] == []


def test_what_changes_the_stream_without_its_lock_is_refused(store: Store) -> None:
    source = add_source(store)
    with pytest.raises(RuntimeError, match=r"Store\.writing"), store.writing(lock_stream=False) as tx:
        tx.polling.sources.change(source.id, policy=Policy.HOLD.value)
    with pytest.raises(RuntimeError, match=r"Store\.writing"), store.writing(lock_stream=False) as tx:
        tx.polling.schedule.release([source.id], "token")


def _poll(
    store: Store, source: Source, outcome: FetchResult | Failure, *, during: Callable[[], None] | None = None
) -> set[str]:
    mine = token()
    with store.writing() as tx:
        tx.polling.schedule.claim_these([source.id], NOON, lease=LEASE, token=mine)
    with store.writing() as tx:
        batch = tx.polling.schedule.renew([source.id], mine, NOON + LEASE)
    if during:
        during()
    context = PollContext(cast("Any", None), lambda: NOON, cast("Any", None))
    kind = Scripted({source.slug: outcome})
    reports = asyncio.run(Ingest(store, {"scripted": kind}, context, PollTerms(mine, {})).run(batch))
    return {report.outcome for report in reports}


@contextmanager
def _runs_beside(store: Store, work: Callable[[], None], *, after: str) -> Iterator[None]:
    """Start work in a thread after a statement of this one, and go on when it has ended or waits for a lock."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # handed to the test
            errors.append(error)

    thread = threading.Thread(target=run)
    caller: list[int] = []

    def start(*given: Any) -> None:
        if after in given[2] and not caller:
            caller.append(threading.get_ident())
            thread.start()
            deadline = time.monotonic() + PATIENCE
            while thread.is_alive() and not _waits_for_lock(store) and time.monotonic() < deadline:
                thread.join(0.02)

    event.listen(store.engine, "after_cursor_execute", start)
    try:
        yield
    finally:
        event.remove(store.engine, "after_cursor_execute", start)
        assert caller, "the statement did not come"
        thread.join(PATIENCE)
    assert errors == []


def _waits_for_lock(store: Store) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with store.engine.connect() as connection:
        return bool(connection.execute(text(waiting)).scalar())
