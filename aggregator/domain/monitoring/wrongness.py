"""Recognize responses that are wrong despite a 200, by comparing the documents of consecutive polls. Pure.

The state of a source has a small fingerprint of its earlier documents. While a document seems wrong, the fingerprint
stays; after `ADOPTED_AFTER` the new form counts as usual, since publishers do move and rebuild their sites.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from aggregator.text.durations import spoken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aggregator.domain.polling.results import FetchResult

ADOPTED_AFTER = timedelta(days=14)

_DOCUMENTS = 8  # whose sizes are kept
_LEAST_DOCUMENTS = 3  # before anything is judged
_LEAST_ENTRIES = 3  # of which a language, host or title is judged
_LEAST_SIZE = 4_000  # bytes; smaller documents vary
_FALLEN = 0.1
_FAR = timedelta(days=10)  # between the newest item and the date of the document
_TIMES_FARTHER = 3  # than ever before
_MOST_NAMES = 6  # languages and sites that are kept; sources with more have no usual ones
_LEAST_NAMED = 10  # entries that made them usual
_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gob", "gov", "gouv", "gv", "go", "ne", "net", "or", "org"})


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Facts of earlier documents of a source."""

    sizes: tuple[int, ...] = ()  # of the last documents
    entries: tuple[int, ...] = ()
    languages: Mapping[str, int] = field(default_factory=dict)  # entries by language
    sites: Mapping[str, int] = field(default_factory=dict)  # entries by the site that they link to
    titles_differ: bool = False
    newest: float | None = None  # Unix seconds of the newest item
    lag: float = 0.0  # seconds by which documents were at most newer than their newest item
    open_lag: float = 0.0  # since the newest item
    sign: str | None = None  # of `Sign`, while the documents seem wrong
    since: float | None = None  # Unix seconds

    def json(self) -> dict[str, Any]:
        """Return the fingerprint in its stored form."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def of(cls, stored: object) -> Fingerprint:
        """Parse a stored fingerprint; an invalid one is replaced by an empty one."""
        values = stored if isinstance(stored, dict) else {}
        try:
            return cls(
                tuple(int(size) for size in values.get("sizes", ())),
                tuple(int(number) for number in values.get("entries", ())),
                {str(name): int(number) for name, number in values.get("languages", {}).items()},
                {str(name): int(number) for name, number in values.get("sites", {}).items()},
                bool(values.get("titles_differ")),
                None if values.get("newest") is None else float(values["newest"]),
                float(values.get("lag", 0)),
                float(values.get("open_lag", 0)),
                values.get("sign") or None,
                None if values.get("since") is None else float(values["since"]),
            )
        except (TypeError, ValueError, AttributeError):
            return cls()


class Facts(NamedTuple):
    """Facts of one complete document."""

    size: int
    built: datetime | None
    entries: int
    whole: bool  # all of its entries are new or changed
    newest: datetime | None  # of the new and changed ones
    languages: Mapping[str, int]
    sites: Mapping[str, int]
    titles: Sequence[str]


class Sign(NamedTuple):
    """A sign that a document is wrong, with a sentence for operators."""

    code: str
    sentence: str


def facts_of(result: FetchResult) -> Facts | None:
    """Return the facts of a complete document; None: there was none."""
    if result.document is None or result.entries is None:
        return None
    contents = [activity.content for activity in result.activities]
    return Facts(
        result.document.size,
        result.document.built,
        result.entries,
        not result.skipped and len(contents) >= _LEAST_ENTRIES,
        max((content.published for content in contents if content.published), default=None),
        _counted(_language(content.lang) for content in contents),
        _counted(_site(content.url) for content in contents),
        [content.title for content in contents if content.title],
    )


def judged(
    known: Fingerprint, facts: Facts, silent_after: timedelta | None, now: datetime
) -> tuple[Fingerprint, Sign | None]:
    """Compare a document with the ones before; return the new fingerprint, and the sign that it is wrong.

    `silent_after` is the gap between items that is improbable for the source, if its history suffices to judge.
    """
    sign = next(_signs(known, facts, silent_after), None) if len(known.sizes) >= _LEAST_DOCUMENTS else None
    if sign is None and known.sign is not None and _may_persist(known, facts):
        sign = Sign(known.sign, "")
    if sign is None:
        return _learned(replace(known, sign=None, since=None), facts), None
    since = known.since if known.since is not None and known.sign else now.timestamp()
    if now - datetime.fromtimestamp(since, UTC) > ADOPTED_AFTER:
        return _learned(Fingerprint(), facts), None
    return replace(known, sign=sign.code, since=since, open_lag=max(known.open_lag, _lag(known, facts))), sign


def _signs(known: Fingerprint, facts: Facts, silent_after: timedelta | None) -> Iterator[Sign]:
    least = min(known.entries, default=0)
    if facts.entries == 0 and least >= _LEAST_ENTRIES:
        yield Sign("empty", f"its document has no items; it had at least {least} before.")
    elif min(known.sizes) >= _LEAST_SIZE and facts.size < _FALLEN * min(known.sizes):
        yield Sign("shrunk", f"its document has {facts.size} bytes; it had at least {min(known.sizes)} before.")
    if facts.whole and known.titles_differ and len(facts.titles) >= _LEAST_ENTRIES and len(set(facts.titles)) == 1:
        yield Sign("titles", f"all {len(facts.titles)} items have the title {facts.titles[0][:80]!r}.")
    if strange := _strange(known.sites, facts.sites):
        yield Sign("site", f"its items link to {strange}; they linked to {_names(known.sites)} before.")
    if strange := _strange(known.languages, facts.languages):
        yield Sign("language", f"its items are in {strange!r}; they were in {_names(known.languages)!r} before.")
    yield from _aged(known, facts, silent_after)


def _may_persist(known: Fingerprint, facts: Facts) -> bool:
    """Return whether the new entries, which may be few, don't disprove a sign that was seen in all of them."""
    newest = _seconds(facts.newest)
    return {
        "site": not facts.sites.keys() & known.sites.keys(),
        "language": not facts.languages.keys() & known.languages.keys(),
        "titles": len(set(facts.titles)) <= 1,
        "older": newest is None or known.newest is None or newest < known.newest,
    }.get(known.sign or "", False)


