"""Install Debian's packages that tests need, where that is allowed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_POLICY = Path("/usr/sbin/policy-rc.d")


def may_install() -> bool:
    """Return whether this process is root on Debian."""
    release = Path("/etc/os-release")
    return os.geteuid() == 0 and release.exists() and "ID=debian" in release.read_text(encoding="utf-8").splitlines()


def install(*packages: str) -> None:
    """Install packages; no service of theirs is started, as in a container."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    ours = not _POLICY.exists()
    if ours:
        _POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        _POLICY.chmod(0o755)
    try:
        subprocess.run(["apt-get", "update", "-qq"], check=False, env=environ)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
            check=False,
            env=environ,
            stdout=subprocess.DEVNULL,
        )
    finally:
        if ours:
            _POLICY.unlink()
