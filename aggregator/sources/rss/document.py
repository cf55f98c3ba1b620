"""What a feed document says, before anything of it is cleaned, resolved or judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.activity import Media

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
    raw: bytes = b""  # compact JSON of everything the document says of it


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


@dataclass(frozen=True, slots=True)
class Document:
    """A feed with its entries in the order of the document."""

    title: Markup | None = None
    link: str | None = None
    author: Author | None = None
    lang: str | None = None
    image: str | None = None
    entries: tuple[Entry, ...] = ()
    notes: tuple[str, ...] = field(default=())  # what is wrong with it, although it could be read
    announced: Announced = NOTHING_ANNOUNCED
    follows_base: bool = False  # Atom: what is relative is so to the document; elsewhere people mean their site