def _aged(known: Fingerprint, facts: Facts, silent_after: timedelta | None) -> Iterator[Sign]:
    if known.newest is None or silent_after is None:
        return
    far, newest = max(_FAR, silent_after), datetime.fromtimestamp(known.newest, UTC)
    if facts.whole and facts.newest is not None and facts.newest < newest - far:
        yield Sign("older", f"its newest item is of {facts.newest:%Y-%m-%d}; it had one of {newest:%Y-%m-%d} before.")
    lag = timedelta(seconds=_lag(known, facts))
    if lag > far and lag.total_seconds() > _TIMES_FARTHER * known.lag and facts.built is not None:
        yield Sign(
            "newest",
            f"its document is dated {facts.built:%Y-%m-%d}, but its newest item {newest:%Y-%m-%d}; at most "
            f"{spoken(timedelta(seconds=round(known.lag)))} were between them before.",
        )


def _learned(known: Fingerprint, facts: Facts) -> Fingerprint:
    newest = max((moment for moment in (known.newest, _seconds(facts.newest)) if moment is not None), default=None)
    advanced = newest != known.newest
    lag = _lag(known, facts)
    return Fingerprint(
        (*known.sizes, facts.size)[-_DOCUMENTS:],
        (*known.entries, facts.entries)[-_DOCUMENTS:],
        _added(known.languages, facts.languages),
        _added(known.sites, facts.sites),
        known.titles_differ or len(set(facts.titles)) >= _LEAST_ENTRIES,
        newest,
        max(known.lag, known.open_lag, lag) if advanced else known.lag,
        0.0 if advanced else max(known.open_lag, lag),
    )


def _lag(known: Fingerprint, facts: Facts) -> float:
    """Return the seconds by which a document is newer than the newest item."""
    newest = max((moment for moment in (known.newest, _seconds(facts.newest)) if moment is not None), default=None)
    return 0.0 if newest is None or facts.built is None else max(facts.built.timestamp() - newest, 0.0)


def _strange(usual: Mapping[str, int], found: Mapping[str, int]) -> str:
    """Return the name that all new entries share with none before; "": there is no such name."""
    settled = 0 < len(usual) < _MOST_NAMES and sum(usual.values()) >= _LEAST_NAMED
    if not settled or sum(found.values()) < _LEAST_ENTRIES or found.keys() & usual.keys():
        return ""
    return _names(found)


def _names(names: Mapping[str, int]) -> str:
    return ", ".join(sorted(names, key=lambda name: -names[name])[:3])


def _added(usual: Mapping[str, int], found: Mapping[str, int]) -> dict[str, int]:
    names = {**usual}
    for name, number in found.items():
        if name in names or len(names) < _MOST_NAMES:
            names[name] = min(names.get(name, 0) + number, 1000)
    return names


def _counted(names: Iterator[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        if name:
            counts[name] = counts.get(name, 0) + 1
    return counts


def _language(tag: str | None) -> str:
    primary = (tag or "").partition("-")[0].lower()
    return "" if primary == "und" else primary


def _site(url: str | None) -> str:
    """Return the domain of an address without subdomains."""
    labels = (urlsplit(url or "").hostname or "").split(".")
    if labels[-1].isdigit():  # an address
        return ".".join(labels)
    return ".".join(labels[-3 if len(labels) > 2 and labels[-2] in _SECOND_LEVEL else -2 :])  # noqa: PLR2004 - labels


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
