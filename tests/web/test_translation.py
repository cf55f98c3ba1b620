"""Test that the catalogues have every text of the public pages, whole and with the same placeholders."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from datetime import UTC, date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from babel.messages.pofile import read_po

from aggregator.domain.languages import PSEUDO, SOURCE, TRANSLATED, best_language, text_language
from aggregator.domain.networks import all_networks
from aggregator.sources import kinds
from aggregator.web.dates import Dates
from aggregator.web.pages import Pages
from aggregator.web.translation import (
    Language,
    accented,
    current_language,
    gettext,
    native_name,
    ngettext,
    plural_forms,
    speaking,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from babel.messages.catalog import Catalog, Message

ROOT = Path(__file__).parents[2]
LOCALES = ROOT / "aggregator" / "web" / "locales"
OTHERS = tuple(language for language in TRANSLATED if language != SOURCE)
PLACEHOLDER = re.compile(r"%\((\w+)\)s")
TAG = re.compile(r"</?\w+>")


def catalogue(language: str) -> Catalog:
    with (LOCALES / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def template() -> Catalog:
    with (LOCALES / "messages.pot").open("rb") as file:
        return read_po(file, abort_invalid=True)


def texts(message: Message) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the forms in English, and those of the translation."""
    ids = (message.id,) if isinstance(message.id, str) else message.id
    strings = (message.string,) if isinstance(message.string, str) else message.string
    return tuple(ids), tuple(string or "" for string in strings or ())


def test_the_files_are_those_that_the_script_extracts() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "update-translations"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_each_language_has_a_folder() -> None:
    assert {path.name for path in LOCALES.iterdir() if path.is_dir()} == set(OTHERS)


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_is_whole(language: str) -> None:
    found, expected = catalogue(language), template()
    assert {message.id for message in found} == {message.id for message in expected}
    for message in found:
        if message.id:
            ids, strings = texts(message)
            assert not message.fuzzy, message.id
            assert all(strings), message.id
            assert len(strings) == (1 if len(ids) == 1 else found.num_plurals), message.id


@pytest.mark.parametrize("language", OTHERS)
def test_translations_keep_placeholders_and_tags(language: str) -> None:
    for message in catalogue(language):
        if not message.id:
            continue
        ids, strings = texts(message)
        expected = set(PLACEHOLDER.findall(ids[-1]))
        for string in strings:
            names = set(PLACEHOLDER.findall(string))
            # A language may have a word of its own for one or two.
            assert expected - names <= ({"num"} if len(ids) > 1 else set()), (message.id, string)
            assert names <= expected, (message.id, string)
            assert sorted(TAG.findall(string)) == sorted(TAG.findall(ids[-1])), (message.id, string)
            # They stand in attributes, where a quotation mark would end the value.
            assert not set('"<>') & set(TAG.sub("", string)), string
            assert string.count("%") == len(PLACEHOLDER.findall(string)), string


@pytest.mark.parametrize("language", OTHERS)
def test_many_have_their_number(language: str) -> None:
    with speaking(Language.of(language)):
        for count in (3, 11, 100, 1204):
            assert str(count) in ngettext("%(num)s item", "%(num)s items", count)


def test_arabic_has_six_forms() -> None:
    with speaking(Language.of("ar")):
        found = [ngettext("%(num)s day", "%(num)s days", count) for count in (0, 1, 2, 3, 11, 100)]
        assert found == ["0 يوم", "يوم واحد", "يومان", "3 أيام", "11 يومًا", "100 يوم"]
        assert set(plural_forms("%(num)s day", "%(num)s days")) == {"zero", "one", "two", "few", "many", "other"}
    assert plural_forms("%(num)s day", "%(num)s days") == {"one": "%(num)s day", "other": "%(num)s days"}


def _marked() -> Iterator[str]:
    """Yield the texts that code passes to the functions of translation."""
    for package in ("reader", "web"):
        for path in (ROOT / "aggregator" / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = {"gettext", "ngettext", "translatable", "plural_forms"}
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                    text = node.args[0]
                    if isinstance(text, ast.Constant) and isinstance(text.value, str):
                        yield text.value


def test_no_text_of_the_code_is_missed_by_the_extraction() -> None:
    known = {texts(message)[0][0] for message in template()}
    assert set(_marked()) - known == set()


def test_the_nouns_of_all_networks_are_translated() -> None:
    kinds()  # registers the networks
    known = {texts(message)[0][0] for message in template()}
    nouns = [noun for network in all_networks() for noun in network.nouns.values()]
    assert nouns
    assert {name for noun in nouns for name in (noun.singular, noun.plural) if name} - known == set()
    assert {f"%(who)s {noun.past}" for noun in nouns if noun.past} - known == set()


def test_without_a_language_texts_are_english() -> None:
    assert current_language().tag == "en"
    assert gettext("Search") == "Search"
    with speaking(Language.of("de-AT")):
        assert (current_language().tag, gettext("Search")) == ("de", "Suchen")
    assert gettext("Search") == "Search"


def test_a_locale_without_a_translation_has_english_texts() -> None:
    locales = ("it", "id", "pt-BR", "zh-Hant", PSEUDO)
    assert [text_language(locale) for locale in locales] == ["en", "en", "pt", "en", PSEUDO]
    assert Language.of("it").locale == "it"


def test_the_pseudo_locale_keeps_placeholders_and_tags() -> None:
    assert accented("<bdi>%(name)s</bdi> does not answer.") == "⟦<bdi>%(name)s</bdi> dóés ñót áñswér.⟧"
    with speaking(Language.of(PSEUDO)):
        assert gettext("%(title)s: events", title="News") == "⟦News: évéñts⟧"
        assert gettext("not in the template") == "not in the template"


def test_languages_have_their_own_names() -> None:
    names = ["English", "Français", "Español", "Deutsch", "العربية", "Português"]
    assert [native_name(tag) for tag in TRANSLATED] == names


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ([("fr-ca", 1.0), ("en", 0.8)], "fr"),
        ([("ar", 0.5), ("fr", 0.9)], "fr"),
        ([("de", 1.0), ("ar", 0.1)], "ar"),
        ([("fr", 0.0), ("de", 1.0)], None),
        ([("*", 1.0)], None),
        ([], None),
    ],
)
def test_the_best_language_is_the_visitors(accepted: list[tuple[str, float]], chosen: str | None) -> None:
    assert best_language(accepted, ("en", "fr", "ar")) == chosen


def test_templates_translate_variables_by_the_filter_that_escapes() -> None:
    for path in (ROOT / "aggregator").glob("*/templates/*"):
        assert not re.search(r"(?<!n)gettext\((?!\")|\b_\((?!\")|ngettext\((?!\")", path.read_text("utf-8")), path


def test_pages_without_a_language_keep_the_dates_of_the_installation() -> None:
    """The review desk is in English, with dates in the language of the installation."""
    pages = Pages(["aggregator.review"], dates=Dates.of(UTC, "fr"), public_url=None, prefix="/stream", home="/review")
    today = date(2026, 3, 2)
    assert pages.dates.day(today) == "2 mars 2026"
    assert pages.dates.heading(today, today) == "Today"
    assert pages.page_link("/review") == "/stream/review"
    with speaking(Language.of("de", "/de")):
        assert pages.dates.day(today) == "2. März 2026"
        assert pages.page_link("/stats") == "/stream/de/stats"
