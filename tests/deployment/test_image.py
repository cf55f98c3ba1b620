"""Check the image without an engine: copied paths exist and are not ignored, and private files stay out."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from tests.deployment.compose import ROOT
from tests.deployment.dockerfile import copied, environment, ignored, instructions, last

SOURCES = [source for source, _ in copied()]


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_copied_is_there_and_visible(source: str) -> None:
    path = ROOT / source
    assert path.exists()
    files = [path] if path.is_file() else [file for file in path.rglob("*") if "__pycache__" not in file.parts]
    assert files
    assert [file for file in files if ignored(str(file.relative_to(ROOT)))] == []


@pytest.mark.parametrize(
    "private",
    [
        ".env",
        ".git/config",
        ".venv/bin/python",
        "secrets/database_url",
        "data/aggregator.sqlite3",
        "aggregator/__pycache__/x.pyc",
        "storage/__pycache__/x.pyc",
        "tests/conftest.py",
    ],
)
def test_nothing_else_reaches_the_build(private: str) -> None:
    assert ignored(private)


def test_all_that_a_wheel_would_hold_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"])
    # Besides: the sample configuration, which a setting points to.
    requirements = {"requirements.txt", "requirements-extras.txt"}
    assert included | requirements | {"config", "pyproject.toml", project["project"]["readme"]} == set(SOURCES)


def test_both_stages_use_the_same_python_and_it_is_one_of_ours() -> None:
    images = {rest.partition(" ")[0] for word, rest in instructions() if word == "FROM"}
    assert len(images) == 1
    version = re.fullmatch(r"python:3\.(\d+)-slim-\w+", images.pop())
    assert version is not None
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    bounds = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["project"]["requires-python"])
    assert bounds is not None
    assert int(bounds[1]) <= int(version[1]) < int(bounds[2])


def test_it_runs_as_a_user_who_is_not_root_and_has_a_name() -> None:
    user, _, group = last("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0
    made = last("RUN")
    assert f"groupadd --gid {group} " in made
    assert f"useradd --uid {user} --gid {group} " in made


def test_by_itself_it_starts_the_reader() -> None:
    assert json.loads(last("CMD")) == ["aggregator", "serve"]


def test_its_data_folder_is_a_volume_of_its_user() -> None:
    folder = environment()["AGGREGATOR_DATA_DIR"]
    assert last("VOLUME") == folder
    user, _, group = last("USER").partition(":")
    assert f"install --directory --owner {user} --group {group} --mode 700 {folder}" in last("RUN")


def test_it_listens_on_the_exposed_port_of_all_addresses() -> None:
    assert environment()["AGGREGATOR_LISTEN"] == f"0.0.0.0:{last('EXPOSE')}"
