"""Recognize ids that a feed gives to several entries, which are then identified by their links. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.sources.rss.seen_entries import digest
from aggregator.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aggregator.sources.rss.document import Entry

Names = tuple[str | None, str | None]  # an entry's id and link
_MOST = 100  # ids that are remembered
_COMPARED = 500  # characters of a text


class RepeatedIds:
    """The ids that a feed has been found to repeat; they stay so, or entries would change their identity."""

    def __init__(self, known: Iterable[str], base: str) -> None:
        self._base = base  # for relative links
        self._digests = dict.fromkeys(known)
        self._found: dict[str, None] = {}  # of entries in this document

    @property
    def digests(self) -> tuple[str, ...]:
        """Return the digests of the ids, to be remembered."""
        return tuple(self._digests)[-_MOST:]

    def doubtful(self, fresh: Iterable[Names], seen: Iterable[Names]) -> set[str]:
        """Return the ids of new entries that other entries with another link have, too."""
        own = {name for name, _ in fresh if name}
        links: dict[str, set[str | None]] = {}
        for name, link in (*fresh, *seen):
            if name in own and link:
                links.setdefault(name, set()).add(self._canonical(link))
        return {name for name, found in links.items() if len(found) > 1}

    def learn(self, entries: Iterable[Entry]) -> None:
        """Note the ids whose entries differ both in link and title: they are not one entry."""
        links: dict[str, set[str | None]] = {}
        words: dict[str, set[str]] = {}
        for entry in entries:
            if entry.id and entry.link:
                links.setdefault(entry.id, set()).add(self._canonical(entry.link))
                words.setdefault(entry.id, set()).add(_words(entry))
        for name, found in links.items():
            if len(found) > 1 and len(words[name]) > 1:
                self._digests[digest(name.encode("utf-8", "replace"))] = None

    def own(self, names: Names) -> Names:
        """Return the names of an entry without a repeated id, if it has a link instead."""
        name, link = names
        if name and link and self._digests and digest(name.encode("utf-8", "replace")) in self._digests:
            self._found[name] = None
            return None, link
        return names

    def note(self) -> str | None:
        """Return a note on the repeated ids of this document."""
        if not self._found:
            return None
        some = ", ".join(name[:60] for name in list(self._found)[:3])
        return f"Different entries have the same id ({some}), so they are told apart by their links."

    def _canonical(self, link: str) -> str | None:
        return canonical_url(link, self._base)


def _words(entry: Entry) -> str:
    text = entry.title or entry.body
    return text.value[:_COMPARED] if text else ""
