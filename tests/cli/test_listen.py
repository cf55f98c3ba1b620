"""Test `aggregator listen`: it reports a missing setting, listens until it is stopped, and can be checked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from aggregator.demo import SAMPLE_TOKEN
from tests.reader.serving import until
from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from storage.store import Store

pytestmark = pytest.mark.long
COMMAND = (sys.executable, "-m", "aggregator", "listen")


@pytest.fixture
def x() -> Iterator[SimulatedUpstream]:
    with SimulatedUpstream(lambda: datetime.now(UTC), empty=True) as upstream:
        yield upstream


@pytest.fixture
def environ(tmp_path: Path, sqlite_url: str, sqlite_store: Store, x: SimulatedUpstream) -> Mapping[str, str]:
    del sqlite_store  # made and migrated
    return {
        **os.environ,
        "AGGREGATOR_DATA_DIR": str(tmp_path),
        "AGGREGATOR_DATABASE_URL": sqlite_url,
        "AGGREGATOR_X_BASE_URL": x.url,
        "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN,
        "AGGREGATOR_X_ACTIVITY": "yes",
    }


def test_without_the_setting_it_names_it(environ: Mapping[str, str]) -> None:
    done = subprocess.run(
        COMMAND, env={**environ, "AGGREGATOR_X_ACTIVITY": "no"}, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr == "aggregator: No network pushes events; enable it with "
        "AGGREGATOR_BLUESKY_JETSTREAM or AGGREGATOR_X_ACTIVITY.\n"
    )


def test_it_listens_until_it_is_stopped_and_can_be_checked(environ: Mapping[str, str], x: SimulatedUpstream) -> None:
    check = (*COMMAND, "--check")
    before = subprocess.run(check, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert (before.returncode, before.stdout) == (1, "")
    assert "No process listens to x" in before.stderr
    with subprocess.Popen(COMMAND, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        until(lambda: x.x.activity.connections == 1, seconds=60)
        during = subprocess.run(check, env=environ, capture_output=True, text=True, check=False, timeout=60)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert (during.returncode, during.stdout, during.stderr) == (0, "", "")
    assert process.returncode == 0
    assert b"Traceback" not in output
    assert SAMPLE_TOKEN.encode() not in output
    after = subprocess.run(check, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert after.returncode == 1
