"""Record compactly which entries a feed had at the last poll, so that unchanged entries are skipped. Pure.

The record is a single line: a digest of the shared context, and a digest per entry. Callers treat it as opaque.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_LENGTH = 11  # characters for 64 bits
_DATED, _UNDATED = "+", "."  # suffix of each
_REPEATED = "!"  # before the ids that are repeated


class Seen(NamedTuple):
    """The recorded entries of a document."""

    header: str  # digest of the shared context
    entries: Mapping[str, bool]  # digests, and whether the entry lacks a date for ordering
    repeated: tuple[str, ...] = ()  # digests of ids that several entries have had

    @classmethod
    def of(cls, line: str) -> Seen:
        """Parse a record; an empty or damaged one has no entries."""
        header, _, rest = line.partition(":")
        rest, _, more = rest.partition(_REPEATED)
        if len(rest) % (_LENGTH + 1) or len(more) % _LENGTH:
            return cls("", {})
        starts = range(0, len(rest), _LENGTH + 1)
        repeated = tuple(more[at : at + _LENGTH] for at in range(0, len(more), _LENGTH))
        return cls(header, {rest[at : at + _LENGTH]: rest[at + _LENGTH] == _UNDATED for at in starts}, repeated)

    def line(self) -> str:
        """Return the record of a document."""
        marks = (f"{digest}{_UNDATED if undated else _DATED}" for digest, undated in self.entries.items())
        more = f"{_REPEATED}{''.join(self.repeated)}" if self.repeated else ""
        return f"{self.header}:{''.join(marks)}{more}"


def digest(raw: bytes) -> str:
    """Return a 64-bit digest as text. A collision can only hide an entry in the attacker's own feed."""
    return urlsafe_b64encode(blake2b(raw, digest_size=8).digest())[:_LENGTH].decode("ascii")
