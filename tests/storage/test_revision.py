"""Test the stream's row: the time of the last change, and whether anything changed or was removed since a mark."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text, update

from aggregator.domain.activity import Review, Upstream
from storage.tables.stream import actor, stream
from tests.building import add_source, an_activity, decide, ingest_now

if TYPE_CHECKING:
    from aggregator.domain.stream import StreamMark
    from storage.store import Store


def _mark(store: Store) -> StreamMark:
    with store.reading() as tx:
        return tx.stream.state.mark()


def _altered(store: Store, since: StreamMark) -> int:
    with store.reading() as tx:
        return tx.stream.state.altered(since)


def test_what_is_added_alters_nothing(store: Store) -> None:
    source = add_source(store)
    before = _mark(store)
    ingest_now(store, source, [an_activity("a"), an_activity("b")])
    assert _mark(store).revision > before.revision
    assert _altered(store, before) == 0


def test_what_is_edited_hidden_or_withdrawn_alters_it(store: Store) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity("a"), an_activity("b"), an_activity("c")])
    before = _mark(store)
    ingest_now(store, source, [an_activity("a", title="Edited"), an_activity("d")])
    assert before.revision < _altered(store, before) <= _mark(store).revision

    before = _mark(store)
    decide(store, [2], Review.HIDDEN)
    assert _altered(store, before) == _mark(store).revision

    before = _mark(store)
    with store.writing() as tx:
        tx.compliance.withdraw({"web:c": "purged"}, Upstream.GONE, datetime.now(UTC))
    assert _altered(store, before) == _mark(store).revision


def test_what_came_and_went_since_alters_it(store: Store) -> None:
    source = add_source(store)
    before = _mark(store)
    ingest_now(store, source, [an_activity("a")])
    decide(store, [1], Review.HIDDEN)
    assert _altered(store, before) == _mark(store).revision


def test_a_person_s_new_name_alters_it(store: Store) -> None:
    ingest_now(store, add_source(store), [an_activity("a")])
    before = _mark(store)
    with store.writing() as tx:
        revision = tx.stream.state.take(1)
        tx.stream._connection.execute(update(actor).values(name="Another", revision=revision))
    assert _altered(store, before) == revision


def test_when_it_changed_is_stored_and_never_goes_back(store: Store) -> None:
    began = datetime.now(UTC)
    ingest_now(store, add_source(store), [an_activity("a")])
    first = _mark(store).changed
    assert first is not None
    assert began <= first <= datetime.now(UTC)
    with store.writing() as tx:  # by a writer whose clock is ahead
        tx.stream._connection.execute(update(stream).values(changed=first + timedelta(hours=1)))
    with store.writing() as tx:
        tx.stream.state.take(1)
    assert _mark(store).changed == first + timedelta(hours=1)


def test_a_vanished_client_keeps_the_lock_for_seconds_only(postgresql_store: Store) -> None:
    limit = text("SHOW idle_in_transaction_session_timeout")
    with postgresql_store.writing() as tx:
        assert tx.stream.state._connection.execute(limit).scalar_one() == "10s"
    with postgresql_store.writing(lock_stream=False) as tx:  # the same connection, from the pool
        assert tx.stream.state._connection.execute(limit).scalar_one() == "1min"
