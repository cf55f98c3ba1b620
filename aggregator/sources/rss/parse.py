"""Convert a feed document to activities: bytes in, `ParsedFeed` out. Pure.

Well-formed documents are read from their XML tree (`xml_tree`), all others by feedparser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.errors import NoFeedError
from aggregator.sources.rss import detect, feedparser_reader, jsonfeed
from aggregator.sources.rss.charset import UTF8, decoded
from aggregator.sources.rss.dates import read_date
from aggregator.sources.rss.document import NOTHING_ANNOUNCED, READER, Announced
from aggregator.sources.rss.normalise import activity_of, name_of, setting_of
from aggregator.sources.rss.repeated_ids import RepeatedIds
from aggregator.sources.rss.seen_entries import Seen, digest
from aggregator.sources.rss.xml_tree import reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.activity import NewActivity
    from aggregator.sources.rss.document import Document, Entry
    from aggregator.sources.rss.normalise import Setting

# The root of a feed behind a piece of HTML, such as an error message: <p>Warning</p><rss version="2.0">
_HIDDEN_FEED = re.compile(
    rb"\A\s*<(?!!doctype|html|head|body)[^<>]*>(?:(?!<html|<body|<head|<!doctype).)*?"
    rb"<(?:rss\s[^<>]{0,500}?version|feed\s[^<>]{0,500}?xmlns|rdf:RDF\s)",
    re.IGNORECASE | re.DOTALL,
)
_HEAD = 64 * 1024  # bytes in which it is looked for


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """The content of a feed document, with activities oldest first."""

    title: str | None
    activities: Sequence[NewActivity]  # without entries that were seen before
    note: str | None = None
    seen: str = ""  # state for the next document of this feed
    skipped: int = 0  # number of entries seen before
    present: tuple[str, ...] = ()  # native ids of entries seen before
    entries: int = 0  # entries in the document
    announced: Announced = NOTHING_ANNOUNCED
    built: datetime | None = None  # when the document was made


def normalise(body: bytes, content_type: str, url: str, seen: str = "", language: str = "") -> ParsedFeed:
    """Convert a feed document to activities.

    Of entries with the same id within the document, the newest is used.

    Args:
        body: the response body, decompressed.
        content_type: the header, for its charset; may be empty.
        url: the final URL of the document, against which relative addresses are resolved.
        seen: state from the last document of this feed; entries with the same bytes are skipped.
        language: the Content-Language header, for a document that names no language.

    Raises:
        UnreadableError: it is not a feed; the message describes it.
    """
    text, notes = decoded(body, content_type)
    for read in _readers(text):
        document = read(text, UTF8, url)
        if document is not None:
            document = replace(document, notes=notes + document.notes, lang=document.lang or _only(language))
            return _parsed(document, url, Seen.of(seen))
    raise NoFeedError(f"Expected a feed, but found {detect.seen(body, content_type)}.")


def _only(languages: str) -> str | None:
    """Return the language of a header, unless it names several."""
    name = languages.strip()
    return name if name and "," not in name else None


def _readers(body: bytes) -> Iterator[Callable[[bytes, str, str], Document | None]]:
    """Return the readers to try."""
    if detect.is_json(body):
        yield lambda body, _, url: jsonfeed.read(body, url)
    elif body.strip() and (not detect.is_html(body) or _HIDDEN_FEED.search(body, 0, _HEAD)):
        yield from (reader.read, feedparser_reader.read)


def _parsed(document: Document, url: str, known: Seen) -> ParsedFeed:
    setting = setting_of(document, url)
    header = digest(repr((READER, setting, document.around)).encode("utf-8", "surrogatepass"))
    digests = [digest(raw) for raw in document.entries.raws]
    before = known.entries if known.header == header else {}
    names = {index: document.entries.names(index) for index, own in enumerate(digests) if own in before}
    ids = RepeatedIds(known.repeated, setting.base)
    read = _read(document, [index for index in range(len(digests)) if index not in names])
    doubtful = ids.doubtful([(entry.id, entry.link) for entry in read.values()], names.values())
    read |= _read(document, [index for index, (own, _) in names.items() if own in doubtful])
    ids.learn(read.values())
    undated = any(before[digests[index]] for index in names if index not in read)
    fresh = _fresh(read, setting, ids, undated=undated)
    again = [
        index for index in names if index not in read and name_of(ids.own(names[index]), setting) in fresh.activities
    ]
    if again:  # all are needed to find the newest of them
        read |= _read(document, again)
        fresh = _fresh(read, setting, ids, undated=undated)
    skipped = {index: name_of(ids.own(pair), setting) for index, pair in names.items() if index not in read}
    undateds = {**before, **{digests[index]: undated for index, undated in fresh.undated.items()}}
    return ParsedFeed(
        setting.title,
        tuple(fresh.activities.values()),
        " ".join([*document.notes, *_notes(ids, fresh, read.values())]) or None,
        seen=Seen(header, {own: undateds[own] for own in digests}, ids.digests).line(),
        skipped=len(skipped),
        present=tuple(name for name in skipped.values() if name),
        entries=len(digests),
        announced=document.announced,
        built=read_date(document.announced.built),
    )


def _notes(ids: RepeatedIds, fresh: _Fresh, read: Iterable[Entry]) -> Iterator[str]:
    doubts = [entry.date_doubt for entry in read if entry.date_doubt]
    unread = [doubt.text for doubt in doubts if doubt.zone is None]
    if unread:
        yield f"Dates in an unknown form were left out, such as {unread[0][:60]!r}: {len(unread)}."
    zones = [doubt.zone for doubt in doubts if doubt.zone]
    if zones:
        yield f"Time zones with several meanings were read in the commonest one, such as {zones[0]}: {len(zones)}."
    note = ids.note()
    if note:
        yield note
    if fresh.doubles:
        yield f"Entries skipped because a newer one has the same id: {fresh.doubles}."


class _Fresh(NamedTuple):
    """The entries that were not seen before."""

    activities: dict[str, NewActivity]  # by native id, oldest first
    undated: dict[int, bool]  # by index: whether the entry lacks a date for ordering
    doubles: int


def _read(document: Document, indices: Sequence[int]) -> dict[int, Entry]:
    return dict(zip(indices, document.entries.read(indices), strict=True)) if indices else {}


def _fresh(read: Mapping[int, Entry], setting: Setting, ids: RepeatedIds, *, undated: bool) -> _Fresh:
    ordered = [read[index] for index in sorted(read)]
    entries = _oldest_first([entry for entry in ordered if _says_something(entry)], undated=undated)
    unique: dict[str, NewActivity] = {}
    for entry in entries:
        own, _ = ids.own((entry.id, entry.link))
        activity = activity_of(entry if own == entry.id else replace(entry, id=own), setting)
        unique.pop(activity.native_id, None)  # the newest entry also takes the newest one's position
        unique[activity.native_id] = activity
    spoils = {index: _says_something(entry) and not _date(entry) for index, entry in read.items()}
    return _Fresh(unique, spoils, len(entries) - len(unique))


def _oldest_first(entries: Sequence[Entry], *, undated: bool) -> list[Entry]:
    """Sort by date if every entry has one, or else reverse the document: feeds list the newest first.

    `undated` means that an entry among those not read again has no date.
    """
    turned = list(reversed(entries))
    known = [date for entry in turned if (date := _date(entry)) is not None]
    if undated or len(known) < len(turned):
        return turned
    order = sorted(range(len(turned)), key=known.__getitem__)
    return [turned[index] for index in order]


def _date(entry: Entry) -> datetime | None:
    return entry.published or entry.updated


def _says_something(entry: Entry) -> bool:
    return bool(entry.title or entry.body or entry.link or entry.media)
