"""Provide a Mastodon server on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sources.mastodon.server import Mastodon, mastodon

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[Mastodon]:
    with mastodon() as server:
        yield server
