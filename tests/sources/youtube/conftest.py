"""Provide YouTube on loopback, which the installation reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sources.youtube.server import KEY, YouTube, youtube

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@pytest.fixture
def server() -> Iterator[YouTube]:
    with youtube() as server:
        yield server


@pytest.fixture
def key() -> str:
    """Give the API key of the installation; "" for none."""
    return KEY


@pytest.fixture
def service_settings(server: YouTube, key: str) -> Mapping[str, str]:
    addresses = {
        "AGGREGATOR_YOUTUBE_SITE": server.address,
        "AGGREGATOR_YOUTUBE_API": f"{server.address}/youtube/v3",
        "AGGREGATOR_YOUTUBE_QUOTA": "200",
    }
    return {**addresses, "AGGREGATOR_YOUTUBE_API_KEY": key} if key else addresses
