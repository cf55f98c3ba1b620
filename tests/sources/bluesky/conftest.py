"""Provide an AppView on loopback, which the installation reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sources.bluesky.server import AppView, app_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@pytest.fixture
def server() -> Iterator[AppView]:
    with app_view() as server:
        yield server


@pytest.fixture
def service_settings(server: AppView) -> Mapping[str, str]:
    return {"AGGREGATOR_BLUESKY_API": server.address}
