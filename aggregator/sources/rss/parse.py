"""A feed document into activities: bytes in, `ParsedFeed` out. Pure.

Most documents are read straight from their XML tree (`tree`); what has anything that this can't claim to understand
exactly as feedparser does goes there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.errors import NoFeedError
from aggregator.sources.rss import detect, feedparser_reader, jsonfeed
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

READER = 4  # raised when the same bytes come to mean something else, so that unchanged feeds are read again


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """What a feed document says: activities oldest first."""

    title: str | None
    activities: Sequence[NewActivity]  # without those that were seen
    note: str | None = None
    seen: str = ""  # to be given back with the next document of this feed
    skipped: int = 0  # entries that were seen
    present: tuple[str, ...] = ()  # native ids of those
    entries: int = 0  # in the document
    announced: Announced = NOTHING_ANNOUNCED


def normalise(body: bytes, content_type: str, url: str, seen: str = "") -> ParsedFeed:
    """Turn a feed document into activities.

    Entries that share an id within the document are one entry: the newest of them wins.

    Args:
        body: as the publisher sent it, unpacked.
        content_type: the header, for its charset; may be empty.
        url: the final address of the document, against which relative addresses are resolved.
        seen: what the last document of this feed left; its entries that come again in the same bytes are skipped.

    Raises:
        UnreadableError: it is no feed; the sentence says what it is.
    """
    for read in _readers(body):
        try:
            document = read(body, content_type)
            if document is None:
                break
            return _parsed(document, url, Seen.of(seen))
        except UnfamiliarError:
            continue
    raise NoFeedError(f"Instead of a feed there is {detect.seen(body, content_type)}.")


def _readers(body: bytes) -> Iterator[Callable[[bytes, str], Document | None]]:
    """Return what may read a document, the quickest first; only the last understands everything."""
    if detect.is_json(body):
        yield lambda body, _: jsonfeed.read(body)
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
    if again:  # only side by side do they tell which of them is the newest
        skipped -= again
        fresh = _fresh(
            document, setting, [index for index in range(len(digests)) if index not in skipped], undated=undated
        )
    undateds = {**before, **{digests[index]: undated for index, undated in fresh.undated.items()}}
    notes = [*document.notes]
    if fresh.doubles:
        notes.append(f"Left out, since a newer entry has the same id: {fresh.doubles}.")
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
    """What the entries that were not seen say."""

    activities: dict[str, NewActivity]  # by native id, oldest first
    undated: dict[int, bool]  # by index: whether the entry spoils the order by dates
    doubles: int


def _fresh(document: Document, setting: Setting, indices: Sequence[int], *, undated: bool) -> _Fresh:
    read = document.entries.read(indices)
    spoils = [_says_something(entry) and not _date(entry) for entry in read]
    entries = _oldest_first([entry for entry in read if _says_something(entry)], undated=undated)
    unique: dict[str, NewActivity] = {}
    for entry in entries:
        activity = activity_of(entry, setting)
        unique.pop(activity.native_id, None)  # the newest one also takes the newest one's place
        unique[activity.native_id] = activity
    return _Fresh(unique, dict(zip(indices, spoils, strict=True)), len(entries) - len(unique))


def _oldest_first(entries: Sequence[Entry], *, undated: bool) -> list[Entry]:
    """Order by date where every entry has one, else turn the document round: feeds begin with the newest.

    `undated` says that among the entries that are not read again one has none.
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
