"""Name the languages that pages are translated to, and choose among them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

SOURCE = "en"  # of the texts in code and templates
TRANSLATED = (SOURCE, "fr", "es", "de", "ar", "pt")
PSEUDO = "en-XA"  # for tests: texts with accents, in which an untranslated one stands out


def text_language(locale: str) -> str:
    """Return the language of pages for a locale (BCP 47): its own, or English without a translation."""
    if locale == PSEUDO:
        return PSEUDO
    language = locale.partition("-")[0].lower()
    return language if language in TRANSLATED else SOURCE


def best_language(accepted: Iterable[tuple[str, float]], offered: Collection[str]) -> str | None:
    """Return the offered language that a visitor prefers: tags with qualities, in the visitor's order."""
    found = [
        (quality, language)
        for tag, quality in accepted
        for language in offered
        if quality > 0 and tag.partition("-")[0] == language
    ]
    return max(found, key=lambda pair: pair[0])[1] if found else None
