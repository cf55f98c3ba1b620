"""Convert a feed document to activities: bytes in, `ParsedFeed` out. Pure.

Most documents are read directly from their XML tree (`fast_xml`). feedparser reads the documents for which the tree
reader can't guarantee feedparser's exact result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.errors import NoFeedError
from aggregator.sources.rss import detect, feedparser_reader, jsonfeed
from aggregator.sources.rss.charset import UTF8, decoded
from aggregator.sources.rss.document import NOTHING_ANNOUNCED, Announced
from aggregator.sources.rss.fast_xml import partial_reader, reader
from aggregator.sources.rss.fast_xml.names import UnfamiliarError
from aggregator.sources.rss.normalise import activity_of, name_of, setting_of
from aggregator.sources.rss.seen_entries import Seen, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from aggregator.domain.activity import NewActivity
    from aggregator.sources.rss.document import Document, Entry
    from aggregator.sources.rss.normalise import Setting

READER = 5  # increased when the same bytes get another meaning, so that unchanged feeds are read again


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
        try:
            document = read(text, UTF8, url)
            if document is None:
                break
            document = replace(document, notes=notes + document.notes, lang=document.lang or _only(language))
            return _parsed(document, url, Seen.of(seen))
        except UnfamiliarError:
            continue
    raise NoFeedError(f"Expected a feed, but found {detect.seen(body, content_type)}.")


def _only(languages: str) -> str | None:
    """Return the language of a header, unless it names several."""
    name = languages.strip()
    return name if name and "," not in name else None


def _readers(body: bytes) -> Iterator[Callable[[bytes, str, str], Document | None]]:
    """Return the readers to try, the fastest first; only the last one supports every document."""
    if detect.is_json(body):
        yield lambda body, _, url: jsonfeed.read(body, url)
    elif body.strip() and not detect.is_html(body):
        yield from (reader.read, partial_reader.read, feedparser_reader.read)


def _parsed(document: Document, url: str, known: Seen) -> ParsedFeed:
    setting = setting_of(document, url)
    header = digest(repr((READER, setting, document.around)).encode("utf-8", "surrogatepass"))
    digests = [digest(raw) for raw in document.entries.raws]
    before = known.entries if known.header == header else {}
    skipped = {index for index, own in enumerate(digests) if own in before}
    names = {index: name_of(document.entries.names(index), setting) for index in sorted(skipped)}
    undated = any(before[digests[index]] for index in skipped)
    fresh = _fresh(document, setting, [index for index in range(len(digests)) if index not in skipped], undated=undated)
    again = {index for index, name in names.items() if name in fresh.activities}
    if again:  # all are needed to find the newest of them
        skipped -= again
        fresh = _fresh(
            document, setting, [index for index in range(len(digests)) if index not in skipped], undated=undated
        )
    undateds = {**before, **{digests[index]: undated for index, undated in fresh.undated.items()}}
    notes = [*document.notes]
    if fresh.doubles:
        notes.append(f"Entries skipped because a newer one has the same id: {fresh.doubles}.")
    return ParsedFeed(
        setting.title,
        tuple(fresh.activities.values()),
        " ".join(notes) or None,
        seen=Seen(header, {own: undateds[own] for own in digests}).line(),
        skipped=len(skipped),
        present=tuple(name for index in sorted(skipped) if (name := names[index])),
        entries=len(digests),
        announced=document.announced,
    )


class _Fresh(NamedTuple):
    """The entries that were not seen before."""

    activities: dict[str, NewActivity]  # by native id, oldest first
    undated: dict[int, bool]  # by index: whether the entry lacks a date for ordering
    doubles: int


def _fresh(document: Document, setting: Setting, indices: Sequence[int], *, undated: bool) -> _Fresh:
    read = document.entries.read(indices)
    spoils = [_says_something(entry) and not _date(entry) for entry in read]
    entries = _oldest_first([entry for entry in read if _says_something(entry)], undated=undated)
    unique: dict[str, NewActivity] = {}
    for entry in entries:
        activity = activity_of(entry, setting)
        unique.pop(activity.native_id, None)  # the newest entry also takes the newest one's position
        unique[activity.native_id] = activity
    return _Fresh(unique, dict(zip(indices, spoils, strict=True)), len(entries) - len(unique))


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
