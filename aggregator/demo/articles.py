"""Define the content of the sample news site: pictures, articles and events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a post or article."""

    key: str  # in X's format: a type, an underscore, a number
    name: str  # file name below /media/
    alt: str


@dataclass(frozen=True, slots=True)
class Article:
    """An entry of the news feed."""

    name: str
    title: str | None
    text: str
    lang: str
    published: datetime | None
    author: str | None = None
    picture: Picture | None = None
    is_sample: bool = True
    film: bool = False


@dataclass(frozen=True, slots=True)
class SiteEvent:
    """An event of the site's calendar."""

    name: str
    title: str
    announced: datetime
    picture: Picture

    @property
    def day(self) -> date:
        """The day of the event."""
        return (self.announced + timedelta(days=7)).date()
