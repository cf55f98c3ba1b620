"""Test entries with changed ids: moved entries are matched, similar ones are not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.matching.entry_matching import StoredKeys, entry_keys, match_existing
from aggregator.domain.source import Policy
from aggregator.services.screen_entries import screened
from tests.building import NOON, an_activity

if TYPE_CHECKING:
    from aggregator.domain.activity import NewActivity

LONG = "A text that is long enough to be told from any other text by what it says, and not by chance alone."


def _entry(native_id: str, url: str | None, *, title: str = "Title", text: str = LONG, days: int = 0) -> NewActivity:
    return an_activity(native_id, url=url, title=title, text=text, published=NOON + timedelta(days=days))


def _held(new: NewActivity) -> StoredKeys:
    return StoredKeys(new.native_id, *entry_keys(new), new.content.title, new.content.published)


def _recognised(old: NewActivity, new: NewActivity, *present: str) -> bool:
    screening = screened(new, Policy.AUTO, NOON)
    return match_existing([screening], [_held(old)], {new.native_id, *present}) == {new.native_id: old.native_id}


OLD = _entry("http://old.example/a/1", "http://old.example/a/1")


@pytest.mark.parametrize(
    "new",
    [
        _entry("https://old.example/a/1", "https://old.example/a/1"),
        _entry("https://new.example/a/1", "https://new.example/a/1"),
        _entry("urn:uuid:42", "https://new.example/a/1", title="Title"),
        _entry("urn:uuid:42", "http://old.example/a/1", title="A better title"),
        _entry("urn:uuid:42", "https://new.example/2026/03/title"),
        _entry("urn:uuid:42", None),
    ],
    ids=["https", "other host", "other host and id", "other id and title", "other system", "no address"],
)
def test_a_moved_entry_is_recognised(new: NewActivity) -> None:
    assert _recognised(OLD, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (OLD, _entry("2", "http://old.example/a/2", text="Quite another text. " * 5)),
        (OLD, _entry("2", "http://old.example/a/1", title="Another", text="Another text. " * 9, days=1)),
        (_entry("1", "http://old.example/", days=0), _entry("2", "http://old.example/", days=7)),
        (_entry("1", None, title="Open thread", text=""), _entry("2", None, title="Open thread", text="")),
        (_entry("1", None, text="Photo"), _entry("2", None, text="Photo")),
    ],
    ids=["another", "the same address reused", "the home page as address", "weekly title", "little text"],
)
def test_what_merely_looks_alike_is_another_entry(old: NewActivity, new: NewActivity) -> None:
    assert not _recognised(old, new)


def test_what_still_stands_in_the_document_is_another_entry() -> None:
    assert not _recognised(OLD, _entry("2", "https://new.example/a/1"), OLD.native_id)


def test_each_held_entry_is_recognised_once() -> None:
    twins = [screened(_entry(name, "https://new.example/a/1"), Policy.AUTO, NOON) for name in ("x", "y")]
    assert match_existing(twins, [_held(OLD)], {"x", "y"}) == {"x": OLD.native_id}


def test_a_tag_is_compared_without_its_authority() -> None:
    old, new = (_entry(f"tag:{host},2020:posts/7", None, text="") for host in ("old.example", "new.example"))
    assert entry_keys(old).stable_key == entry_keys(new).stable_key is not None


def test_a_bare_word_is_no_alias() -> None:
    assert entry_keys(replace(_entry("42", None), native_id="42")).stable_key is None
