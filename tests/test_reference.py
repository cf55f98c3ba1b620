"""Check that the reference in docs/ matches the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_reference_is_what_the_code_says(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ROOT / "scripts" / "make-reference"), str(tmp_path)], check=True)
    for name in ("settings.md", "commands.md"):
        written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
        assert (tmp_path / name).read_text(encoding="utf-8") == written, "run scripts/make-reference"
