"""Fill the blocks of the configured portal page."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from aggregator.domain.activity import ActivityKind
from aggregator.domain.portal_layout import Size, arrange
from aggregator.domain.portal_page import BlockType
from aggregator.domain.stream import Cursor, Order, Query
from aggregator.domain.tagging import countries
from aggregator.reader.facets import participant_name
from aggregator.reader.query_params import query_string

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.domain.activity import Activity
    from aggregator.domain.portal_page import Block, Portal
    from aggregator.domain.stream import Page
    from aggregator.domain.tagging.vocabulary import Topic, Vocabulary
    from storage.store import Transaction

_NONE = frozenset({"-"})  # a slug that no source has
_EARLIER = 50  # past events to examine


@dataclass(frozen=True, slots=True)
class TopicCount:
    """A topic with its number of recent items and link."""

    topic: Topic
    label: str
    definition: str
    count: int
    address: str


@dataclass(frozen=True, slots=True)
class CountryCount:
    """A participating country with its number of recent items and link."""

    code: str
    name: str
    cohort: str
    count: int
    address: str
    outline: str | None  # path data on the map
    point: tuple[int, int] | None  # for countries too small for an outline


@dataclass(frozen=True, slots=True)
class CohortCount:
    """A cohort with its color, number of countries and link."""

    name: str
    label: str
    colour: int  # from 1
    members: int
    address: str


@dataclass(frozen=True, slots=True)
class FilledBlock:
    """A block with its content."""

    block: Block
    items: Sequence[Activity] = ()
    others: Mapping[int, Sequence[Activity]] = field(default_factory=dict)
    past: Sequence[Activity] = ()
    page: Page | None = None  # of the stream
    topics: Sequence[TopicCount] = ()
    countries: Sequence[CountryCount] = ()
    cohorts: Sequence[CohortCount] = ()
    recent_days: int = 0
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)  # its filters as URL parameters
    place: int = 1  # in the order of the file, from 1

    @property
    def address(self) -> str:
        """The link to all items of the block."""
        return "/" + query_string(self.filters)

    @property
    def type(self) -> str:
        """The block's type, as templates use it."""
        return self.block.type.value

    @property
    def is_empty(self) -> bool:
        """Whether the block has no content; an empty stream shows the reason."""
        return self.page is None and not (self.items or self.past or self.topics or self.countries)


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """A block with the number of columns of its entries."""

    filled: FilledBlock
    columns: int = 1


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The blocks by their places on the page."""

    main: FilledBlock | None
    side: Sequence[FilledBlock]
    rows: Sequence[PlacedBlock]
    is_single: bool


def arranged(blocks: Sequence[FilledBlock]) -> Arrangement:
    """Place blocks so that no column stays empty."""
    layout = arrange([_size(block) for block in blocks])
    return Arrangement(
        blocks[layout.main] if layout.main is not None else None,
        [blocks[place] for place in layout.side],
        [PlacedBlock(blocks[row.block], row.columns) for row in layout.rows],
        layout.is_single,
    )


def _size(block: FilledBlock) -> Size:
    count = len(block.items) + len(block.past) + len(block.topics)
    cards = block.items if block.page is not None else ()
    return Size(block.block.type, count, cards, is_all_zero=not any(country.count for country in block.countries))


class Blocks:
    """Fills the blocks in one transaction."""

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

    def all(self) -> list[FilledBlock]:
        """Return the blocks with content."""
        shown = [self._shown(block) for block in self._portal.blocks]
        return [replace(block, place=place) for place, block in enumerate(shown, 1) if not block.is_empty]

    def _shown(self, block: Block) -> FilledBlock:
        if block.type is BlockType.STREAM:
            page = self._tx.stream.activities.page(self._query(block, by_story=True))
            return FilledBlock(block, page.items, page.others, page=page, filters=self._filters(block))
        if block.type is BlockType.TOPICS:
            return FilledBlock(block, topics=self._topics())
        if block.type is BlockType.COUNTRIES:
            return FilledBlock(
                block, countries=self._countries(), cohorts=self._cohorts(), recent_days=self._portal.recent_days
            )
        if block.type is BlockType.EVENTS:
            return self._events(block)
        # Accounts announce the same on several networks.
        page = self._tx.stream.activities.page(self._query(block, by_story=block.type is BlockType.SOCIAL))
        return FilledBlock(block, page.items, page.others, filters=self._filters(block))

    def _query(self, block: Block, **more: Any) -> Query:  # noqa: ANN401  # any field of a query
        return Query(
            kinds=block.kinds,
            sources=block.sources | self._slugs_of(block),
            topics=block.topics,
            countries=block.countries,
            limit=block.limit,
            **{**_bounds(block), **more},
        )

    def _filters(self, block: Block) -> dict[str, list[str]]:
        """Return a block's filters as URL parameters."""
        filters = {
            "kind": sorted(kind.value for kind in block.kinds),
            "source": sorted((block.sources | self._slugs_of(block)) - _NONE),
            "topic": sorted(block.topics),
            "country": sorted(block.countries),
            "since": [str(block.since)] if block.since else [],
            "until": [str(block.until)] if block.until else [],
        }
        return {name: values for name, values in filters.items() if values}

    def _slugs_of(self, block: Block) -> frozenset[str]:
        """Return the slugs of the sources of a block's accounts."""
        if not block.accounts:
            return frozenset()
        return self._tx.polling.sources.slugs_at([f"@{account}" for account in block.accounts]) or _NONE

    def _events(self, block: Block) -> FilledBlock:
        # All-day and running events of today may not be over.
        upcoming = self._query(block, order=Order.EVENT, since=self._now - timedelta(hours=12))
        coming = [item for item in self._tx.stream.activities.page(upcoming).items if not _is_over(item, self._now)]
        here = Cursor(self._now, 0, Order.EVENT, back=True)
        before = replace(self._query(block, order=Order.EVENT, after=here), limit=min(_EARLIER, 2 * block.limit))
        over = [item for item in self._tx.stream.activities.page(before).items if _is_over(item, self._now)]
        return FilledBlock(block, coming, past=over[::-1][: block.limit])

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
                topic.definition_in(self._language),
                counts.get(topic.slug, 0),
                "/" + query_string({}, topic=topic.slug),
            )
            for topic in self._vocabulary.topics
        ]

    def _countries(self) -> list[CountryCount]:
        counts, drawn = self._counts()["country"], world()
        listed = [
            CountryCount(
                code=participant.code,
                name=participant_name(participant, self._language),
                cohort=participant.cohort,
                count=counts.get(participant.code, 0),
                address="/" + query_string({}, country=participant.code),
                outline=drawn["outlines"].get(participant.code),
                point=drawn["points"].get(participant.code),
            )
            for participant in self._vocabulary.participants
        ]
        return sorted(listed, key=lambda country: countries.sort_key(country.name))

    def _cohorts(self) -> list[CohortCount]:
        names = self._vocabulary.cohort_names_in(self._language)
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
