"""Compliance: what goes because its network says that it is gone, and what is asked of the network to learn that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, delete, exists, func, or_, select, update

from aggregator.activity import ActivityKind, Upstream
from storage import upsert
from storage.stream import Stream
from storage.tables import activity, actor, billed, checked, compliance_job, gone_key, source
from storage.tombstones import Tombstones, person_key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from storage.tombstones import Buried

NAMELESS = "Removed account"  # the name of people whose content went

_SLICE = 2000  # rows of one transaction, so that readers and polls go on


@dataclass(slots=True)
class Removal:
    """What taking something out did."""

    posts: int = 0  # its own
    reposts: int = 0  # of it
    quotes: int = 0  # and replies that embedded it and keep their own words
    revision: int | None = None  # the newest of those that tell readers
    is_new: bool = False  # it was not gone for everybody yet
    more: bool = False  # the rest needs another transaction

    @property
    def activities(self) -> int:
        """How many activities it touched."""
        return self.posts + self.reposts + self.quotes

    def add(self, other: Removal) -> None:
        """Count another one in."""
        self.posts += other.posts
        self.reposts += other.reposts
        self.quotes += other.quotes
        self.revision = max(filter(None, (self.revision, other.revision)), default=None)
        self.is_new |= other.is_new
        self.more = other.more


class Held(NamedTuple):
    """A post that we hold, as its own row or embedded: its key, and the newest version that we know of."""

    key: str
    url: str | None


class Shown(NamedTuple):
    """A row as it is shown, as far as its network may change it."""

    source_id: int
    key: str
    url: str | None
    detail: Mapping[str, Any] | None
    object: Mapping[str, Any] | None


class Job(NamedTuple):
    """A list of ids that a network was asked to check."""

    id: str
    type: str
    ids: int
    created: datetime
    status: str
    ended: datetime | None


class Compliance:
    """What is held of a network and what became of it, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tombstones = Tombstones(connection)

    # Removing

    def withdraw(
        self, reasons: Mapping[str, str], upstream: Upstream, now: datetime, *, for_good: bool = True
    ) -> dict[str, Removal]:
        """Make posts gone, with plain reposts of them; return by key what that did.

        Quotes and replies that embed one lose it and keep their own words.

        Args:
            reasons: why, by key ("x:123").
            upstream: how they stand at their network now.
            now: the present moment.
            for_good: nobody may bring them again.
        """
        Stream(self._connection).take(0)  # the lock before the rows, see `Stream.take`
        removals = {key: Removal() for key in reasons}
        for key in self._ban(reasons, now) if for_good else ():
            removals[key].is_new = True
        for reason in dict.fromkeys(reasons.values()):
            keys = [key for key, why in reasons.items() if why == reason]
            embedding = activity.c.object_key.in_(keys)
            reposts = embedding & (activity.c.kind == ActivityKind.REPOST.value)
            for one in self._tombstones.bury(activity.c.key.in_(keys), reason, now, upstream=upstream):
                _count(removals[one.key], one, "posts")
            for one in self._tombstones.bury(reposts, f"its original: {reason}", now, upstream=upstream):
                _count(removals[str(one.object_key)], one, "reposts")
            for one in self._tombstones.strip(embedding):
                _count(removals[str(one.object_key)], one, "quotes")
        return removals

    def withdraw_person(
        self,
        network: str,
        native_id: str,
        reason: str,
        now: datetime,
        *,
        upstream: Upstream = Upstream.GONE,
        for_good: bool = True,
        most: int = _SLICE,
    ) -> Removal:
        """Make everything gone that somebody said, and take their name and picture away; call it until no more is left.

        With `for_good` nothing of theirs is ever stored again; else only what is gone now stays so.
        """
        Stream(self._connection).take(0)
        removal = Removal()
        if for_good:
            removal.is_new = bool(self._ban({person_key(network, native_id): reason}, now))
        who = self._connection.execute(
            select(actor.c.id).where(actor.c.network == network, actor.c.native_id == native_id)
        ).scalar()
        if who is None:
            return removal
        own = self._tombstones.bury(activity.c.actor_id == who, reason, now, upstream=upstream, most=most)
        self._ban({one.key: reason for one in own}, now)
        for one in own:
            _count(removal, one, "posts")
        embedding = activity.c.object_actor_id == who
        reposts = embedding & (activity.c.kind == ActivityKind.REPOST.value)
        for one in self._tombstones.bury(reposts, f"its original: {reason}", now, upstream=upstream, most=most):
            _count(removal, one, "reposts")
        for one in self._tombstones.strip(embedding, most=most):
            _count(removal, one, "quotes")
        removal.more = max(removal.posts, removal.reposts, removal.quotes) == most
        revision = self._anonymise(actor.c.id == who, _SLICE)
        removal.revision = max(filter(None, (removal.revision, revision)), default=None)
        return removal

    def withdraw_network(self, network: str, reason: str, now: datetime, *, most: int = _SLICE) -> Removal:
        """Make a part of what a network's people said gone; call it until no more is left."""
        removal = Removal()
        for one in self._tombstones.bury(activity.c.network == network, reason, now, most=most):
            _count(removal, one, "posts")
        removal.more = removal.posts == most
        if removal.more:
            return removal
        nameless = self._anonymise(actor.c.network == network, most)
        removal.revision = max(filter(None, (removal.revision, nameless)), default=None)
        removal.more = nameless is not None
        if not removal.more:
            self._connection.execute(delete(checked).where(checked.c.key.startswith(f"{network}:", autoescape=True)))
            self._connection.execute(delete(billed).where(billed.c.service == network))
            self._connection.execute(delete(compliance_job).where(compliance_job.c.network == network))
        return removal

    def forget_reading(self, kinds: Collection[str]) -> None:
        """Empty what polling remembers of all sources of these kinds, removed ones included."""
        Stream(self._connection).take(0)
        self._connection.execute(update(source).where(source.c.kind.in_(kinds)).values(fetch_state={}))

    def hold_sources(self, ids: Collection[int]) -> None:
        """Lock sources before the stream's row, as a poll does that stores what it brought."""
        self._connection.execute(
            select(source.c.id).where(source.c.id.in_(ids)).order_by(source.c.id).with_for_update()
        )

    def _ban(self, reasons: Mapping[str, str], now: datetime) -> set[str]:
        """Note what must never be stored again; return what was not noted yet."""
        if not reasons:
            return set()
        fresh = set(reasons) - self._tombstones.among(reasons)
        rows = [{"key": key, "at": now, "reason": reasons[key]} for key in sorted(fresh)]
        if rows:
            self._connection.execute(upsert.statement(self._connection, gone_key, index=["key"], changing=[]), rows)
        return fresh

    def _anonymise(self, which: ColumnElement[bool], most: int) -> int | None:
        """Take names and pictures away; return the newest revision, or None where there were none."""
        named = or_(
            actor.c.name != NAMELESS, actor.c.handle.is_not(None), actor.c.url.is_not(None), actor.c.avatar.is_not(None)
        )
        ids = self._connection.execute(select(actor.c.id).where(which, named).limit(most)).scalars().all()
        if not ids:
            return None
        first = Stream(self._connection).take(len(ids))
        nameless = {"name": NAMELESS, "handle": None, "url": None, "avatar": None, "refresh_after": None}
        for offset, id_ in enumerate(ids):
            self._connection.execute(update(actor).where(actor.c.id == id_).values(**nameless, revision=first + offset))
        return first + len(ids) - 1

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
        recent = set(self._connection.execute(lately).scalars())
        found: dict[str, Held] = {}
        for row in rows:
            found.setdefault(row.key, Held(row.key, row.url))
            if row.object:
                found.setdefault(row.object_key, Held(row.object_key, row.object["content"].get("url")))
        return [one for key, one in found.items() if key not in recent]

    def still_held(self, keys: Collection[str]) -> set[str]:
        """Return which of these keys something holds."""
        live = activity.c.gone.is_(None)
        own = select(activity.c.key).where(activity.c.key.in_(keys), live)
        embedded = select(activity.c.object_key).where(activity.c.object_key.in_(keys), live)
        kept = embedded.where(activity.c.object.is_not(None) | (activity.c.kind == ActivityKind.REPOST.value))
        return {str(key) for key in self._connection.execute(own.union(kept)).scalars()}

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


def _count(removal: Removal, one: Buried, what: str) -> None:
    setattr(removal, what, getattr(removal, what) + 1)
    removal.revision = max(removal.revision or 0, one.revision)


def _newest(key: str) -> tuple[int, str]:
    """Order keys by age: ids are numbers, and a longer one is later."""
    native_id = key.partition(":")[2]
    return len(native_id), native_id
