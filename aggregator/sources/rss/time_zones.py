"""Resolve the names of time zones that feeds write: "CEST", "Eastern Time", "Europe/Berlin". Pure.

An abbreviation denotes a fixed offset, as mail and feed software uses it: "EST" in September is still five hours behind
UTC. Several regions share some abbreviations; the country of a feed decides between them, and else the commonest one.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

if TYPE_CHECKING:
    from aggregator.sources.rss.document import Document

_LONGEST = 60  # characters of a name

_FIXED = """
UTC 0 UT 0 GMT 0 Z 0 WET 0 EGST 0 ZULU 0 WEST 1 CET 1 MEZ 1 MET 1 WAT 1 CEST 2 MESZ 2 MEST 2 EET 2 OEZ 2 CAT 2 SAST 2
WAST 2 EEST 3 OESZ 3 MSK 3 \u041c\u0421\u041a 3 EAT 3 TRT 3 SYT 3 FET 3 IDT 3 SYOT 3
MSD 4 SAMT 4 AZT 4 GET 4 MUT 4 RET 4 SCT 4 IRST 3:30
IRDT 4:30 AFT 4:30 AZST 5 PKT 5 UZT 5 TJT 5 TMT 5 MVT 5 YEKT 5 QYZT 5 SLST 5:30 NPT 5:45 OMST 6 ALMT 6 BTT 6 KGT 6
PKST 6 IOT 6 BDT 6 MMT 6:30 NOVT 7 KRAT 7 ICT 7 WIB 7 HOVT 7 DAVT 7 CXT 7 AWST 8 HKT 8 SGT 8 MYT 8 PHT 8 PHST 8 WITA 8
IRKT 8 ULAT 8 BNT 8 JST 9 KST 9 WIT 9 YAKT 9 AWDT 9 TLT 9 PWT 9 CHOT 8 ACST 9:30 ACDT 10:30 AEST 10 CHST 10 VLAT 10
PGT 10 LHST 10:30 AEDT 11 SAKT 11 SRET 11 MAGT 11 NCT 11 SBT 11 VUT 11 NFT 11 NZST 12 FJT 12 PETT 12 ANAT 12 TVT 12
WFT 12 NZDT 13 TOT 13 PHOT 13 TKT 13 CHAST 12:45 CHADT 13:45 LINT 14 AZOST 0 AZOT -1 CVT -1 EGT -1 FNT -2 BRST -2
PMDT -2 WGST -2 UYST -2 ADT -3 BRT -3 ART -3 CLST -3 UYT -3 WGT -3 PMST -3 SRT -3 GFT -3 FKST -3 ROTT -3 PYST -3
NDT -2:30 NST -3:30 EDT -4 CLT -4 BOT -4 VET -4 GYT -4 PYT -4 COT -5 PET -5 EASST -5 MDT -6 EAST -6 GALT -6 PDT -7
AKDT -8 AKST -9 GAMT -9 HDT -9 HADT -9 HST -10 HAST -10 TAHT -10 CKT -10 NUT -11
HNE -5 HAE -4 HNC -6 HAC -5 HNR -7 HAR -6 HNP -8 HAP -7 HNA -4 HAA -3 HNT -3:30 HAT -2:30
"""
_AMERICAN = "US CA MX"
# The meanings of an abbreviation, each with countries; the commonest is the first.
_SHARED: dict[str, tuple[tuple[float, str], ...]] = {
    "ACT": ((-5, "BR"), (9.5, "AU")),
    "AMST": ((-3, "BR"), (5, "AM")),
    "AMT": ((-4, "BR"), (4, "AM")),
    "AST": ((-4, "CA PR BM BB TT DO"), (3, "SA KW IQ BH QA YE")),
    "BST": ((1, "GB IM JE GG"), (6, "BD"), (11, "PG")),
    "CDT": ((-5, _AMERICAN), (-4, "CU"), (10.5, "AU")),
    "CST": ((-6, _AMERICAN), (8, "CN TW HK MO SG"), (-5, "CU"), (9.5, "AU")),
    "ECT": ((-5, "EC"), (-4, "BB DM GD LC VC TT")),
    "EDT": ((-4, _AMERICAN), (11, "AU")),
    "EST": ((-5, _AMERICAN), (10, "AU")),
    "GST": ((4, "AE OM"), (10, "GU"), (-2, "GS")),
    "IST": ((5.5, "IN LK"), (1, "IE"), (2, "IL")),
    "MST": ((-7, _AMERICAN), (8, "MY"), (6.5, "MM")),
    "PST": ((-8, _AMERICAN), (8, "PH")),
    "SST": ((-11, "AS"), (8, "SG"), (11, "SB")),
    "WDT": ((9, "AU"),),
    "WST": ((8, "AU"), (13, "WS"), (1, "EH")),
}
# RFC 822 gives these one meaning.
_DEFINED = frozenset({"EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT"})
_AMBIGUOUS = _SHARED.keys() - _DEFINED
_WRITTEN_OFFSET = re.compile(r"\s[+-]\d{2}:?\d{2}(?!\d)")  # as in "+0530 IST", where the name decides nothing
# Names that follow a region's summer time.
_REGIONS = {
    "ET": "America/New_York",
    "CT": "America/Chicago",
    "MT": "America/Denver",
    "PT": "America/Los_Angeles",
    "AKT": "America/Anchorage",
    "EASTERN": "America/New_York",
    "CENTRAL": "America/Chicago",
    "MOUNTAIN": "America/Denver",
    "PACIFIC": "America/Los_Angeles",
    "ALASKA": "America/Anchorage",
    "HAWAII": "Pacific/Honolulu",
    "ATLANTIC": "America/Halifax",
    "NEWFOUNDLAND": "America/St_Johns",
    "CENTRAL EUROPEAN": "Europe/Brussels",
    "EASTERN EUROPEAN": "Europe/Athens",
    "WESTERN EUROPEAN": "Europe/Lisbon",
    "UK": "Europe/London",
    "AET": "Australia/Sydney",
    "NZ": "Pacific/Auckland",
    "MITTELEUROPÄISCHE": "Europe/Berlin",
}
# Names written out; "Time" may follow. "Standard" and "Summer" make an offset fixed.
_NAMES = {
    "COORDINATED UNIVERSAL": "UTC",
    "GREENWICH MEAN": "GMT",
    "BRITISH SUMMER": "BST",
    "EASTERN STANDARD": "EST",
    "EASTERN DAYLIGHT": "EDT",
    "CENTRAL STANDARD": "CST",
    "CENTRAL DAYLIGHT": "CDT",
    "MOUNTAIN STANDARD": "MST",
    "MOUNTAIN DAYLIGHT": "MDT",
    "PACIFIC STANDARD": "PST",
    "PACIFIC DAYLIGHT": "PDT",
    "ATLANTIC STANDARD": "AST",
    "ATLANTIC DAYLIGHT": "ADT",
    "CENTRAL EUROPEAN STANDARD": "CET",
    "CENTRAL EUROPEAN SUMMER": "CEST",
    "EASTERN EUROPEAN STANDARD": "EET",
    "EASTERN EUROPEAN SUMMER": "EEST",
    "WESTERN EUROPEAN STANDARD": "WET",
    "WESTERN EUROPEAN SUMMER": "WEST",
    "WEST AFRICA": "WAT",
    "WEST AFRICA STANDARD": "WAT",
    "CENTRAL AFRICA": "CAT",
    "EAST AFRICA": "EAT",
    "SOUTH AFRICA STANDARD": "SAST",
    "MOSCOW": "MSK",
    "MOSCOW STANDARD": "MSK",
    "INDIA STANDARD": "IST",
    "INDIAN STANDARD": "IST",
    "IRISH STANDARD": "WEST",
    "ISRAEL STANDARD": "EET",
    "ISRAEL DAYLIGHT": "IDT",
    "CHINA STANDARD": "HKT",
    "HONG KONG": "HKT",
    "SINGAPORE": "SGT",
    "SINGAPORE STANDARD": "SGT",
    "PHILIPPINE STANDARD": "PHT",
    "JAPAN STANDARD": "JST",
    "KOREA STANDARD": "KST",
    "KOREAN STANDARD": "KST",
    "AUSTRALIAN EASTERN STANDARD": "AEST",
    "AUSTRALIAN EASTERN DAYLIGHT": "AEDT",
    "AUSTRALIAN CENTRAL STANDARD": "ACST",
    "AUSTRALIAN CENTRAL DAYLIGHT": "ACDT",
    "AUSTRALIAN WESTERN STANDARD": "AWST",
    "NEW ZEALAND STANDARD": "NZST",
    "NEW ZEALAND DAYLIGHT": "NZDT",
    "BRASILIA": "BRT",
    "BRASILIA STANDARD": "BRT",
    "ARGENTINA": "ART",
    "ARGENTINA STANDARD": "ART",
    "GMT STANDARD": "GMT",  # from here on, as Windows names them
    "GMT DAYLIGHT": "WEST",
    "W EUROPE STANDARD": "CET",
    "W EUROPE DAYLIGHT": "CEST",
    "ROMANCE STANDARD": "CET",
    "ROMANCE DAYLIGHT": "CEST",
    "CENTRAL EUROPE STANDARD": "CET",
    "CENTRAL EUROPE DAYLIGHT": "CEST",
    "CENTRAL EUROPEAN DAYLIGHT": "CEST",
    "E EUROPE STANDARD": "EET",
    "E EUROPE DAYLIGHT": "EEST",
    "RUSSIAN STANDARD": "MSK",
    "TOKYO STANDARD": "JST",
    "AUS EASTERN STANDARD": "AEST",
    "AUS EASTERN DAYLIGHT": "AEDT",
    "MITTELEUROPÄISCHE ZEIT": "MEZ",
    "MITTELEUROPÄISCHE SOMMERZEIT": "MESZ",
}
# Countries that decide between the meanings, for languages that are usually written without one.
_HOME = {
    "ar": "SA", "bn": "BD", "cy": "GB", "fil": "PH", "ga": "IE", "gd": "GB", "gu": "IN", "he": "IL", "hi": "IN",
    "hy": "AM", "iw": "IL", "kn": "IN", "ml": "IN", "mr": "IN", "ms": "MY", "my": "MM", "pa": "IN", "sm": "WS",
    "ta": "IN", "te": "IN", "tl": "PH", "zh": "CN",
}  # fmt: skip
# Top-level domains of countries that are used all over the world.
_WORLDWIDE = frozenset("ac ai am cc cd co eu fm gg gs im io ly me ms mu nu sh su tk to tv ws".split())  # noqa: SIM905


class Region(NamedTuple):
    """Where a feed comes from, as far as it is known."""

    language: str = ""  # ISO 639
    countries: tuple[str, ...] = ()  # ISO 3166, the likeliest first


ANYWHERE = Region()


@lru_cache(maxsize=512)
def region_of(language: str | None, *hosts: str | None) -> Region:
    """Return the region of a feed from its language tag and host names.

    The domain of a country precedes the country in the language tag, since "en-US" is the default of much software.
    """
    name, *parts = (language or "").strip().replace("_", "-").split("-")
    countries = [domain for host in hosts if host and (domain := _country_of(host))]
    countries += [part.upper() for part in parts if len(part) == 2 and part.isalpha()]  # noqa: PLR2004 - ISO 3166
    name = name.lower() if name.isalpha() else ""
    countries += [_HOME[name]] if name in _HOME else []
    return Region(name, tuple(dict.fromkeys(countries)))


def region_in(document: Document, url: str) -> Region:
    """Return the region of a feed found at `url`."""
    return region_of(document.lang, *map(_host, (url, document.link or "")))


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _country_of(host: str) -> str | None:
    domain = host.rstrip(".").rpartition(".")[2].lower()
    if len(domain) != 2 or not domain.isalpha() or domain in _WORLDWIDE:  # noqa: PLR2004 - ISO 3166
        return None
    return {"uk": "GB"}.get(domain, domain.upper())


def is_zone(name: str) -> bool:
    """Return whether a name denotes a time zone."""
    return offset_of(name, datetime(2000, 1, 1)) is not None  # noqa: DTZ001 - a local time


def offset_of(name: str, local: datetime, region: Region = ANYWHERE) -> timedelta | None:
    """Return the offset from UTC that a zone's name means at a local time (naive), or None for an unknown name."""
    if len(name) > _LONGEST:
        return None
    known = " ".join(name.upper().split()).replace(".", "")
    short = known.removesuffix(" TIME")
    short = _NAMES.get(short, short)
    if short in _SHARED:
        return _by_country(_SHARED[short], region)
    if short in _fixed():
        return _fixed()[short]
    zone = _REGIONS.get(short) or _identifier(name.strip())
    if zone is not None:
        return ZoneInfo(zone).utcoffset(local)
    if len(known) == 1 and known.isascii() and known.isalpha() and known != "J":
        return timedelta()  # RFC 5322, section 4.3: military letters were used with both signs
    return None


