"""Find or install the real browser of the page tests.

`python -m tests.chromium` (part of `make test`) installs Debian's Chromium when it runs as root on Debian, and prints
instructions elsewhere. Chromium's headless shell is the same engine without a user interface: it needs a quarter less
CPU. Ubuntu's `chromium` package is a stub that only points to a snap; it is not taken for a browser.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

from tests.debian_packages import install, may_install

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


def main() -> None:
    """Install a browser where that is allowed; else say how to get one."""
    if shutil.which(_PREFERRED) is None and may_install():
        print("Installing Chromium for the page tests (once)", flush=True)
        install(_PREFERRED, "fonts-noto-core")
        if not find():
            install("chromium", "fonts-noto-core")
    if not find():
        print(HOW, file=sys.stderr)


if __name__ == "__main__":
    main()
