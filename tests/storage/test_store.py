"""Test that closing the store closes its connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from storage.store import Store

if TYPE_CHECKING:
    from typing import Any


def is_closed(connection: Any) -> bool:
    try:
        return bool(getattr(connection, "closed", None) or connection.execute("SELECT 1") is None)
    except Exception:  # noqa: BLE001  # each driver has its own
        return True


def test_a_connection_in_use_while_it_closes_is_closed_when_it_is_given_back(store: Store) -> None:
    other = Store.open(store.engine.url.render_as_string(hide_password=False))
    with other.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        raw_connection = connection.connection.dbapi_connection
        other.close()
        assert not is_closed(raw_connection)
        connection.rollback()

    assert is_closed(raw_connection)
