"""Close the databases of examined subjects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.services.doctor.subjects import opened

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def closed_stores() -> Iterator[None]:
    yield
    while opened:
        opened.pop().close()
