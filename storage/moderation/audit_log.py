"""The history: who decided or changed what, when and why. It only grows, and each line seals those before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select, update

from aggregator.domain.activity import storable_json
from aggregator.domain.moderation.audit_chain import Note, digest
from storage.revision import Stream
from storage.tables.moderation import audit
from storage.tables.stream import stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection


_AT_ONCE = 2000  # lines that are read together


class Verified(NamedTuple):
    """What going through the history found."""

    lines: int  # that fit
    newest: str  # the hash of the last of them
    broken: Note | None = None  # the first line that does not fit
    why: str = ""  # in what something does not fit; "": all is well


class Audit:
    """The history, within one transaction."""

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
        """Note a change: `who` is "system", "command line" or a person's name, `subject` is like "source:nasa"."""
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
        """Note the same change of several subjects, each with its own detail."""
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
        """Return the newest notes on a subject, newest first, by column name."""
        rows = self._connection.execute(
            select(audit).where(audit.c.subject == subject).order_by(audit.c.id.desc()).limit(limit)
        )
        return [dict(row) for row in rows.mappings()]

    def batch(self, batch: str) -> list[Mapping[str, Any]]:
        """Return the notes on what was done together, oldest first."""
        rows = self._connection.execute(select(audit).where(audit.c.batch == batch).order_by(audit.c.id))
        return [dict(row) for row in rows.mappings()]

    def page(
        self, *, before: int | None = None, limit: int = 50, who: str = "", what: str = "", subject: str = ""
    ) -> list[Mapping[str, Any]]:
        """Return notes, newest first, before the one of an id; `subject` may be the beginning of one ("source:")."""
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

    def lines(self) -> Iterator[tuple[Note, str]]:
        """Give every line and its hash, oldest first, a few at a time."""
        statement = select(audit).order_by(audit.c.id)
        with self._connection.execution_options(yield_per=_AT_ONCE).execute(statement) as rows:
            for row in rows:
                yield Note(row.id, row.at, row.who, row.what, row.subject, row.detail, row.batch), row.hash

    def verify(self) -> Verified:
        """Go through the whole history and say where, if anywhere, it was changed."""
        end = self._connection.execute(select(stream.c.audit_last, stream.c.audit_hash)).one()
        lines, last, hash_ = 0, 0, ""
        for note, held in self.lines():
            if digest(hash_, note) != held:
                why = (
                    "its hash does not follow from it and the line before: one of them was changed, put in or taken out"
                )
                return Verified(lines, hash_, note, why)
            lines, last, hash_ = lines + 1, note.id, held
        if (last, hash_) != (end.audit_last, end.audit_hash):
            why = f"the history ends with line {last}, but line {end.audit_last} was written: the end was taken off"
            return Verified(lines, hash_, None, why)
        return Verified(lines, hash_)
