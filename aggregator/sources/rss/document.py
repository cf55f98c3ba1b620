"""What a feed document says, before anything of it is cleaned, resolved or judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from aggregator.domain.activity import Media

MOST_ENTRIES = 500  # of one document; the rest of a longer one is not read
LONGEST_TEXT = 200_000  # characters of one entry's body


@dataclass(frozen=True, slots=True)
class Markup:
    """Text as it stands in a feed: HTML or not, with the base that its relative addresses have within the document."""

    value: str
    html: bool
    base: str = ""


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote an entry or publishes a feed."""

    name: str | None = None
    url: str | None = None
    avatar: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. Addresses are as relative as the document left them."""

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
    image: str | None = None  # a picture that stands for the entry
    reply_to: str | None = None  # address of what it answers (RFC 4685)
    raw: bytes = b""  # the entry's XML, or compact JSON of everything the document says of it


@dataclass(frozen=True, slots=True)
class Announced:
    """What a feed says about polling and paging it, as it is written there; nothing of it is checked yet."""

    ttl: str | None = None  # RSS: minutes
    skip_hours: tuple[str, ...] = ()  # RSS: 0 to 23, some write 24; GMT
    skip_days: tuple[str, ...] = ()  # RSS: names of days
    update_period: str | None = None  # sy: hourly, daily, weekly, monthly, yearly
    update_frequency: str | None = None  # sy: times within the period
    complete: bool = False  # RFC 5005: the document is the whole feed
    previous: str | None = None  # RFC 5005: address of the archive document before this one


NOTHING_ANNOUNCED = Announced()


class Entries(Protocol):
    """The entries of a document, in its order. Only those that are asked for are read."""

    @property
    def raws(self) -> Sequence[bytes]:
        """Return of each entry what tells whether it is still the same."""
        ...

    def read(self, indices: Sequence[int]) -> list[Entry]:
        """Read some entries, in the order of `indices`, which go up."""
        ...

    def names(self, index: int) -> tuple[str | None, str | None]:
        """Return an entry's id and link alone, as `read` would."""
        ...


@dataclass(frozen=True, slots=True)
class ReadEntries:
    """Entries of a document that had to be read as a whole."""

    entries: Sequence[Entry] = ()

    @property
    def raws(self) -> Sequence[bytes]:
        """Return what each entry was read from."""
        return [entry.raw for entry in self.entries]

    def read(self, indices: Sequence[int]) -> list[Entry]:
        """Return some of the entries."""
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
    notes: tuple[str, ...] = ()  # what is wrong with it, although it could be read
    announced: Announced = NOTHING_ANNOUNCED
    follows_base: bool = False  # Atom: what is relative is so to the document; elsewhere people mean their site
    around: str = ""  # what else around an entry decides what its bytes mean
