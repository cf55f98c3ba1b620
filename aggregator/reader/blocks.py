"""The blocks of the portal page: what each of them shows, as the portal's configuration has it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from aggregator.domain.activity import ActivityKind
from aggregator.domain.portal_page import BlockType
from aggregator.domain.stream import Cursor, Order, Query
from aggregator.domain.tagging import countries
from aggregator.reader.query_params import query_string

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.domain.activity import Activity
    from aggregator.domain.portal_page import Block, Portal
    from aggregator.domain.stream import Page
    from aggregator.domain.tagging.vocabulary import Topic, Vocabulary
    from storage.store import Transaction

_X = "twitter"  # the kind of source that an account is
_NONE = frozenset({"-"})  # a slug that no source has
_EARLIER = 50  # events looked at for those that took place last


@dataclass(frozen=True, slots=True)
class TopicCount:
    """A topic, how much is new about it, and where that is."""

    topic: Topic
    label: str
    count: int
    address: str


@dataclass(frozen=True, slots=True)
class CountryCount:
    """A country that takes part, how much is new about it, and where that is."""

    code: str
    name: str
    cohort: str
    count: int
    address: str
    outline: str | None  # path data on the map
    point: tuple[int, int] | None  # where it is too small for an outline


@dataclass(frozen=True, slots=True)
class CohortCount:
    """A cohort, its place among the colours, how many belong to it, and where what is about them is."""

    name: str
    label: str
    colour: int  # from 1
    members: int
    address: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A block with what it shows."""

    block: Block
    items: Sequence[Activity] = ()
    others: Mapping[int, Sequence[Activity]] = field(default_factory=dict)
    past: Sequence[Activity] = ()
    page: Page | None = None  # of the stream
    topics: Sequence[TopicCount] = ()
    countries: Sequence[CountryCount] = ()
    cohorts: Sequence[CohortCount] = ()
    recent_days: int = 0
    asked: Mapping[str, Sequence[str]] = field(default_factory=dict)  # its filters, as addresses have them

    @property
    def address(self) -> str:
        """Where all of it is."""
        return "/" + query_string(self.asked)

    @property
    def type(self) -> str:
        """The block's type, as templates name it."""
        return self.block.type.value

    @property
    def is_empty(self) -> bool:
        """Whether it has nothing to show; the stream then says why."""
        return self.page is None and not (self.items or self.past or self.topics or self.countries)