def guessed_zone(text: str, region: Region) -> str | None:
    """Return the zone in a date that has several meanings of which nothing in the feed chooses one."""
    for word in _AMBIGUOUS.intersection(text.upper().split()):
        if len(_SHARED[word]) > 1 and _meant(_SHARED[word], region) is None and not _WRITTEN_OFFSET.search(text):
            return word
    return None


def _by_country(meanings: tuple[tuple[float, str], ...], region: Region) -> timedelta:
    hours = _meant(meanings, region)
    return timedelta(hours=meanings[0][0] if hours is None else hours)


def _meant(meanings: tuple[tuple[float, str], ...], region: Region) -> float | None:
    for country in region.countries:
        for hours, countries in meanings:
            if country in countries.split():
                return hours
    return None


@cache
def _fixed() -> dict[str, timedelta]:
    words = _FIXED.split()
    return {name: _span(offset) for name, offset in zip(words[::2], words[1::2], strict=True)}


def _span(text: str) -> timedelta:
    hours, _, minutes = text.lstrip("-").partition(":")
    span = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return -span if text.startswith("-") else span


@cache
def _identifiers() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones() if "/" in name}


def _identifier(name: str) -> str | None:
    """Return the identifier of a zone in the IANA database, in its own spelling."""
    return _identifiers().get(name.lower().replace(" ", "_")) if "/" in name else None
