"""Compliance: what is held of a network, and what it was asked and said about that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, exists, func, or_, select, update

from aggregator.domain.activity import ActivityKind
from aggregator.domain.compliance.records import Held, Job, Shown
from storage.compliance.removals import Removals
from storage.engine import upsert
from storage.stream.actors import Actors
from storage.tables.compliance import checked, compliance_job
from storage.tables.moderation import audit
from storage.tables.stream import activity, actor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from aggregator.domain.activity import Actor

# What the audit calls what goes.
WORDS = ("post gone", "account gone", "post purged", "account purged", "network purged")


class Compliance(Removals):
    """What is held of a network, and what became of it, within one transaction."""

    # What is held

    def keys_held(self, network: str) -> list[str]:
        """Return the keys of all posts that are held, as rows of their own or embedded, newest first."""
        own = select(activity.c.key).where(_live(network))
        embedded = select(activity.c.object_key).where(_live(network), activity.c.object.is_not(None))
        keys = self._connection.execute(own.union(embedded)).scalars()
        return sorted((key for key in keys if key), key=_newest, reverse=True)

    def people_held(self, network: str) -> list[str]:
        """Return the native ids of all whose words are held."""
        said = exists().where(activity.c.actor_id == actor.c.id, activity.c.gone.is_(None))
        embedded = exists().where(activity.c.object_actor_id == actor.c.id, activity.c.gone.is_(None))
        chosen = select(actor.c.native_id).where(actor.c.network == network, said | embedded)
        return list(self._connection.execute(chosen.order_by(actor.c.native_id)).scalars())

    def unchecked(self, network: str, before: datetime, most: int) -> list[Held]:
        """Return what is held and was not checked since a moment, newest first."""
        lately = select(checked.c.key).where(checked.c.at > before)
        due = activity.c.key.not_in(lately) | (activity.c.object.is_not(None) & activity.c.object_key.not_in(lately))
        rows = self._connection.execute(
            select(activity.c.key, activity.c.url, activity.c.object_key, activity.c.object)
            .where(_live(network), due)
            .order_by(activity.c.position.desc(), activity.c.id.desc())
            .limit(most)
        ).all()
        found: dict[str, Held] = {}
        for row in rows:
            found.setdefault(row.key, Held(row.key, row.url))
            if row.object:
                found.setdefault(row.object_key, Held(row.object_key, row.object["content"].get("url")))
        recent = set(self._connection.execute(lately.where(checked.c.key.in_(found.keys()))).scalars())
        return [one for key, one in found.items() if key not in recent]

    def person_called(self, network: str, handle: str) -> str | None:
        """Return the native id of whoever has a handle (without "@"), as far as we know; the newest that we met."""
        called = func.lower(actor.c.handle) == handle.lower()
        chosen = select(actor.c.native_id).where(actor.c.network == network, called).order_by(actor.c.id.desc())
        return self._connection.execute(chosen.limit(1)).scalar()

    def still_held(self, keys: Collection[str]) -> set[str]:
        """Return which of these keys something holds."""
        live = activity.c.gone.is_(None)
        own = select(activity.c.key).where(activity.c.key.in_(keys), live)
        embedded = select(activity.c.object_key).where(activity.c.object_key.in_(keys), live)
        kept = embedded.where(activity.c.object.is_not(None) | (activity.c.kind == ActivityKind.REPOST.value))
        return {str(key) for key in self._connection.execute(own.union(kept)).scalars()}

    def authors(self, keys: Collection[str]) -> dict[str, Actor]:
        """Return who wrote the posts with these keys, by native id."""
        wrote = exists().where(activity.c.actor_id == actor.c.id, activity.c.key.in_(keys))
        return {row.native_id: Actors.actor_of(row) for row in self._connection.execute(select(actor).where(wrote))}

    def shown(self, keys: Collection[str]) -> list[Shown]:
        """Return the rows that hold posts with these keys as their own."""
        columns = (activity.c.source_id, activity.c.key, activity.c.url, activity.c.detail, activity.c.object)
        chosen = select(*columns).where(activity.c.key.in_(keys), activity.c.gone.is_(None))
        return [Shown(*row) for row in self._connection.execute(chosen)]

    def keys_at(self, network: str, version: str) -> set[str]:
        """Return the keys of posts of which this is the newest version that we hold."""
        ending = f"/{version}"
        own = select(activity.c.key).where(_live(network), activity.c.url.endswith(ending, autoescape=True))
        embedded = select(activity.c.object_key, activity.c.object).where(
            _live(network), activity.c.object.is_not(None), activity.c.object_key.is_not(None)
        )
        keys = {str(key) for key in self._connection.execute(own).scalars()}
        for row in self._connection.execute(embedded):
            if str(row.object["content"].get("url")).endswith(ending):
                keys.add(str(row.object_key))
        return keys

    def remaining(self, keys: Collection[str]) -> set[str]:
        """Return which of these keys of posts and people a table still holds content under: none, if all went well."""
        posts = [key for key in keys if ":@" not in key]
        held = self.still_held(posts)
        unlike = or_(*(activity.c[name].is_not(None) for name in ("text", "html", "url", "detail", "object")))
        emptied = activity.c.key.in_(posts) & activity.c.gone.is_not(None) & unlike
        held.update(self._connection.execute(select(activity.c.key).where(emptied)).scalars())
        for key in keys:
            network, _, native_id = key.partition(":@")
            if native_id and self._has_words(network, native_id):
                held.add(key)
        return held

    def removals(self, since: datetime) -> list[Mapping[str, Any]]:
        """Return the notes on everything that went since a moment, oldest first, by column name."""
        chosen = select(audit).where(audit.c.what.in_(WORDS), audit.c.at >= since).order_by(audit.c.id)
        return [dict(row) for row in self._connection.execute(chosen).mappings()]

    def _has_words(self, network: str, native_id: str) -> bool:
        who = select(actor.c.id).where(actor.c.network == network, actor.c.native_id == native_id).scalar_subquery()
        words = (activity.c.actor_id == who) | (activity.c.object_actor_id == who)
        return self._connection.execute(select(activity.c.id).where(words).limit(1)).first() is not None

    def held_of(self, network: str, before: datetime) -> int:
        """Return how many activities of a network are still held that were there before a moment."""
        chosen = select(func.count()).where(_live(network), activity.c.first_seen <= before)
        return int(self._connection.execute(chosen).scalar_one())

    # Asking the network

    def note_checked(self, keys: Iterable[str], now: datetime) -> None:
        """Note that the network was asked about these."""
        rows = [{"key": key, "at": now} for key in keys]
        if rows:
            self._connection.execute(upsert.statement(self._connection, checked, index=["key"], changing=["at"]), rows)

    def forget_checked(self, before: datetime) -> int:
        """Forget what was checked before a moment; return how much."""
        return self._connection.execute(delete(checked).where(checked.c.at < before)).rowcount

    def claim(self, what: str, now: datetime, until: datetime) -> bool:
        """Take the right to do something until a moment; False where somebody else has it."""
        claimed = upsert.statement(
            self._connection, checked, index=["key"], changing=["at"], where=checked.c.at <= now
        ).returning(checked.c.key)
        return self._connection.execute(claimed.values(key=what, at=until)).first() is not None

    def release(self, what: str, until: datetime) -> None:
        """Give a right back that was taken until that very moment."""
        self._connection.execute(delete(checked).where(and_(checked.c.key == what, checked.c.at == until)))

    def last_job(self, network: str, type_: str) -> Job | None:
        """Return the newest job of a type."""
        columns = [compliance_job.c[name] for name in Job._fields]
        chosen = select(*columns).where(compliance_job.c.network == network, compliance_job.c.type == type_)
        row = self._connection.execute(chosen.order_by(compliance_job.c.created.desc()).limit(1)).one_or_none()
        return None if row is None else Job(*row)

    def add_job(self, network: str, job: Job) -> None:
        """Note a job that was begun."""
        self._connection.execute(compliance_job.insert().values(network=network, **job._asdict()))

    def move_job(self, job_id: str, status: str, ended: datetime | None = None) -> None:
        """Note how a job stands, and when it was over."""
        self._connection.execute(
            update(compliance_job).where(compliance_job.c.id == job_id).values(status=status, ended=ended)
        )


def _live(network: str) -> ColumnElement[bool]:
    return (activity.c.network == network) & activity.c.gone.is_(None)


def _newest(key: str) -> tuple[int, str]:
    """Order keys by age: ids are numbers, and a longer one is later."""
    native_id = key.partition(":")[2]
    return len(native_id), native_id
