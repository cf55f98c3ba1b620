"""Test the configuration folder: reloaded after changes, and unaffected by invalid edits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from aggregator.config.portal_folder import COUNTRIES, ORGANIZATIONS, PORTAL, TOPICS, Configuration
from aggregator.domain.errors import ConfigurationError
from aggregator.domain.portal_page import BlockType, Portal

if TYPE_CHECKING:
    from pathlib import Path

TOPIC = "[topics.{}]\nlabel = 'A'\n"


def write(path: Path, text: str) -> None:
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before + 1_000_000_000, before + 1_000_000_000))  # clocks of file systems may be coarse


def test_without_a_folder_nothing_is_configured(tmp_path: Path) -> None:
    for folder in (None, tmp_path):
        read = Configuration(folder)
        read.check()
        assert read.tagger is None
        assert not read.portal.blocks
        assert not read.organizations
        assert not read.vocabulary.topics


def test_an_edit_counts_at_once_and_a_broken_one_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / TOPICS, TOPIC.format("one"))
    read = Configuration(tmp_path)
    assert [topic.slug for topic in read.vocabulary.topics] == ["one"]
    first = read.stamp

    write(tmp_path / TOPICS, TOPIC.format("two"))
    assert [topic.slug for topic in read.vocabulary.topics] == ["two"]
    assert read.stamp != first

    write(tmp_path / TOPICS, "[topics")
    assert [topic.slug for topic in read.vocabulary.topics] == ["two"]
    assert [topic.slug for topic in read.vocabulary.topics] == ["two"]
    assert capsys.readouterr().out.count("configuration not read") == 1
    with pytest.raises(ConfigurationError, match=r"topics\.toml"):
        Configuration(tmp_path).check()

    write(tmp_path / COUNTRIES, "iso2,country\nGH,Ghana\n")
    write(tmp_path / TOPICS, TOPIC.format("three"))
    assert [item.code for item in read.vocabulary.participants] == ["GH"]


def test_organizations_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / ORGANIZATIONS, "[organizations.a]\naccounts = ['x:a', 'x:b']\n")
    read = Configuration(tmp_path)
    assert read.organizations.by_account.keys() == {"x:a", "x:b"}

    write(tmp_path / ORGANIZATIONS, "[organizations.a]\naccounts = ['x:a', 'b']\n")
    assert read.organizations.by_account.keys() == {"x:a", "x:b"}
    assert "Line 2" in capsys.readouterr().out
    with pytest.raises(ConfigurationError, match=r"organizations\.toml: Line 2"):
        Configuration(tmp_path).check()


def test_a_portal_is_read(tmp_path: Path) -> None:
    write(tmp_path / PORTAL, "name = 'P'\n[[block]]\ntype = 'social'\ntitle = 'S'\naccounts = ['@OpenGovPart']\n")

    portal = Configuration(tmp_path).portal
    assert (portal.name, portal.blocks[0].type, portal.blocks[0].accounts) == (
        "P", BlockType.SOCIAL, frozenset({"opengovpart"}),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("block = 1", "block"),
        ("[[block]]\ntype = 'x'\ntitle = 't'", r"block\.1\.type"),
        ("[[block]]\ntype = 'news'", r"block\.1\.title"),
        ("[[block]]\ntype = 'news'\ntitle = 't'\nlimit = 0", r"block\.1\.limit"),
        ("[[block]]\ntype = 'news'\ntitle = 't'\nwhat = 1", "what"),
        ("[[block]]\ntype = 'social'\ntitle = 't'\naccounts = ['a b']", "a handle"),
        ("[[block]]\ntype = 'news'\ntitle = 't'\ncountries = ['Ghana']", "two capitals"),
        ("[[block]]\ntype = 'stream'\ntitle = 't'\n[[block]]\ntype = 'stream'\ntitle = 't'", "one is enough"),
    ],
)
def test_a_broken_portal_is_refused_in_a_sentence(toml: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        Portal.of(toml)
