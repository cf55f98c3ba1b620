"""Provide the fixtures of the etiquette tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.etiquette.publisher import Polling, Publisher, Time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage.store import Store


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    """Give a publisher on loopback."""
    with Publisher() as publisher:
        yield publisher


@pytest.fixture
def time() -> Time:
    """Give a clock."""
    return Time()


@pytest.fixture
def polling(time: Time, tmp_path: Path, sqlite_url: str, sqlite_store: Store) -> Iterator[Polling]:
    """Give a container on SQLite that may reach the publisher and never waits for a host."""
    del sqlite_store  # made and migrated
    polling = Polling(
        time,
        {
            "AGGREGATOR_DATA_DIR": str(tmp_path),
            "AGGREGATOR_DATABASE_URL": sqlite_url,
            "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
            "AGGREGATOR_HOST_SPACING": "0",
            "AGGREGATOR_CONTACT_URL": "https://ops.example/contact",
            "AGGREGATOR_POLLS_PER_MINUTE": "120",
        },
    )
    yield polling
    polling.container.close()
