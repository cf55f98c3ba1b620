"""Read dates that are written for people, in any language: "jeu. 25 août 2022, 10 h 30". Pure."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, timedelta
from typing import NamedTuple

from aggregator.sources.rss.date_words import folded, months, weekdays
from aggregator.sources.rss.time_zones import Region, is_zone

EARLIEST_YEAR = 1000
_TURN = 70  # two-digit years from here on are 19xx
_NOON = 12
_HOURS, _MINUTES, _SECONDS = 24, 59, 60  # the largest: midnight at the end of a day, and a leap second
_THAI_YEARS = 543  # ahead of other calendars
_MOST_TOKENS = 40
_MOST_WORDS = 5  # before a date
_FIELDS = 3  # day, month and year
_DAYS = 31

_TIME = re.compile(
    r"(?<![\d:])(?P<before>上午|下午|午前|午後|오전|오후)?\s?(?P<hour>\d{1,2})"
    r"(?:\s?:\s?(?P<minute>\d{2})(?:\s?:\s?(?P<second>\d{2})(?:[.,:]\d{1,9})?)?(?![\d:])"
    r"|\s?[hH時时点點시]\s?(?:(?P<minute2>\d{2})(?:\s?[分분]?(?:\s?(?P<second2>\d{2})\s?[秒초])?|\s?m(?:in)?)?)?(?![\w])"
    r"|(?=\s?[ap]\.?\s?m\b))"
    r"(?:\s?(?P<half>[ap])\.?\s?m\b\.?)?",
    re.IGNORECASE,
)
_DOTTED_TIME = re.compile(
    r"(?:(?<=\s)|(?<=,))(?P<hour>[01]?\d|2[0-4])\.(?P<minute>[0-5]\d)(?:\.(?P<second>[0-5]\d))?"
    r"(?:\s?(?P<half>[ap])\.?\s?m\b\.?)?(?=$|\s(?![\d.]))",
    re.IGNORECASE,
)
_OFFSET = re.compile(
    r"\s0000(?=$|\s)|\s?(?:\(?(?:GMT|UTC|UT|Z)\s?|[A-Z]{3,5}(?=[+-]\d{2}:?\d{2}))?[+-]\d{1,2}(?::?[0-5]\d)?(?::00)?(?![\d:])\)?(?:\s?\([^()]*\)|\s[A-Z]{3,5}\b)?",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"[(（]([^()（）]{0,50})[)）]")  # noqa: RUF001 - full-width in East Asia
_NAMES_OF_ZONE = re.compile(
    r"(?i:Etc/GMT[+-]\d{1,2})|[A-Za-z\u00c0-\u017f\u0410-\u044f][A-Za-z\u00c0-\u017f\u0410-\u044f/_.]*"
)
_TOKEN = re.compile(r"(?P<number>\d+)|(?P<word>[^\W\d_][^\s\d,./()\-:;|·]*)|(?P<mark>\S)")
# Words between the parts of a date, in many languages.
_NOISE = frozenset(
    {
        *("at", "on", "of", "the", "st", "nd", "rd", "th", "t", "um", "am", "uhr", "den", "der", "dem", "del", "de"),
        *("di", "da", "do", "dos", "il", "la", "las", "los", "el", "le", "les", "à", "a", "alle", "às", "ore", "h"),
        *("hs", "hrs", "hr", "hod", "hodin", "ob", "v", "o", "kl", "klo", "o'clock", "og", "i", "y", "e", "et", "er"),
        *("re", "ª", "º", "\u0433", "года", "год", "году", "в", "\u0440", "року", "від", "м", "m", "d", "gada"),
        *("gadā", "dnia", "godz", "saat", "günü", "tarihinde", "tháng", "ngày", "năm", "lúc", "giờ", "thứ", "pukul"),
        *(
            "jam",
            "tanggal",
            "น",
            "เวลา",
            "พศ",
            "年",
            "月",
            "日",
            "号",
            "號",
            "년",
            "월",
            "일",
            "分",
            "시",
            "분",
            "ngay",
        ),
        *("thang", "nam", "luc", "an", "ár", "ta", "en", "na", "ve", "dne", "u", "lo"),
    }
)
_AFTERNOON = frozenset({"下午", "午後", "오후"})
_MONTH_FIRST = frozenset("US PH FM MH PW PR GU AS VI MP UM BZ".split())  # noqa: SIM905
_ENGLISH = frozenset({"", "en"})


class Written(NamedTuple):
    """A date as written."""

    local: datetime  # naive
    zone: str  # as written; empty: none


class _Time(NamedTuple):
    seconds: int
    start: int
    end: int
    half: bool  # with "AM" or "PM"


def full_year(digits: str) -> int:
    """Return a year from its two, three or four digits; three count from 1900 (RFC 5322, section 4.3)."""
    year = int(digits)
    if len(digits) <= 2:  # noqa: PLR2004 - written in two digits
        return year + (1900 if year >= _TURN else 2000)
    return year + 1900 if len(digits) == 3 else year  # noqa: PLR2004 - written in three digits


def seconds_of(hour: str, minute: str, second: str | None) -> int:
    """Return the seconds since midnight; a leap second, and 24:00, carry over.

    Raises:
        ValueError: there is no such time.
    """
    numbers = int(hour), int(minute), int(second or 0)
    if (
        numbers[0] > _HOURS
        or numbers[1] > _MINUTES
        or numbers[2] > _SECONDS
        or (numbers[0] == _HOURS and any(numbers[1:]))
    ):
        raise ValueError(hour)
    return numbers[0] * 3600 + numbers[1] * 60 + numbers[2]


def read_written(text: str, region: Region) -> Written | None:
    """Return the local time and zone of a date, or None if the text is none.

    Raises:
        ValueError: there is no such day or time.
    """
    text = unicodedata.normalize("NFKC", text.replace("º", " ").replace("ª", " "))
    time = _time(_TIME.search(text)) or _time(_DOTTED_TIME.search(text))
    if time is None:
        day = _day(_without_brackets(text), region, half=False)
        return Written(datetime.combine(day, datetime.min.time()), "") if day else None
    before, zone, after = text[: time.start], "", text[time.end :]
    offset = _OFFSET.match(after)
    if offset:
        zone, after = offset[0].strip(), after[offset.end() :]
    else:
        zone, after = _zone_in(after)
    if not zone and not offset:
        for inner in _BRACKETS.findall(after):
            if is_zone(inner.strip()):
                zone = inner.strip()
    day = _day(_without_brackets(f"{before} {after}"), region, half=time.half)
    if day is None:
        return None
    local = datetime.combine(day, datetime.min.time()) + timedelta(seconds=time.seconds)
    return Written(local, zone[1:-1] if zone[:1] == "(" else zone)


def _time(found: re.Match[str] | None) -> _Time | None:
    if found is None:
        return None
    part = found.groupdict()
    hour = int(part["hour"])
    half = part["half"] or ""
    before = part.get("before") or ""
    if half or before:
        if not 0 <= hour <= _NOON:
            half, before = ("", "") if hour <= _HOURS else (half, before)  # "15:30 PM"
        else:
            late = half.lower() == "p" or before in _AFTERNOON
            hour = hour % _NOON + (_NOON if late else 0)
    minute, second = part["minute"] or part.get("minute2"), part["second"] or part.get("second2")
    seconds = seconds_of(str(hour), minute or "0", second)
    return _Time(seconds, found.start(), found.end(), bool(half))


def _without_brackets(text: str) -> str:
    return _BRACKETS.sub(" ", text)


def _zone_in(after: str) -> tuple[str, str]:
    """Return the zone in a text behind a time, and the rest of the text."""
    words = list(_NAMES_OF_ZONE.finditer(after[:200]))
    for runs in (_leading(words, after), _trailing(words, after)):
        for first, last in runs:
            name = after[first:last].strip(" .")
            if _is_zone_word(name):
                return name, f"{after[:first]} {after[last:]}"
    return "", after


def _leading(words: list[re.Match[str]], text: str) -> list[tuple[int, int]]:
    """Return the longest and the shorter sequences of words at the start of a text."""
    if not words or text[: words[0].start()].strip(" ,"):
        return []
    end = next(
        (number for number in range(1, len(words)) if text[words[number - 1].end() : words[number].start()].strip()),
        len(words),
    )
    return [(words[0].start(), words[last].end()) for last in range(min(end, _MOST_WORDS) - 1, -1, -1)]


def _trailing(words: list[re.Match[str]], text: str) -> list[tuple[int, int]]:
    if not words or text[words[-1].end() :].strip(" ,."):
        return []
    return [(word.start(), words[-1].end()) for word in words[-_MOST_WORDS:]]


def _is_zone_word(name: str) -> bool:
    """Return whether a word is a zone; lower-case letters may also be another word ("et", "m")."""
    if len(name) <= 2 and not name.isupper():  # noqa: PLR2004 - letters
        return False
    return is_zone(name) and not (name.islower() and folded(name) in _NOISE)


class _Parts(NamedTuple):
    """The parts of a day as written."""

    numbers: list[str]
    marks: set[str]  # between the numbers
    month: frozenset[int]  # by its name; empty: none
    week: frozenset[int]  # weekdays that are named
    month_at: int  # number of numbers before the month


def _day(text: str, region: Region, *, half: bool) -> date | None:
    """Return the only day that a text without a time may mean."""
    parts = _parts(text, region)
    if parts is None:
        return None
    thai = region.language == "th" or any("\u0e00" <= letter <= "\u0e7f" for letter in text)
    candidates = {
        day
        for year, month, number in _orders(parts, region, half=half)
        if (day := _valid(year, month, number, thai=thai))
    }
    if len(candidates) > 1 and parts.week:
        candidates = {day for day in candidates if day.weekday() in parts.week}
    return candidates.pop() if len(candidates) == 1 else None


def _parts(text: str, region: Region) -> _Parts | None:
    numbers: list[str] = []
    marks: set[str] = set()
    named: list[tuple[int, frozenset[int], frozenset[int]]] = []  # position, months, weekdays
    tokens = list(_TOKEN.finditer(text))
    if len(tokens) > _MOST_TOKENS:
        return None
    leading = 0
    for token in tokens:
        if token["number"]:
            numbers.append(token["number"])
        elif token["word"]:
            word = token["word"]
            found, week = months(word, region.language), weekdays(word)
            if found or week:
                named.append((len(numbers), found, week))
            elif folded(word) in _NOISE or word in _NOISE:
                continue
            elif numbers or (leading := leading + 1) > _MOST_WORDS:
                return None
        elif 0 < len(numbers) < _FIELDS and token["mark"] in "-./":
            marks.add(token["mark"])
        elif numbers and token["mark"] in ":;+":
            return None
    return _chosen(numbers, marks, named)


def _chosen(
    numbers: list[str], marks: set[str], named: list[tuple[int, frozenset[int], frozenset[int]]]
) -> _Parts | None:
    """Decide which of the words is the month: "mar" is a weekday where another one follows."""
    monthly = [word for word in named if word[1]]
    if len(numbers) == _FIELDS:
        monthly = []
    elif len(monthly) > 1 and monthly[0][2]:
        monthly = monthly[1:]
    if len(monthly) > 1 or len(numbers) != _FIELDS - len(monthly):
        return None
    others = [word for word in named if word not in monthly]
    if any(not word[2] for word in others):
        return None  # a second month
    week = frozenset().union(*(word[2] for word in others)) if others else frozenset()
    return _Parts(numbers, marks, monthly[0][1] if monthly else frozenset(), week, monthly[0][0] if monthly else 0)


def _orders(parts: _Parts, region: Region, *, half: bool) -> list[tuple[str, int, int]]:
    """Return the years, months and days that the numbers may mean."""
    if not parts.month:
        return _numeric_orders(parts, region, half=half)
    first, second = parts.numbers
    year, day = (first, second) if len(first) > 2 or int(first) > _DAYS else (second, first)  # noqa: PLR2004
    return [(year, month, int(day)) for month in parts.month] if len(day) <= 2 else []  # noqa: PLR2004


def _numeric_orders(parts: _Parts, region: Region, *, half: bool) -> list[tuple[str, int, int]]:
    first, second, third = parts.numbers
    if len(first) == 4:  # noqa: PLR2004 - a year
        return [(first, int(second), int(third))]
    if len(third) not in {2, 4} or len(first) > 2 or len(second) > 2:  # noqa: PLR2004 - a year; a day or month
        return []
    day_first, month_first = (third, int(second), int(first)), (third, int(first), int(second))
    if len(third) == 2 and (parts.marks == {"-"} or int(first) > _DAYS):  # noqa: PLR2004 - written in two digits
        return [day_first, month_first, (first, int(second), int(third))]
    if not parts.marks & {"/", "-"}:
        return [day_first]
    unclear = max(int(first), int(second)) <= _NOON  # both may be a month
    if unclear and (region.countries or region.language not in _ENGLISH):
        return [month_first] if set(region.countries[:1]) & _MONTH_FIRST else [day_first]
    return [month_first] if unclear and half and not parts.week else [day_first, month_first]


def _valid(year: str, month: int, day: int, *, thai: bool) -> date | None:
    number = full_year(year)
    if thai and number > _THAI_YEARS + 1900:
        number -= _THAI_YEARS
    try:
        return date(number, month, day) if number >= EARLIEST_YEAR else None
    except ValueError:
        return None
