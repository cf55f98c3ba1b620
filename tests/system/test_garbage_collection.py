"""Test that servers exempt what their start created from garbage collection."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import gc
from aggregator.system.garbage_collection import collect_rarely, settle
collect_rarely()
before = gc.get_threshold()[0]
settle()
print(before > gc.get_threshold()[0], gc.get_freeze_count() > 1000, len(gc.get_objects()) < 1000)
"""


def test_a_server_no_longer_looks_at_the_objects_of_its_start() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "True", "True"]
