"""Translate the texts of pages by gettext catalogues, into the language of the request.

Code and templates contain the English texts. The language is a context variable: the reader sets it for each request,
and where it is not set, as at the review desk, texts stay English. Catalogues are compiled in memory on first use, so
that an installation needs no build step.
"""

from __future__ import annotations

import gettext as standard
import re
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from io import BytesIO
from typing import TYPE_CHECKING

from aggregator.domain.languages import PSEUDO, SOURCE, text_language
from aggregator.text.directions import is_right_to_left

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from babel.messages.catalog import Catalog

_FOLDER = "locales"
_COUNTS = 200  # numbers that are tried to find all plural forms
# In the pseudo-locale everything but placeholders and tags gets accents.
_ACCENTS = str.maketrans("aceinouyACEINOUY", "áçéíñóúýÁÇÉÍÑÓÚÝ")
_KEPT = re.compile(r"(%\(\w+\)[sd]|%%|</?[^>]+>)")


@dataclass(frozen=True, slots=True)
class Language:
    """The language of a page."""

    tag: str = SOURCE  # of its texts
    locale: str = ""  # of dates and names (BCP 47), "": the installation's
    path: str = ""  # the beginning of the paths of its pages, "/fr"; "": the only language

    @classmethod
    def of(cls, locale: str, path: str = "") -> Language:
        """Return the language for a locale (BCP 47)."""
        return cls(text_language(locale), locale, path)

    @property
    def direction(self) -> str:
        """The direction of writing, as in HTML."""
        return "rtl" if is_right_to_left(self.tag, "") else "ltr"


ENGLISH = Language()
_current: ContextVar[Language] = ContextVar("language", default=ENGLISH)


def current_language() -> Language:
    """Return the language of this context."""
    return _current.get()


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Use a language within the block."""
    token = _current.set(language)
    try:
        yield
    finally:
        _current.reset(token)


def translatable(text: str) -> str:
    """Mark a text for the catalogues; it is translated where it is used."""
    return text


def gettext(text: str, **values: object) -> str:
    """Return a text in the current language, with values for its placeholders."""
    found = translations(_current.get().tag).gettext(text)
    return found % values if values else found


def ngettext(singular: str, plural: str, count: int, **values: object) -> str:
    """Return the form of a text for a number, which is its placeholder `num`."""
    return plural_form(singular, plural, count) % {"num": count, **values}


def plural_form(singular: str, plural: str, count: int) -> str:
    """Return the form of a text for a number, with its placeholders."""
    return translations(_current.get().tag).ngettext(singular, plural, count)


def plural_forms(singular: str, plural: str) -> Mapping[str, str]:
    """Return the forms of a text by their category (CLDR), with placeholders, for scripts."""
    from babel import Locale

    tag = _current.get().tag
    rule, chosen = Locale.parse(tag.partition("-")[0]).plural_form, translations(tag)
    return {rule(count): chosen.ngettext(singular, plural, count) for count in reversed(range(_COUNTS))}


def native_name(tag: str) -> str:
    """Return the name of a language in that language: "Français"."""
    from babel import Locale

    name = Locale.parse(tag, sep="-").get_display_name(tag) if tag != PSEUDO else None
    return (name[0].upper() + name[1:]) if name else tag


@lru_cache(maxsize=16)
def translations(tag: str) -> standard.NullTranslations:
    """Return the translations to a language."""
    if tag == SOURCE:
        return standard.NullTranslations()
    from babel.messages.mofile import write_mo

    compiled = BytesIO()
    write_mo(compiled, _pseudo() if tag == PSEUDO else _catalogue(f"{tag}/LC_MESSAGES/messages.po", tag))
    compiled.seek(0)
    return standard.GNUTranslations(compiled)


def _catalogue(name: str, tag: str | None = None) -> Catalog:
    from babel.messages.pofile import read_po

    content = (resources.files("aggregator.web") / _FOLDER / name).read_bytes()
    return read_po(BytesIO(content), locale=tag, abort_invalid=True)


def _pseudo() -> Catalog:
    """Return a catalogue that has every text of the template with accents."""
    template = _catalogue("messages.pot")
    template.locale = "en"
    for entry in template:
        if isinstance(entry.id, str):
            entry.string = accented(entry.id)
        else:
            entry.string = tuple(map(accented, entry.id))
    return template


def accented(text: str) -> str:
    """Return a text with accents, in brackets so that its end can be seen."""
    if not text:
        return text
    parts = _KEPT.split(text)
    return "⟦" + "".join(part if place % 2 else part.translate(_ACCENTS) for place, part in enumerate(parts)) + "⟧"
