"""Countries: their names in their forms and languages, from the Unicode locale data that Babel brings. Pure."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from babel import Locale, UnknownLocaleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Territories with a code of their own that are no countries. Many of them are called like something else as well
# (Jersey, Réunion), so that finding them costs more than it brings; a configuration may add their names.
_NO_COUNTRIES = (
    "AC AI AQ AS AW AX BL BM BQ BV CC CK CP CQ CW CX DG EA EH EU EZ FK FO GF GG GI GL GP GS GU HK HM IC IM IO JE "
    "KY MF MO MP MQ MS NC NF NU PF PM PN PR QO RE SH SJ SX TA TC TF TK UM UN VG VI WF XA XB YT ZZ"
)
_TERRITORIES = frozenset(_NO_COUNTRIES.split())
_CODE = re.compile(r"[A-Z]{2}")
_IN_BRACKETS = re.compile(r"(.+?)\s*\((.+)\)")
_AND = {"en": "and", "es": "y", "fr": "et", "pt": "e", "id": "dan", "de": "und", "it": "e", "nl": "en"}
_SAINT = re.compile(r"\bSt\.? ")


def countries() -> Iterator[str]:
    """Give the codes (ISO 3166, two capitals) of all countries."""
    territories = _territories("en")
    return (code for code in territories if _CODE.fullmatch(code) and code not in _TERRITORIES)


def name(code: str, language: str) -> str:
    """Return what a country is called in a language (BCP 47); its code where nobody knows."""
    return _territories(language).get(code) or _territories("en").get(code, code)


def spellings(code: str, languages: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give every spelling of a country's name, each with its language: `("Ivory Coast", "en")`."""
    for language in languages:
        told = _territories(language).get(code)
        if told is None:
            continue
        parted = _IN_BRACKETS.fullmatch(told)
        for one in parted.groups() if parted else (told,):
            yield one, language
            if "&" in one:
                yield one.replace("&", _AND.get(language, "&")), language
            if _SAINT.search(one):
                yield _SAINT.sub("Saint ", one), language


def is_language(tag: str) -> bool:
    """Say whether names are known in a language."""
    try:
        return bool(Locale.parse(tag, sep="-").territories)
    except (UnknownLocaleError, ValueError):
        return False


@lru_cache(maxsize=32)
def _territories(language: str) -> dict[str, str]:
    try:
        locale = Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return {}
    return {str(code): str(told) for code, told in locale.territories.items()}


def sort_key(told: str) -> str:
    """Return what to order names by: without regard to case and accents."""
    plain = unicodedata.normalize("NFKD", told.casefold())
    return "".join(character for character in plain if not unicodedata.combining(character))
