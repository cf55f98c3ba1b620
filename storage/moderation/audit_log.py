"""Store the audit log: who changed what, when and why. Append-only; each line's hash covers the previous line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select, update

from aggregator.domain.activity import storable_json
from aggregator.domain.moderation.audit_chain import Note, digest
from storage.revision import Stream
from storage.tables.moderation import audit
from storage.tables.stream import stream

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection


_AT_ONCE = 2000  # lines per read
_COUNTED = 20_000  # lines that a summary examines


class Verified(NamedTuple):
    """The result of verifying the audit log."""

    lines: int  # valid lines
    newest: str  # the hash of the last one
    broken: Note | None = None  # the first invalid line
    why: str = ""  # why it is invalid; "": the log is intact


class Audit:
    """The audit log, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note(
        self,
        now: datetime,
        who: str,
        what: str,
        subject: str,
        detail: Mapping[str, Any],
        *,
        batch: str | None = None,
    ) -> None:
        """Add an entry: `who` is "system", "command line" or a user's name, `subject` is like "source:nasa"."""
        self.notes(now, who, what, [(subject, detail)], batch=batch)

    def notes(
        self,
        now: datetime,
        who: str,
        what: str,
        subjects: Sequence[tuple[str, Mapping[str, Any]]],
        *,
        batch: str | None = None,
    ) -> None:
        """Add entries on the same change of several subjects, each with its own detail."""
        if not subjects:
            return
        Stream(self._connection).require_lock()
        end = self._connection.execute(select(stream.c.audit_last, stream.c.audit_hash)).one()
        last, hash_ = end.audit_last, end.audit_hash
        rows = []
        for subject, detail in subjects:
            last += 1
            note = Note(last, now, who, what, subject, storable_json(dict(detail)), batch)
            hash_ = digest(hash_, note)
            rows.append(
                {
                    "id": note.id, "at": now, "who": who, "what": what, "subject": subject, "detail": note.detail,
                    "batch": batch, "hash": hash_,
                }
            )  # fmt: skip
        self._connection.execute(audit.insert(), rows)
        self._connection.execute(update(stream).values(audit_last=last, audit_hash=hash_))

    def of(self, subject: str, limit: int = 50) -> list[Mapping[str, Any]]:
        """Return the newest entries on a subject, newest first, by column name."""
        rows = self._connection.execute(
            select(audit).where(audit.c.subject == subject).order_by(audit.c.id.desc()).limit(limit)
        )
        return [dict(row) for row in rows.mappings()]

    def batch(self, batch: str) -> list[Mapping[str, Any]]:
        """Return the entries of a batch, oldest first."""
        rows = self._connection.execute(select(audit).where(audit.c.batch == batch).order_by(audit.c.id))
        return [dict(row) for row in rows.mappings()]

    def page(
        self, *, before: int | None = None, limit: int = 50, who: str = "", what: str = "", subject: str = ""
    ) -> list[Mapping[str, Any]]:
        """Return entries before an id, newest first; `subject` may be a prefix ("source:")."""
        statement = select(audit).order_by(audit.c.id.desc()).limit(limit)
        if before is not None:
            statement = statement.where(audit.c.id < before)
        if who:
            statement = statement.where(audit.c.who == who)
        if what:
            statement = statement.where(audit.c.what.contains(what, autoescape=True))
        if subject.endswith(":"):
            statement = statement.where(audit.c.subject.startswith(subject, autoescape=True))
        elif subject:
            statement = statement.where(audit.c.subject == subject)
        return [dict(row) for row in self._connection.execute(statement).mappings()]

    def counts(self, since: datetime, what: Collection[str]) -> dict[tuple[str, str], int]:
        """Return the number of entries since a time by user and action, among the newest ones."""
        newest = select(audit).order_by(audit.c.id.desc()).limit(_COUNTED).subquery()
        rows = self._connection.execute(
            select(newest.c.who, newest.c.what, func.count())
            .where(newest.c.at >= since, newest.c.what.in_(what))
            .group_by(newest.c.who, newest.c.what)
            .order_by(newest.c.who, newest.c.what)
        )
        return {(who, action): count for who, action, count in rows}

    def lines(self) -> Iterator[tuple[Note, str]]:
        """Yield every line with its hash, oldest first, reading in chunks."""
        statement = select(audit).order_by(audit.c.id)
        with self._connection.execution_options(yield_per=_AT_ONCE).execute(statement) as rows:
            for row in rows:
                yield Note(row.id, row.at, row.who, row.what, row.subject, row.detail, row.batch), row.hash

    def verify(self) -> Verified:
        """Verify the whole audit log and return the first changed place, if any."""
        end = self._connection.execute(select(stream.c.audit_last, stream.c.audit_hash)).one()
        lines, last, hash_ = 0, 0, ""
        for note, stored_hash in self.lines():
            if digest(hash_, note) != stored_hash:
                why = "its hash doesn't match it and the previous line: one of them was changed, added or removed"
                return Verified(lines, hash_, note, why)
            lines, last, hash_ = lines + 1, note.id, stored_hash
        if (last, hash_) != (end.audit_last, end.audit_hash):
            why = f"the log ends with line {last}, but line {end.audit_last} was written: the end was removed"
            return Verified(lines, hash_, None, why)
        return Verified(lines, hash_)
