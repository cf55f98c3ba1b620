"""Test pushed events of many accounts in the whole stack; `make bench ARGS="jetstream"` does the same for longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.jetstream import Load, measure, show

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(900)]


def test_under_load_every_post_is_stored_once_and_deletions_are_quick(
    postgresql_url: str, redis_url: str, tmp_path: Path
) -> None:
    load = Load(accounts=200, rate=50.0, seconds=45.0, disconnect=20.0)
    result = measure(load, tmp_path, postgresql_url, redis_url)
    show(load, result)
    assert result.events > 0.9 * load.rate * load.seconds
    assert result.cuts == 2
    assert (result.missing, result.doubled, result.surplus) == (0, 0, 0)
    assert len(result.delays) > 20
    assert result.delay(0.999) < 15  # 5 s on a machine that does nothing else
