"""Test that wrong files, modes and full disks are found."""

from __future__ import annotations

import resource
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aggregator.services.doctor.file_checks import check_folders, check_modes, check_portal
from tests.services.doctor.subjects import codes, subject

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def reachable() -> Iterator[Path]:
    """Give a folder that other users can enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_sound_folder_has_no_findings(tmp_path: Path) -> None:
    examined = subject({"DATA_DIR": str(tmp_path)})
    assert [codes(check, examined) for check in (check_folders, check_modes, check_portal)] == [set(), set(), set()]


def test_a_data_folder_that_cannot_be_made_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    assert codes(check_folders, subject({"DATA_DIR": str(tmp_path / "file" / "data")})) == {"data-dir-unwritable"}


def test_a_full_disk_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: usage)
    assert codes(check_folders, subject({"DATA_DIR": str(tmp_path)})) == {"disk-full"}


def test_a_low_limit_of_files_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, 1024))
    assert codes(check_folders, subject({"DATA_DIR": str(tmp_path)})) == {"open-files-limited"}


def test_an_invalid_file_of_the_portal_is_found(tmp_path: Path) -> None:
    (tmp_path / "topics.toml").write_text("[[[", encoding="utf-8")
    assert codes(check_portal, subject({"DATA_DIR": str(tmp_path), "CONFIG_DIR": str(tmp_path)})) == {"portal-invalid"}


@pytest.mark.parametrize(("mode", "found"), [(0o644, True), (0o640, True), (0o600, False)], ids=oct)
def test_a_secret_file_that_others_can_read_is_found(reachable: Path, mode: int, found: bool) -> None:
    secret = reachable / "key"
    secret.write_text("k" * 43, encoding="ascii")
    secret.chmod(mode)
    examined = subject({"DATA_DIR": str(reachable / "data"), "SECRET_KEY_FILE": str(secret)})
    assert codes(check_modes, examined) == ({"secret-file-readable"} if found else set())
    reachable.chmod(0o700)  # then they can't reach it
    assert codes(check_modes, examined) == set()


def test_a_generated_key_and_a_database_that_others_can_read_are_found(reachable: Path) -> None:
    for name in ("secret-key", "aggregator.sqlite3"):
        (reachable / name).write_text("k" * 43, encoding="ascii")
        (reachable / name).chmod(0o644)
    found = codes(check_modes, subject({"DATA_DIR": str(reachable)}))
    assert found == {"secret-key-readable", "database-readable"}
