"""Read stored posts for compliance checks, and store the jobs and their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, exists, func, or_, select, update

from aggregator.domain.activity import ActivityKind
from aggregator.domain.compliance.records import Held, Job, Shown
from storage.compliance.lookups import Lookups
from storage.engine import upsert
from storage.stream.actors import Actors
from storage.tables.compliance import checked, compliance_job, gone_key
from storage.tables.moderation import audit
from storage.tables.stream import activity, actor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from aggregator.domain.activity import Actor

# The audit log's names of removals.
WORDS = ("post gone", "account gone", "post purged", "account purged", "network purged")


class Compliance(Lookups):
    """The stored posts of networks and their compliance jobs, within one transaction."""

    # Stored posts

    def keys_held(self, network: str) -> list[str]:
        """Return the keys of all stored posts, as own rows or embedded, newest first."""
        own = select(activity.c.key).where(_live(network))
        embedded = select(activity.c.object_key).where(_live(network), activity.c.object.is_not(None))
        quoted = select(activity.c.quoted_key).where(_live(network), activity.c.quoted_key.is_not(None))
        keys = self._connection.execute(own.union(embedded, quoted)).scalars()
        return sorted((key for key in keys if key), key=_newest, reverse=True)

    def people_held(self, network: str) -> list[str]:
        """Return the native ids of all authors with stored posts."""
        wrote = exists().where(activity.c.actor_id == actor.c.id, activity.c.gone.is_(None))
        embedded = exists().where(activity.c.object_actor_id == actor.c.id, activity.c.gone.is_(None))
        quoted = exists().where(activity.c.quoted_actor_id == actor.c.id, activity.c.gone.is_(None))
        chosen = select(actor.c.native_id).where(actor.c.network == network, wrote | embedded | quoted)
        return list(self._connection.execute(chosen.order_by(actor.c.native_id)).scalars())

    def unchecked(self, network: str, before: datetime, most: int) -> list[Held]:
        """Return posts that were not checked since a time, newest first."""
        lately = select(checked.c.key).where(checked.c.at > before)
        due = or_(
            activity.c.key.not_in(lately),
            activity.c.object.is_not(None) & activity.c.object_key.not_in(lately),
            activity.c.quoted_key.is_not(None) & activity.c.quoted_key.not_in(lately),
        )
        rows = self._connection.execute(
            select(activity.c.key, activity.c.url, activity.c.object_key, activity.c.object, activity.c.quoted_key)
            .where(_live(network), due)
            .order_by(activity.c.position.desc(), activity.c.id.desc())
            .limit(most)
        ).all()
        found: dict[str, Held] = {}
        for row in rows:
            found.setdefault(row.key, Held(row.key, row.url))
            if row.object:
                found.setdefault(row.object_key, Held(row.object_key, row.object["content"].get("url")))
            if row.quoted_key:
                found.setdefault(row.quoted_key, Held(row.quoted_key, row.object["object"]["content"].get("url")))
        recent = set(self._connection.execute(lately.where(checked.c.key.in_(found.keys()))).scalars())
        return [post for key, post in found.items() if key not in recent]

    def person_called(self, network: str, handle: str) -> str | None:
        """Return the native id of the newest known account with a handle (without "@"), if any."""
        called = func.lower(actor.c.handle) == handle.lower()
        chosen = select(actor.c.native_id).where(actor.c.network == network, called).order_by(actor.c.id.desc())
        return self._connection.execute(chosen.limit(1)).scalar()

    def still_held(self, keys: Collection[str]) -> set[str]:
        """Return which of these keys have stored content."""
        live = activity.c.gone.is_(None)
        own = select(activity.c.key).where(activity.c.key.in_(keys), live)
        embedded = select(activity.c.object_key).where(activity.c.object_key.in_(keys), live)
        # A repost that only reports that its original is unavailable has nothing to withdraw.
        truncated = (activity.c.kind == ActivityKind.REPOST.value) & (func.coalesce(activity.c.text, "") != "")
        kept = embedded.where(activity.c.object.is_not(None) | truncated)
        quoted = select(activity.c.quoted_key).where(activity.c.quoted_key.in_(keys), live)
        return {str(key) for key in self._connection.execute(own.union(kept, quoted)).scalars()}

    def known(self, network: str, native_ids: Collection[str]) -> set[str]:
        """Return which of these posts are stored or were removed."""
        keys = {f"{network}:{native_id}": native_id for native_id in native_ids}
        stored = select(activity.c.key).where(activity.c.key.in_(keys))
        removed = select(gone_key.c.key).where(gone_key.c.key.in_(keys))
        return {keys[key] for key in self._connection.execute(stored.union(removed)).scalars()}

    def authors(self, keys: Collection[str]) -> dict[str, Actor]:
        """Return the authors of the posts with these keys, by native id."""
        wrote = exists().where(activity.c.actor_id == actor.c.id, activity.c.key.in_(keys))
        return {row.native_id: Actors.actor_of(row) for row in self._connection.execute(select(actor).where(wrote))}

    def shown(self, keys: Collection[str]) -> list[Shown]:
        """Return the rows whose own posts have these keys."""
        columns = (activity.c.source_id, activity.c.key, activity.c.url, activity.c.detail, activity.c.object)
        chosen = select(*columns).where(activity.c.key.in_(keys), activity.c.gone.is_(None))
        return [Shown(*row) for row in self._connection.execute(chosen)]

    def keys_at(self, network: str, version: str) -> set[str]:
        """Return the keys of posts whose newest stored version is this one."""
        ending = f"/{version}"
        own = select(activity.c.key).where(_live(network), activity.c.url.endswith(ending, autoescape=True))
        embedded = select(activity.c.object_key, activity.c.object, activity.c.quoted_key).where(
            _live(network), activity.c.object.is_not(None), activity.c.object_key.is_not(None)
        )
        keys = {str(key) for key in self._connection.execute(own).scalars()}
        for row in self._connection.execute(embedded):
            if str(row.object["content"].get("url")).endswith(ending):
                keys.add(str(row.object_key))
            if row.quoted_key and str(row.object["object"]["content"].get("url")).endswith(ending):
                keys.add(str(row.quoted_key))
        return keys

    def keys_by(self, network: str, author: str, version: str) -> set[str]:
        """Return the keys of an account's posts, also embedded ones, whose newest stored version is this one."""
        ending = f"/{version}"
        person = select(actor.c.id).where(actor.c.network == network, actor.c.native_id == author).scalar_subquery()
        own = select(activity.c.key).where(
            activity.c.actor_id == person, activity.c.gone.is_(None), activity.c.url.endswith(ending, autoescape=True)
        )
        url = activity.c.object["content"]["url"].as_string()
        embedded = select(activity.c.object_key).where(
            activity.c.object_actor_id == person, activity.c.gone.is_(None), url.endswith(ending, autoescape=True)
        )
        return {str(key) for key in self._connection.execute(own.union(embedded)).scalars() if key}

    def remaining(self, keys: Collection[str]) -> set[str]:
        """Return which of these keys of posts and people still have content in a table; normally none."""
        posts = [key for key in keys if ":@" not in key]
        left = self.still_held(posts)
        unlike = or_(*(activity.c[name].is_not(None) for name in ("text", "html", "url", "detail", "object")))
        emptied = activity.c.key.in_(posts) & activity.c.gone.is_not(None) & unlike
        left.update(self._connection.execute(select(activity.c.key).where(emptied)).scalars())
        for key in keys:
            network, _, native_id = key.partition(":@")
            if native_id and self._has_words(network, native_id):
                left.add(key)
        return left

    def removals(self, since: datetime) -> list[Mapping[str, Any]]:
        """Return the audit entries of all removals since a time, oldest first, by column name."""
        chosen = select(audit).where(audit.c.what.in_(WORDS), audit.c.at >= since).order_by(audit.c.id)
        return [dict(row) for row in self._connection.execute(chosen).mappings()]

    def _has_words(self, network: str, native_id: str) -> bool:
        who = select(actor.c.id).where(actor.c.network == network, actor.c.native_id == native_id).scalar_subquery()
        authors = (activity.c.actor_id, activity.c.object_actor_id, activity.c.quoted_actor_id)
        words = or_(*(author == who for author in authors))
        return self._connection.execute(select(activity.c.id).where(words).limit(1)).first() is not None

    def held_of(self, network: str, before: datetime) -> int:
        """Return how many activities of a network are stored that were first seen before a time."""
        chosen = select(func.count()).where(_live(network), activity.c.first_seen <= before)
        return int(self._connection.execute(chosen).scalar_one())

    # Checks

    def note_checked(self, keys: Iterable[str], now: datetime) -> None:
        """Record that the network was asked about these keys."""
        rows = [{"key": key, "at": now} for key in keys]
        if rows:
            self._connection.execute(upsert.statement(self._connection, checked, index=["key"], changing=["at"]), rows)

    def forget_checked(self, before: datetime) -> int:
        """Delete records of checks before a time; return the number."""
        return self._connection.execute(delete(checked).where(checked.c.at < before)).rowcount

    def claim(self, what: str, now: datetime, until: datetime) -> bool:
        """Claim a named task until a time; return False if another process has claimed it."""
        claimed = upsert.statement(
            self._connection, checked, index=["key"], changing=["at"], where=checked.c.at <= now
        ).returning(checked.c.key)
        return self._connection.execute(claimed.values(key=what, at=until)).first() is not None

    def extend(self, what: str, until: datetime) -> None:
        """Keep a claim until a later time."""
        self._connection.execute(update(checked).where(checked.c.key == what).values(at=until))

    def renew(self, what: str, until: datetime, new_until: datetime) -> bool:
        """Extend a claim that was made until this time; return False if it was lost."""
        ours = and_(checked.c.key == what, checked.c.at == until)
        return self._connection.execute(update(checked).where(ours).values(at=new_until)).rowcount == 1

    def claimed_until(self, what: str) -> datetime | None:
        """Return the end of the last claim of a task; None: there is none."""
        return self._connection.execute(select(checked.c.at).where(checked.c.key == what)).scalar_one_or_none()

    def release(self, what: str, until: datetime) -> None:
        """Release a claim that was made until this time."""
        self._connection.execute(delete(checked).where(and_(checked.c.key == what, checked.c.at == until)))

    def last_job(self, network: str, type_: str) -> Job | None:
        """Return the newest job of a type."""
        columns = [compliance_job.c[name] for name in Job._fields]
        chosen = select(*columns).where(compliance_job.c.network == network, compliance_job.c.type == type_)
        row = self._connection.execute(chosen.order_by(compliance_job.c.created.desc()).limit(1)).one_or_none()
        return None if row is None else Job(*row)

    def add_job(self, network: str, job: Job) -> None:
        """Store a new job."""
        self._connection.execute(compliance_job.insert().values(network=network, **job._asdict()))

    def move_job(self, job_id: str, status: str, ended: datetime | None = None) -> None:
        """Store the status of a job, and when it ended."""
        self._connection.execute(
            update(compliance_job).where(compliance_job.c.id == job_id).values(status=status, ended=ended)
        )


def _live(network: str) -> ColumnElement[bool]:
    return (activity.c.network == network) & activity.c.gone.is_(None)


def _newest(key: str) -> tuple[int, str]:
    """Return the sort key by age: ids are numbers, so a longer id is later."""
    native_id = key.partition(":")[2]
    return len(native_id), native_id
