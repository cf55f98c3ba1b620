"""Recognize the names of months and weekdays in many languages. Pure.

The names are those of the Unicode CLDR. A name that means different months in two languages ("listopad") gives both.
"""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from babel import Locale, UnknownLocaleError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHORTEST = 3  # letters of an abbreviation
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ENGLISH = {name: frozenset({number}) for number, name in enumerate(_NAMES, start=1)}
_ENGLISH_DAYS = {
    name[:end]: frozenset({number})
    for number, name in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))
    for end in (_SHORTEST, None)
}
# The weekdays that English words may mean in all languages, so that most feeds need no other names.
_QUICK_DAYS = {**dict.fromkeys(_NAMES, frozenset[int]()), "mar": frozenset({1}), **_ENGLISH_DAYS}
# Most feeds use one of the first; loading the names of a language takes milliseconds.
_USUAL = (
    *("en", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "uk", "cs", "sk", "sl", "hr", "bs", "sr_Latn", "sr", "bg"),
    *("ro", "hu", "tr", "el", "sv", "da", "nb", "fi", "id", "vi", "ar", "he"),
)
_OTHERS = (
    *("be", "mk", "nn", "is", "fo", "et", "lv", "lt", "ga", "gd", "cy", "br", "eu", "ca", "gl", "oc", "eo", "lb", "fy"),
    *(
        "af",
        "sq",
        "mt",
        "ms",
        "jv",
        "fil",
        "th",
        "sw",
        "zu",
        "xh",
        "so",
        "ha",
        "yo",
        "hi",
        "bn",
        "ta",
        "te",
        "mr",
        "gu",
    ),
    *("kn", "ml", "pa", "ur", "ne", "si", "fa", "ps", "ar_LB", "ar_MA", "ar_DZ", "ar_TN", "hy", "ka", "az", "kk", "ky"),
    *("uz", "tg", "tk", "mn", "am", "km", "lo", "my", "de_AT", "pt_PT", "es_MX", "fr_CA"),
)
# Abbreviations in use beside those of the CLDR.
_MORE = {
    "de": "jän:1 jaen:1 mrz:3 maerz:3 okt:10 dez:12",
    "fr": "janv:1 fev:2 févr:2 avr:4 juil:7 juill:7 aoû:8 dec:12",
    "es": "ene:1 abr:4 ago:8 set:9 setiembre:9 sept:9 dic:12",
    "it": "gen:1 mag:5 giu:6 lug:7 ago:8 set:9 sett:9 ott:10 dic:12",
    "pt": "fev:2 abr:4 mai:5 ago:8 set:9 out:10 dez:12",
    "nl": "mrt:3 mei:5 okt:10",
    "ru": "янв:1 фев:2 мар:3 апр:4 мая:5 май:5 июн:6 июл:7 авг:8 сен:9 сент:9 окт:10 ноя:11 нояб:11 дек:12",
    "en": "sept:9",
    "id": "agu:8 agt:8 ags:8 nop:11 pebruari:2 nopember:11 okt:10 des:12 mei:5",
    "hu": "szept:9 okt:10 máj:5",
    "tr": "şub:2 ağu:8 eyl:9 eki:10 kas:11 ara:12",
}
_FOLDED = str.maketrans({"\u0131": "i", "ł": "l", "đ": "d", "ø": "o", "æ": "ae", "ß": "ss", "\u2019": "'"})


def months(word: str, language: str = "") -> frozenset[int]:
    """Return the numbers of the months that a name or its abbreviation may mean, in the feed's language if known."""
    if language in {"", "en"} and word.lower() in _QUICK_DAYS:
        return _ENGLISH.get(word.lower(), frozenset())
    return _months(word, language)


def weekdays(word: str) -> frozenset[int]:
    """Return the weekdays (Monday is 0) that a name or its abbreviation may mean in some language."""
    name = folded(word)
    quick = _QUICK_DAYS.get(name)
    return _weekday_table().get(name, frozenset()) if quick is None else quick


def folded(word: str) -> str:
    """Return a word without case, diacritics of Latin letters and dots, for comparisons."""
    text = unicodedata.normalize("NFKC", word).casefold().strip(".'\u2019-").translate(_FOLDED)
    if text.isascii():
        return text
    plain = [part for part in unicodedata.normalize("NFD", text) if part < "\u0300" or part > "\u036f"]
    return unicodedata.normalize("NFC", "".join(plain)).translate(_FOLDED)


@lru_cache(maxsize=1024)
def _months(word: str, language: str) -> frozenset[int]:
    name = folded(word)
    own = (language,) if language.isascii() and language.isalpha() else ()
    found = _month_table(own).get(name)
    if found:
        return found
    if name in _QUICK_DAYS:  # also in many feeds of other languages
        return _ENGLISH.get(name, frozenset())
    return _month_table(_USUAL).get(name) or _month_table(_OTHERS).get(name) or frozenset()


@lru_cache(maxsize=64)
def _month_table(locales: tuple[str, ...]) -> dict[str, frozenset[int]]:
    """Return months by name, and by beginnings of at least three letters that are unique in their language."""
    whole: dict[str, set[int]] = {}
    begun: dict[tuple[str, str], set[int]] = {}
    for language, number, name in (*_named("months", locales), *_more(locales)):
        whole.setdefault(name, set()).add(number)
        for end in range(_SHORTEST, len(name)):
            begun.setdefault((language, name[:end]), set()).add(number)
    table: dict[str, set[int]] = {}
    for (_, name), numbers in begun.items():
        if len(numbers) == 1:
            table.setdefault(name, set()).update(numbers)
    return {name: frozenset(numbers) for name, numbers in (table | whole).items()}


@cache
def _weekday_table() -> dict[str, frozenset[int]]:
    table: dict[str, set[int]] = {}
    for _, number, name in _named("days", (*_USUAL, *_OTHERS, "ja", "ko", "zh")):
        for part in {name, name.partition("-")[0]}:
            table.setdefault(part, set()).add(number)
    for number, names in enumerate(("mo 月 월", "tue tues di 火 화", "wed mi 水 수", "thu thur thurs do 木 목")):
        for name in names.split():
            table.setdefault(name, set()).add(number)
    for number, names in enumerate(("fri fr 金 금", "sat sa 土 토", "sun so 日 일"), start=4):
        for name in names.split():
            table.setdefault(name, set()).add(number)
    return {name: frozenset(numbers) for name, numbers in table.items()}


def _named(kind: str, locales: tuple[str, ...]) -> Iterator[tuple[str, int, str]]:
    """Return the names of months or weekdays: language, number and folded name, if it is one word without digits."""
    for identifier in locales:
        try:
            locale = Locale.parse(identifier)
        except (UnknownLocaleError, ValueError):
            continue
        contexts = getattr(locale, kind)
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for number, name in contexts[context][width].items():
                    short = folded(name)
                    if short and not any(letter.isspace() or letter.isdigit() for letter in short):
                        yield locale.language, number, short


def _more(locales: tuple[str, ...]) -> Iterator[tuple[str, int, str]]:
    for language in locales:
        for pair in _MORE.get(language, "").split():
            name, _, number = pair.partition(":")
            yield language, int(number), folded(name)
