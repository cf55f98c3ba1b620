"""Store rules, and read the data that their conditions examine besides the item."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select, update

from aggregator.domain.matching.near_duplicates import MinHashIndex
from aggregator.domain.moderation.conditions import (
    Condition,
    Facts,
    Field,
    Operator,
    Surroundings,
)
from aggregator.domain.moderation.rules import Action, Rule, Rulebook
from storage.revision import Stream
from storage.tables.moderation import rule
from storage.tables.polling import source
from storage.tables.stream import activity, actor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection, Row

    from aggregator.domain.source import Source

_NEWEST = 5000  # recent items that a new one is compared with
_AT_ONCE = 5000  # rows per read
_object_actor = actor.alias("object_actor")

# The columns of each field, besides those that every item has.
_COLUMNS: Mapping[Field, tuple[str, ...]] = {
    Field.TEXT: ("words", "title", "text", "detail", "object"),
    Field.TITLE: ("words", "title", "object"),
    Field.AUTHOR: ("name", "handle", "object_name", "object_handle"),
    Field.URL: ("url", "detail", "object"),
    Field.HASHTAG: ("words", "detail", "object"),
    Field.KIND: (),
    Field.SOURCE: (),
    Field.LANGUAGE: ("lang",),
    Field.REPOST: (),
    Field.REPLY: ("detail",),
    Field.SENSITIVE: ("detail", "object"),
    Field.UNDESCRIBED: ("detail", "object"),
    Field.DAILY_CAP: (),
    Field.NEAR_DUPLICATE: ("words", "key", "object_key"),
}
_SELECTED = {
    "words": activity.c.search_text,
    "title": activity.c.title,
    "text": activity.c.text,
    "object": activity.c.object,
    "detail": activity.c.detail,
    "url": activity.c.url,
    "lang": activity.c.lang,
    "key": activity.c.key,
    "object_key": activity.c.object_key,
    "name": actor.c.name,
    "handle": actor.c.handle,
    "object_name": _object_actor.c.name,
    "object_handle": _object_actor.c.handle,
}


class Rules:
    """The rules, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[Rule]:
        """Return every rule, in order of evaluation."""
        return [_rule(row) for row in self._connection.execute(select(rule).order_by(rule.c.place, rule.c.id))]

    def get(self, rule_id: int) -> Rule | None:
        """Return a rule."""
        row = self._connection.execute(select(rule).where(rule.c.id == rule_id)).one_or_none()
        return None if row is None else _rule(row)

    def _lock(self) -> None:
        """Lock the stream's row before any rule's, as all writers of both do."""
        Stream(self._connection).require_lock()

    def add(self, new: Rule, now: datetime) -> int:
        """Add a rule after the others; return its id."""
        self._lock()
        last: int | None = self._connection.execute(select(func.max(rule.c.place))).scalar()
        values = {**_values(new), "place": (last or 0) + 1, "created": now, "changed": now}
        id_: int = self._connection.execute(rule.insert().values(**values).returning(rule.c.id)).scalar_one()
        return id_

    def change(self, changed: Rule, now: datetime) -> None:
        """Update a rule; its position and counts stay."""
        self._lock()
        values = {**_values(changed), "changed": now}
        self._connection.execute(update(rule).where(rule.c.id == changed.id).values(**values))

    def delete(self, rule_id: int) -> None:
        """Delete a rule; its past decisions stay."""
        self._lock()
        self._connection.execute(rule.delete().where(rule.c.id == rule_id))

    def move(self, rule_id: int, *, up: bool) -> bool:
        """Swap a rule with its neighbor; return False if it has none on that side."""
        self._lock()
        order = [stored.id for stored in self.all()]
        place = order.index(rule_id) if rule_id in order else -1
        other = place - 1 if up else place + 1
        if place < 0 or not 0 <= other < len(order):
            return False
        order[place], order[other] = order[other], order[place]
        rows = [{"row": id_, "at": number} for number, id_ in enumerate(order, 1)]
        self._connection.execute(update(rule).where(rule.c.id == bindparam("row")).values(place=bindparam("at")), rows)
        return True

    def count(self, acted: Mapping[int, int], now: datetime) -> None:
        """Count the matches of rules."""
        rows = [{"row": id_, "times": times} for id_, times in sorted(acted.items())]
        if rows:
            self._lock()
            statement = update(rule).where(rule.c.id == bindparam("row"))
            self._connection.execute(statement.values(acted=rule.c.acted + bindparam("times"), last_acted=now), rows)

    def hide_author(self, name: str, *, who: str, now: datetime) -> int:
        """Enable a rule that hides all items of an author; return its id."""
        self._lock()
        condition = Condition(Field.AUTHOR, Operator.IS, name)
        for stored in self.all():
            if stored.action is Action.HIDE and stored.conditions == (condition,):
                if not stored.enabled:
                    self._connection.execute(
                        update(rule).where(rule.c.id == stored.id).values(enabled=True, changed=now)
                    )
                return stored.id
        new = Rule(0, f"Author {name}"[:80], Action.HIDE, (condition,), author=who)
        return self.add(new, now)

    # Data for conditions

    def around(self, of: Source, book: Rulebook, now: datetime, recent: MinHashIndex | None = None) -> Surroundings:
        """Return recent items, as far as the rules' conditions need them; `recent` if they were read before."""
        counts: dict[tuple[str, int], int] = {}
        if Field.DAILY_CAP in book.fields:
            today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            came = select(func.count()).where(activity.c.source_id == of.id, activity.c.first_seen >= today)
            counts[of.slug, today.toordinal()] = self._connection.execute(came).scalar_one()
        if recent is None and book.hours:
            recent = self._recent(now, book.hours)
        return Surroundings(counts, recent)

    def _recent(self, now: datetime, hours: int) -> MinHashIndex:
        recent = MinHashIndex()
        columns = (activity.c.search_text, activity.c.key, activity.c.object_key, source.c.slug, activity.c.first_seen)
        rows = self._connection.execute(
            select(*columns)
            .join(source, source.c.id == activity.c.source_id)
            .where(activity.c.first_seen >= now - timedelta(hours=hours), activity.c.gone.is_(None))
            .order_by(activity.c.id.desc())
            .limit(_NEWEST)
        ).all()
        for words, key, object_key, slug, arrived in reversed(rows):
            recent.note(words or "", tuple(filter(None, (key, object_key))), slug, arrived)
        return recent

    def arrived(self, since: datetime, book: Rulebook) -> Iterator[tuple[int, Facts]]:
        """Yield id and facts of all items since a time, in order of arrival, with the fields that conditions need."""
        names = sorted({name for field in book.fields for name in _COLUMNS[field]})
        statement = (
            select(
                activity.c.id,
                activity.c.kind,
                activity.c.first_seen,
                source.c.slug,
                *(_SELECTED[name] for name in names),
            )
            .join(source, source.c.id == activity.c.source_id)
            .where(activity.c.first_seen >= since, activity.c.gone.is_(None))
            .order_by(activity.c.id)
        )
        if "name" in names:
            statement = statement.outerjoin(actor, actor.c.id == activity.c.actor_id)
            statement = statement.outerjoin(_object_actor, _object_actor.c.id == activity.c.object_actor_id)
        with self._connection.execution_options(yield_per=_AT_ONCE).execute(statement) as rows:
            for id_, kind, arrived, slug, *values in rows:
                yield id_, _facts(slug, arrived, kind, dict(zip(names, values, strict=True)))