class Blocks:
    """Fills the blocks within one transaction."""

    def __init__(
        self,
        tx: Transaction,
        portal: Portal,
        vocabulary: Vocabulary,
        now: datetime,
        language: str,
    ) -> None:
        self._tx = tx
        self._portal = portal
        self._vocabulary = vocabulary
        self._now = now
        self._language = language
        self._counted: Mapping[str, Mapping[str, int]] | None = None

    def all(self) -> list[Shown]:
        """Return what the page shows, without blocks that have nothing."""
        shown = [self._shown(block) for block in self._portal.blocks]
        return [one for one in shown if not one.is_empty]

    def _shown(self, block: Block) -> Shown:
        if block.type is BlockType.STREAM:
            page = self._tx.stream.activities.page(self._query(block, by_story=True))
            return Shown(block, page.items, page.others, page=page, asked=self._asked(block))
        if block.type is BlockType.TOPICS:
            return Shown(block, topics=self._topics())
        if block.type is BlockType.COUNTRIES:
            return Shown(
                block, countries=self._countries(), cohorts=self._cohorts(), recent_days=self._portal.recent_days
            )
        if block.type is BlockType.EVENTS:
            return self._events(block)
        page = self._tx.stream.activities.page(self._query(block))
        return Shown(block, page.items, page.others, asked=self._asked(block))

    def _query(self, block: Block, **more: Any) -> Query:  # noqa: ANN401  # whatever a query has
        return Query(
            kinds=block.kinds,
            sources=block.sources | self._slugs_of(block),
            topics=block.topics,
            countries=block.countries,
            limit=block.limit,
            **{**_bounds(block), **more},
        )

    def _asked(self, block: Block) -> dict[str, list[str]]:
        """Return a block's filters as the parameters of an address."""
        asked = {
            "kind": sorted(kind.value for kind in block.kinds),
            "source": sorted((block.sources | self._slugs_of(block)) - _NONE),
            "topic": sorted(block.topics),
            "country": sorted(block.countries),
            "since": [str(block.since)] if block.since else [],
            "until": [str(block.until)] if block.until else [],
        }
        return {name: values for name, values in asked.items() if values}

    def _slugs_of(self, block: Block) -> frozenset[str]:
        """Return the slugs of the sources that bring what a block's accounts say."""
        if not block.accounts:
            return frozenset()
        return self._tx.polling.sources.slugs_at(_X, [f"@{account}" for account in block.accounts]) or _NONE

    def _events(self, block: Block) -> Shown:
        # What began today may still go on.
        upcoming = self._query(block, order=Order.EVENT, since=self._now - timedelta(hours=12))
        coming = [one for one in self._tx.stream.activities.page(upcoming).items if not _is_over(one, self._now)]
        here = Cursor(self._now, 0, Order.EVENT, back=True)
        before = replace(self._query(block, order=Order.EVENT, after=here), limit=min(_EARLIER, 2 * block.limit))
        over = [one for one in self._tx.stream.activities.page(before).items if _is_over(one, self._now)]
        return Shown(block, coming, past=over[::-1][: block.limit])

    def _counts(self) -> Mapping[str, Mapping[str, int]]:
        if self._counted is None:
            midnight = self._now.replace(hour=0, minute=0, second=0, microsecond=0)
            since = midnight - timedelta(days=self._portal.recent_days)
            self._counted = self._tx.stream.activities.facets(Query(since=since), {}).counts
        return self._counted

    def _topics(self) -> list[TopicCount]:
        counts = self._counts()["topic"]
        return [
            TopicCount(
                topic,
                topic.label_in(self._language),
                counts.get(topic.slug, 0),
                "/" + query_string({}, topic=topic.slug),
            )
            for topic in self._vocabulary.topics
        ]

    def _countries(self) -> list[CountryCount]:
        counts, drawn = self._counts()["country"], world()
        listed = [
            CountryCount(
                code=one.code,
                name=one.name if self._language.startswith("en") else countries.name(one.code, self._language),
                cohort=one.cohort,
                count=counts.get(one.code, 0),
                address="/" + query_string({}, country=one.code),
                outline=drawn["outlines"].get(one.code),
                point=drawn["points"].get(one.code),
            )
            for one in self._vocabulary.participants
        ]
        return sorted(listed, key=lambda one: countries.sort_key(one.name))

    def _cohorts(self) -> list[CohortCount]:
        names = self._vocabulary.cohort_names
        return [
            CohortCount(name, names.get(name, name), place, len(codes), "/" + query_string({}, cohort=name))
            for place, (name, codes) in enumerate(self._vocabulary.cohorts.items(), 1)
        ]


@cache
def world() -> Mapping[str, Any]:
    """Return the outlines of the map: `size`, `land`, and by ISO 3166 code `outlines` and `points`."""
    drawn: Mapping[str, Any] = json.loads(files("aggregator.reader").joinpath("world.json").read_text(encoding="utf-8"))
    return drawn


def _bounds(block: Block) -> dict[str, datetime]:
    days = {"since": block.since, "until": block.until}
    return {name: datetime.combine(day, time.min, UTC) for name, day in days.items() if day is not None}


def _is_over(item: Activity, now: datetime) -> bool:
    event = item.content.event
    if event is None or item.content.kind is not ActivityKind.EVENT:
        return True
    day = timedelta(days=1) if event.all_day else timedelta()
    return (event.end or event.start + day) <= now
