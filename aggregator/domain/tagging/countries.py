"""Return country names in their forms and languages, from Babel's Unicode locale data. Pure."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from babel import Locale, UnknownLocaleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Territories with codes of their own that aren't countries. Many share their name with other things (Jersey, Réunion),
# so that matching them would cause errors; the configuration can add their names.
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
    """Yield the codes (ISO 3166, two capitals) of all countries."""
    territories = _territories("en")
    return (code for code in territories if _CODE.fullmatch(code) and code not in _TERRITORIES)


def name(code: str, language: str) -> str:
    """Return the name of a country in a language (BCP 47), or its code if unknown."""
    return _territories(language).get(code) or _territories("en").get(code, code)


def spellings(code: str, languages: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each spelling of a country's name with its language: `("Ivory Coast", "en")`."""
    for language in languages:
        name = _territories(language).get(code)
        if name is None:
            continue
        parted = _IN_BRACKETS.fullmatch(name)
        for part in parted.groups() if parted else (name,):
            yield part, language
            if "&" in part:
                yield part.replace("&", _AND.get(language, "&")), language
            if _SAINT.search(part):
                yield _SAINT.sub("Saint ", part), language


def is_language(tag: str) -> bool:
    """Return whether country names are available in a language."""
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
    return {str(code): str(name) for code, name in locale.territories.items()}


def sort_key(name: str) -> str:
    """Return the sort key of a name, ignoring case and accents."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(character for character in plain if not unicodedata.combining(character))