def _facts(slug: str, arrived: datetime, kind: str, columns: Mapping[str, Any]) -> Facts:
    """Return the same as `conditions.facts_of` for the item, as far as columns were read."""
    detail = columns.get("detail") or {}
    original = (columns.get("object") or {}).get("content") or {}
    both = (detail, original)
    media = [medium for content in both for medium in content.get("media") or ()]
    handles = [f"@{columns[name]}" for name in ("handle", "object_handle") if columns.get(name)]
    links = [link["url"] for content in both for link in content.get("links") or ()]
    return Facts(
        source=slug,
        arrived=arrived,
        kind=kind,
        title="\n".join(filter(None, (columns.get("title"), original.get("title")))),
        text="\n".join(filter(None, _texts(columns, original))),
        words=columns.get("words") or "",
        authors=tuple(filter(None, (columns.get("name"), columns.get("object_name"), *handles))),
        urls=tuple(filter(None, (columns.get("url"), original.get("url"), *links))),
        hashtags=tuple(tag for content in both for tag in content.get("hashtags") or ()),
        lang=(columns.get("lang") or "").lower(),
        repost=kind == "repost",
        reply=kind == "reply" or bool(detail.get("in_reply_to")),
        sensitive=any(content.get("sensitive") for content in both),
        undescribed=any(medium["type"] == "image" and not medium.get("alt") for medium in media),
        keys=tuple(filter(None, (columns.get("key"), columns.get("object_key")))),
    )


def _texts(columns: Mapping[str, Any], original: Mapping[str, Any]) -> Iterator[str | None]:
    """Yield the texts that people see, as `conditions.facts_of` does."""
    own = {**(columns.get("detail") or {}), "title": columns.get("title"), "text": columns.get("text")}
    quoted = ((columns.get("object") or {}).get("object") or {}).get("content") or {}
    for content in (own, original, quoted):
        yield from (content.get("title"), content.get("text"))
        yield from (content.get("poll") or {}).get("options") or ()
        for link in content.get("links") or ():
            yield from (link.get("title"), link.get("description"))


def _values(changed: Rule) -> dict[str, Any]:
    return {
        "name": changed.name,
        "action": changed.action.value,
        "value": changed.value,
        "every": changed.every,
        "conditions": [
            {
                "field": condition.field.value,
                "operator": condition.operator.value,
                "value": condition.value,
                "negated": condition.negated,
            }
            for condition in changed.conditions
        ],
        "enabled": changed.enabled,
        "until": changed.until,
        "author": changed.author,
    }


def _rule(row: Row[Any]) -> Rule:
    return Rule(
        id=row.id,
        name=row.name,
        action=Action(row.action),
        conditions=tuple(
            Condition(
                Field(condition["field"]), Operator(condition["operator"]), condition["value"], condition["negated"]
            )
            for condition in row.conditions
        ),
        every=row.every,
        value=row.value,
        enabled=row.enabled,
        until=row.until,
        place=row.place,
        author=row.author,
        created=row.created,
        changed=row.changed,
        acted=row.acted,
        last_acted=row.last_acted,
    )
