"""The history's chain: each line has a hash over itself and the hash before it, so that no past line can change. Pure.

The hash is SHA-256, in hexadecimal, of the UTF-8 bytes of: the hash before (nothing for the first line), a line feed,
and a JSON array of id, moment (ISO 8601 with microseconds, UTC), who, what, subject, detail and batch; objects with
sorted keys, no spaces, and characters beyond ASCII as they are.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Note:
    """A line of the history: who did what to what."""

    id: int
    at: datetime
    who: str  # "system", "command line" or a person's name
    what: str  # "hid"
    subject: str  # "activity:12", "source:nasa"
    detail: Mapping[str, Any] | None
    batch: str | None = None  # what was done together


def digest(before: str, note: Note) -> str:
    """Return the hash of a line behind the one that has the hash `before`."""
    at = note.at.isoformat(timespec="microseconds")
    plain = json.dumps(
        [note.id, at, note.who, note.what, note.subject, note.detail, note.batch],
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return hashlib.sha256(f"{before}\n{plain}".encode()).hexdigest()
