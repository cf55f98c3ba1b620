"""Represent a feed document before its values are cleaned, resolved or interpreted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from aggregator.domain.activity import Media

READER = 7  # increased when the same bytes get another meaning, so that unchanged feeds are read again
UNDETERMINED = "und"  # ISO 639: the document marks a text's language as unknown (xml:lang="")


@dataclass(frozen=True, slots=True)
class Markup:
    """Text as in the feed: HTML or not, with the base URL of its relative addresses."""

    value: str
    html: bool
    base: str = ""


@dataclass(frozen=True, slots=True)
class Author:
    """The authors of an entry, or the publisher of a feed."""

    names: tuple[str, ...] = ()  # several people wrote it together
    url: str | None = None
    avatar: str | None = None


@dataclass(frozen=True, slots=True)
class EventFields:
    """The fields of an event as written."""

    start: str
    end: str | None = None
    place: str | None = None
    online: str | None = None
    cancelled: bool = False
    zone: str | None = None  # of times that name none


class DateDoubt(NamedTuple):
    """A date that was not read, or was read with a zone that has several meanings."""

    text: str
    zone: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry. Addresses are as relative as in the document."""

    id: str | None = None
    link: str | None = None
    title: Markup | None = None
    body: Markup | None = None
    author: Author | None = None
    lang: str | None = None
    published: datetime | None = None
    updated: datetime | None = None
    tags: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    image: str | None = None  # a picture that represents the entry
    event: EventFields | None = None  # its `ev:` or xCal elements
    date_doubt: DateDoubt | None = None
    reply_to: str | None = None  # address of the item it replies to (RFC 4685)
    raw: bytes = b""  # the entry's XML, or compact JSON of all its fields


@dataclass(frozen=True, slots=True)
class Announced:
    """A feed's polling and paging hints as written, not yet validated."""

    ttl: str | None = None  # RSS: minutes
    skip_hours: tuple[str, ...] = ()  # RSS: 0 to 23, sometimes 24; GMT
    skip_days: tuple[str, ...] = ()  # RSS: names of days
    update_period: str | None = None  # sy: hourly, daily, weekly, monthly, yearly
    update_frequency: str | None = None  # sy: times within the period
    complete: bool = False  # RFC 5005: the document is the complete feed
    previous: str | None = None  # RFC 5005: address of the previous archive document
    built: str | None = None  # when the document was made: lastBuildDate, or Atom's updated


NOTHING_ANNOUNCED = Announced()


class Entries(Protocol):
    """The entries of a document, in its order. Only requested entries are read."""

    @property
    def raws(self) -> Sequence[bytes]:
        """Return a text for each entry that changes whenever the entry changes."""
        ...

    def read(self, indices: Sequence[int]) -> list[Entry]:
        """Read the entries with these ascending `indices`, in order."""
        ...

    def names(self, index: int) -> tuple[str | None, str | None]:
        """Return an entry's id and link, as `read` would give them."""
        ...


@dataclass(frozen=True, slots=True)
class ReadEntries:
    """Entries of a document that was read as a whole."""

    entries: Sequence[Entry] = ()

    @property
    def raws(self) -> Sequence[bytes]:
        """Return the text from which each entry was read."""
        return [entry.raw for entry in self.entries]

    def read(self, indices: Sequence[int]) -> list[Entry]:
        """Return the entries with these indices."""
        return [self.entries[index] for index in indices]

    def names(self, index: int) -> tuple[str | None, str | None]:
        """Return an entry's id and link."""
        return self.entries[index].id, self.entries[index].link


NO_ENTRIES = ReadEntries()


@dataclass(frozen=True, slots=True)
class Document:
    """A feed with its entries."""

    title: Markup | None = None
    link: str | None = None
    author: Author | None = None
    lang: str | None = None
    image: str | None = None
    entries: Entries = NO_ENTRIES
    notes: tuple[str, ...] = ()  # a problem with a document that could still be read
    announced: Announced = NOTHING_ANNOUNCED
    follows_base: bool = False  # Atom: addresses are relative to the document; elsewhere to the site
    around: str = ""  # context outside of an entry that affects how it is read
