"""Find or install the real browser of the page tests.

`python -m tests.chromium` (part of `make test`) installs Debian's Chromium when it runs as root on Debian, and prints
instructions elsewhere. Chromium's headless shell is the same engine without a user interface: it needs a quarter less
CPU. Ubuntu's `chromium` package is a stub that only points to a snap; it is not taken for a browser.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

_PREFERRED = "chromium-headless-shell"
NAMES = (_PREFERRED, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW = (
    "No Chromium: page tests are skipped. On Debian: apt-get install chromium; elsewhere put chromium or google-chrome "
    "on the path."
)


def find() -> str | None:
    """Return the path of a working browser, or None."""
    for name in NAMES:
        path = shutil.which(name)
        if path and _answers(path):
            return path
    return None


def _answers(path: str) -> bool:
    try:
        version = subprocess.run([path, "--version"], check=False, capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return version.returncode == 0 and b"snap" not in version.stderr.lower()


def _may_install() -> bool:
    release = Path("/etc/os-release")
    return os.geteuid() == 0 and release.exists() and "ID=debian" in release.read_text(encoding="utf-8").splitlines()


def main() -> None:
    """Install a browser where that is allowed; else say how to get one."""
    if shutil.which(_PREFERRED) is None and _may_install():
        print("Installing Chromium for the page tests (once)", flush=True)
        _install(_PREFERRED, "fonts-noto-core")
        if not find():
            _install("chromium", "fonts-noto-core")
    if not find():
        print(HOW, file=sys.stderr)


def _install(*packages: str) -> None:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=False, env=environ)
    subprocess.run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
        check=False,
        env=environ,
        stdout=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    main()
