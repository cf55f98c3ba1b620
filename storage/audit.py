"""The audit: who changed what besides the stream itself, when and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from storage.tables import audit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection


class Audit:
    """The audit, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note(self, now: datetime, who: str, what: str, subject: str, detail: Mapping[str, Any]) -> None:
        """Note a change: `who` is "system" or a person's name, `subject` is like "source:nasa"."""
        self._connection.execute(
            audit.insert().values(at=now, who=who, what=what, subject=subject, detail=dict(detail))
        )

    def of(self, subject: str, limit: int = 50) -> list[Mapping[str, Any]]:
        """Return the newest notes on a subject, newest first, by column name."""
        rows = self._connection.execute(
            select(audit).where(audit.c.subject == subject).order_by(audit.c.id.desc()).limit(limit)
        )
        return [dict(row) for row in rows.mappings()]
