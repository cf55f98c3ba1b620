"""Retag stored activities with the topics and countries of a changed vocabulary, in batches.

Only tags change: no version, no review. Tags from rules are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, func, select, update

from aggregator.domain.activity import BY_RULE
from storage.revision import Stream
from storage.stream.content_columns import activity_of
from storage.stream.pages import whole
from storage.tables.stream import activity, activity_tag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from aggregator.domain.activity import Activity
    from aggregator.domain.tagging.tagger import Tagger

_TOPIC = "topic:"  # prefix of topics among the tags
_AFTER_TOPICS = "topic;"  # sorts behind every topic
BATCH = 250  # activities per transaction: readers and pollers wait no longer than a moment


class Retagged(NamedTuple):
    """An activity whose new tags differ from the stored ones."""

    item: Activity
    topics: tuple[str, ...]
    countries: tuple[str, ...]
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Batch:
    """The retagged activities of a batch, in order of id."""

    last: int  # id
    looked_at: int
    retagged: Sequence[Retagged] = field(default=())


class Tagging:
    """The tags of activities, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def count(self) -> int:
        """Return the number of taggable activities."""
        counted = select(func.count()).select_from(activity).where(activity.c.gone.is_(None))
        return self._connection.execute(counted).scalar_one()

    def before_newest(self, count: int) -> int:
        """Return an id after which the newest `count` activities are."""
        newest = select(activity.c.id).where(activity.c.gone.is_(None)).order_by(activity.c.id.desc())
        first = self._connection.execute(newest.offset(count).limit(1)).scalar_one_or_none()
        return first or 0

    def topics_like(self, words: str, most: int) -> list[str]:
        """Return topics of published items that contain a text, in order; reads an index entry for each topic."""
        tag = activity_tag.c.tag
        topics = select(func.min(tag).label("tag")).where(tag > _TOPIC).cte(recursive=True)
        following = select(func.min(tag)).where(tag > topics.c.tag).scalar_subquery()
        topics = topics.union_all(select(following).where(topics.c.tag < _AFTER_TOPICS))
        found = topics.c.tag.startswith(_TOPIC) & topics.c.tag.contains(words.casefold(), autoescape=True)
        chosen = select(topics.c.tag).where(found).order_by(topics.c.tag).limit(most)
        return [row.tag.removeprefix(_TOPIC) for row in self._connection.execute(chosen)]

    def batch(self, tagger: Tagger, after: int, size: int = BATCH) -> Batch | None:
        """Retag the next activities after an id; None if there are no more."""
        rows = self._connection.execute(
            whole().where(activity.c.id > after, activity.c.gone.is_(None)).order_by(activity.c.id).limit(size)
        ).all()
        if not rows:
            return None
        looked_at = [_retagged(activity_of(row, self._connection), tagger) for row in rows]
        return Batch(rows[-1].id, len(rows), [retagged for retagged in looked_at if _differs(retagged)])

    def write(self, retagged: Sequence[Retagged]) -> None:
        """Store new tags, each with its own revision; activities that changed meanwhile keep theirs."""
        if not retagged:
            return
        first = Stream(self._connection).take(len(retagged))
        self._connection.execute(
            update(activity)
            .where(activity.c.id == bindparam("row"), activity.c.revision == bindparam("seen"))
            .values({name: bindparam(f"new_{name}") for name in ("topics", "countries", "reasons", "revision")}),
            [
                {
                    "row": item.item.id,
                    "seen": item.item.revision,
                    "new_topics": list(item.topics) or None,
                    "new_countries": list(item.countries) or None,
                    "new_reasons": dict(item.reasons) or None,
                    "new_revision": first + offset,
                }
                for offset, item in enumerate(retagged)
            ],
        )


def rules_tags(topics: Sequence[str] | None, reasons: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the topics of an activity that a rule gave it; old ones have no reason stored."""
    return tuple(topic for topic in topics or () if (reasons or {}).get(topic, BY_RULE) == BY_RULE)


def _retagged(item: Activity, tagger: Tagger) -> Retagged:
    tags = tagger.tags(item.content, item.object, item.source.slug)
    by_rules = rules_tags(item.topics, item.reasons)
    return Retagged(
        item,
        tuple(dict.fromkeys((*tags.topics, *by_rules))),
        tuple(tags.countries),
        {**dict.fromkeys(by_rules, BY_RULE), **tags.topics, **tags.countries},
    )


def _differs(retagged: Retagged) -> bool:
    item = retagged.item
    return (set(retagged.topics), set(retagged.countries), retagged.reasons) != (
        set(item.topics),
        set(item.countries),
        item.reasons,
    )
