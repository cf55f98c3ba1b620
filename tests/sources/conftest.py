"""Provide an installation that reads simulated services on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.config.settings import Settings
from aggregator.container import Container

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from storage.store import Store


@pytest.fixture
def service_settings() -> Mapping[str, str]:
    """Give the variables that lead to the service; kinds whose sources don't name it override this."""
    return {}


@pytest.fixture
def container(store: Store, service_settings: Mapping[str, str], tmp_path: Path) -> Iterator[Container]:
    container = Container(
        Settings.from_environment(
            {
                "AGGREGATOR_DATA_DIR": str(tmp_path),
                "AGGREGATOR_DATABASE_URL": store.engine.url.render_as_string(hide_password=False),
                "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
                "AGGREGATOR_HOST_SPACING": "0",
                **service_settings,
            }
        )
    )
    yield container
    container.close()
