"""Test the audit log: it is append-only, and tampering is detected with its position."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.building import NOON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from storage.moderation.audit_log import Verified
    from storage.store import Store

LINES = 9


def filled(store: Store) -> None:
    for number in range(1, LINES + 1):
        with store.writing() as tx:
            tx.moderation.audit.note(
                NOON + timedelta(seconds=number), "ana", "hid", f"activity:{number}", {"reason": "ünïcode 🙂"}
            )


@pytest.fixture
def attacker(store: Store) -> Iterator[Connection]:
    """Give a connection of a user with all privileges in the database."""
    filled(store)
    with store.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        else:
            connection.execute(text("DROP TRIGGER audit_stands_update"))
            connection.execute(text("DROP TRIGGER audit_stands_delete"))
        yield connection


def verified(store: Store, connection: Connection) -> Verified:
    connection.commit()
    with store.reading() as tx:
        return tx.moderation.audit.verify()


def test_an_untouched_history_verifies(store: Store) -> None:
    filled(store)
    with store.reading() as tx:
        found = tx.moderation.audit.verify()
    assert (found.lines, found.broken, found.why) == (LINES, None, "")


@pytest.mark.parametrize("statement", ["UPDATE audit SET who = 'ben' WHERE id = 3", "DELETE FROM audit WHERE id = 3"])
def test_the_database_itself_refuses_to_change_the_history(store: Store, statement: str) -> None:
    filled(store)
    with store.engine.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.execute(text(statement))


@pytest.mark.parametrize("line", [1, 5, LINES])
@pytest.mark.parametrize(
    "change",
    [
        "who = 'ben'",
        "what = 'approved'",
        "subject = 'activity:99'",
        "batch = 'x'",
        'detail = \'{"reason": "other"}\'',
        "at = '2026-03-02 11:00:00.000000'",
        "hash = 'abc'",
    ],
    ids=lambda change: change.partition(" ")[0],
)
def test_a_changed_line_is_found_with_its_place(store: Store, attacker: Connection, line: int, change: str) -> None:
    if store.engine.dialect.name == "postgresql":
        change = change.replace(".000000'", "Z'")
    attacker.execute(text(f"UPDATE audit SET {change} WHERE id = {line}".replace(":00", "\\:00")))

    found = verified(store, attacker)

    assert found.broken is not None
    assert (found.broken.id, found.lines) == (line, line - 1)


@pytest.mark.parametrize("line", [1, 5])
def test_a_line_that_was_taken_out_is_found(store: Store, attacker: Connection, line: int) -> None:
    attacker.execute(text(f"DELETE FROM audit WHERE id = {line}"))

    found = verified(store, attacker)

    assert found.broken is not None
    assert found.broken.id == line + 1


def test_an_end_that_was_taken_off_is_found(store: Store, attacker: Connection) -> None:
    attacker.execute(text(f"DELETE FROM audit WHERE id >= {LINES - 1}"))

    found = verified(store, attacker)

    assert found.broken is None
    assert found.why == "the log ends with line 7, but line 9 was written: the end was removed"


def test_two_lines_that_changed_places_are_found(store: Store, attacker: Connection) -> None:
    for place, other in ((3, 100), (4, 3), (100, 4)):
        attacker.execute(text(f"UPDATE audit SET id = {other} WHERE id = {place}"))

    found = verified(store, attacker)

    assert found.broken is not None
    assert found.broken.id == 3


def test_a_line_that_was_put_in_is_found(store: Store, attacker: Connection) -> None:
    attacker.execute(
        text(
            "INSERT INTO audit (id, at, who, what, subject, detail, batch, hash) "
            f"SELECT {LINES + 1}, at, who, what, 'activity\\:1', detail, batch, hash FROM audit WHERE id = 1"
        )
    )

    found = verified(store, attacker)

    assert found.broken is not None
    assert found.broken.id == LINES + 1


def test_writers_at_once_make_one_chain(store: Store) -> None:
    def write(who: str) -> None:
        for number in range(10):
            with store.writing() as tx:
                tx.moderation.audit.notes(
                    NOON, who, "hid", [(f"activity:{number}", {}), (f"activity:{number + 1}", {})]
                )

    threads = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with store.reading() as tx:
        found = tx.moderation.audit.verify()
    assert (found.lines, found.why) == (80, "")


def test_pages_lead_through_all_of_it(store: Store) -> None:
    filled(store)
    seen: list[int] = []
    before = None
    with store.reading() as tx:
        while page := tx.moderation.audit.page(before=before, limit=4):
            seen += [note["id"] for note in page]
            before = seen[-1]
        assert [note["id"] for note in tx.moderation.audit.page(subject="activity:4")] == [4]
        assert tx.moderation.audit.page(who="ben") == []
        assert len(tx.moderation.audit.page(subject="activity:")) == LINES
    assert seen == list(range(LINES, 0, -1))
