"""Simulate a social network of the sample world: accounts and posts, which can be edited and deleted."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aggregator.demo.portal import PORTAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from aggregator.demo.articles import Picture

MARKED = re.compile(r"[#@]\w+")  # hashtags and mentions in a text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ACCOUNTS = (
    (PORTAL, "opengovpart (sample)"),
    ("sample_ministry", "Ministry of Data (sample)"),
    ("sample_citylab", "City Lab (sample)"),
    ("sample_youth", "Youth Panel (sample)"),
)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the sample site that a post links to."""

    path: str
    title: str
    description: str
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A post. `quoted`, `reposted` and `answered` are ids of others."""

    id: int
    author: str  # user name
    text: str
    created: datetime
    lang: str = "en"
    page: Page | None = None
    pictures: tuple[Picture, ...] = ()
    focus: tuple[float, float] | None = None  # of the pictures; from -1 to 1, right and up
    warning: str = ""
    options: tuple[str, ...] = ()  # of a poll
    quoted: int | None = None
    reposted: int | None = None
    answered: int | None = None
    edited: datetime | None = None


class SocialNetwork:
    """The accounts and posts of one network. Thread-safe: its methods may run while the server does."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.accounts: dict[str, str] = {}  # display name by user name
        self._notes: dict[int, Note] = {}
        self._lock = threading.RLock()

    @property
    def notes(self) -> tuple[Note, ...]:
        """Return every post, oldest first."""
        with self._lock:
            return tuple(self._notes[id_] for id_ in sorted(self._notes))

    def add_accounts(self) -> None:
        """Add the portal and the sample accounts."""
        self.accounts |= dict(_ACCOUNTS)

    def write(self, author: str, text: str, at: datetime | None = None, **more: Any) -> Note:  # noqa: ANN401
        """Publish a post; its time defaults to now. `more` are fields of `Note`."""
        with self._lock:
            moment = at or self.clock()
            note = Note(self._next_id(moment), author, text, moment, **more)
            self._notes[note.id] = note
            return note

    def repost(self, author: str, note: Note, at: datetime | None = None) -> Note:
        """Repost a post from an account."""
        return self.write(author, "", at, reposted=note.id, lang=note.lang)

    def edit(self, note: Note, text: str) -> None:
        """Change the text of a post."""
        with self._lock:
            self._notes[note.id] = replace(note, text=text, edited=self.clock())

    def delete(self, note: Note) -> None:
        """Delete a post, with its reposts."""
        with self._lock:
            self._notes = {id_: kept for id_, kept in self._notes.items() if note.id not in {id_, kept.reposted}}

    def timeline(self, author: str) -> list[Note]:
        """Return an account's posts, newest first."""
        return [note for note in reversed(self.notes) if note.author == author]

    def note(self, id_: int | None) -> Note | None:
        """Return a post by its id."""
        return self._notes.get(id_) if id_ is not None else None

    def _next_id(self, at: datetime) -> int:
        """Return an id that orders by time; ids of the same instant are consecutive."""
        id_ = int((at - _EPOCH) / timedelta(milliseconds=1)) << 16
        while id_ in self._notes:
            id_ += 1
        return id_
