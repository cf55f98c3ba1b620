"""Provide an AppView on loopback, which the installation reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sources.bluesky.jetstream_server import Jetstream, jetstream
from tests.sources.bluesky.push_installation import Installation, without_pauses
from tests.sources.bluesky.server import AppView, app_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from storage.store import Store


@pytest.fixture
def server() -> Iterator[AppView]:
    with app_view() as server:
        yield server


@pytest.fixture
def service_settings(server: AppView) -> Mapping[str, str]:
    return {"AGGREGATOR_BLUESKY_API": server.address}


@pytest.fixture
def stream() -> Iterator[Jetstream]:
    with jetstream() as stream:
        yield stream


@pytest.fixture
def installation(
    server: AppView, stream: Jetstream, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Installation]:
    without_pauses(monkeypatch)
    url = store.engine.url.render_as_string(hide_password=False)
    installation = Installation(server, stream, tmp_path, url)
    yield installation
    for container in installation.containers:
        container.close()
