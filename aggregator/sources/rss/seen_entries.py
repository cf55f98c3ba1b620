"""Which entries a feed had at the last poll, in few bytes: those that come again in the same bytes cost nothing. Pure.

What is kept is one line: a digest of what all entries depend on, and one of each entry. Callers need not read it.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_LENGTH = 11  # characters of 64 bits
_DATED, _UNDATED = "+", "."  # behind each


class Seen(NamedTuple):
    """What is remembered of a document."""

    header: str  # digest of what every entry depends on
    entries: Mapping[str, bool]  # digests, and whether that entry spoils the order by dates

    @classmethod
    def of(cls, line: str) -> Seen:
        """Read a line; nothing was seen where it is empty or damaged."""
        header, _, rest = line.partition(":")
        if len(rest) % (_LENGTH + 1):
            return cls("", {})
        starts = range(0, len(rest), _LENGTH + 1)
        return cls(header, {rest[at : at + _LENGTH]: rest[at + _LENGTH] == _UNDATED for at in starts})

    def line(self) -> str:
        """Return the line to remember a document by."""
        marks = (f"{digest}{_UNDATED if undated else _DATED}" for digest, undated in self.entries.items())
        return f"{self.header}:{''.join(marks)}"


def digest(raw: bytes) -> str:
    """Return 64 bits of a digest as text; whoever forged the same would only hide an entry of a feed of their own."""
    return urlsafe_b64encode(blake2b(raw, digest_size=8).digest())[:_LENGTH].decode("ascii")
