"""Hash-chain the audit log: each entry's hash covers the previous one, so that changes are detected. Pure.

The hash is SHA-256, in hexadecimal, of the UTF-8 bytes of: the previous hash (nothing for the first entry), a line
feed, and a JSON array of id, time (ISO 8601 with microseconds, UTC), who, what, subject, detail and batch; objects with
sorted keys, no spaces, and non-ASCII characters unescaped.
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
    """An entry of the audit log."""

    id: int
    at: datetime
    who: str  # "system", "command line" or a user's name
    what: str  # "hid"
    subject: str  # "activity:12", "source:nasa"
    detail: Mapping[str, Any] | None
    batch: str | None = None  # groups entries of one decision


def digest(before: str, note: Note) -> str:
    """Return the hash of an entry that follows the hash `before`."""
    at = note.at.isoformat(timespec="microseconds")
    plain = json.dumps(
        [note.id, at, note.who, note.what, note.subject, note.detail, note.batch],
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return hashlib.sha256(f"{before}\n{plain}".encode()).hexdigest()
