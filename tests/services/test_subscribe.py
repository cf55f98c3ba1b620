"""Test adding sources by address, on both databases, with scripted kinds of source."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import pytest
from sqlalchemy import event, insert, select

from aggregator.config.credential_encryption import HeaderCipher
from aggregator.domain.activity import Review
from aggregator.domain.errors import BadRequestError, UnconfirmedCostError, UnreachableError
from aggregator.domain.polling.results import Discovery, FetchResult
from aggregator.domain.secrets import Secret
from aggregator.domain.source import Policy, SourceState
from aggregator.domain.stream import Query
from aggregator.services.subscribe import Subscription, subscribe
from aggregator.source_api.kind import PollContext, SourceKind
from storage.tables.polling import source
from tests.building import NOON, an_activity, due_of, lease_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence

    from aggregator.domain.polling.host_limits import RateLimiter
    from aggregator.domain.polling.results import PollOutcome, PollRecord
    from aggregator.domain.source import Json, Source
    from aggregator.fetching.client import Http
    from aggregator.source_api.archive import ArchiveRequest
    from storage.store import Store

QUARTER = timedelta(minutes=15)
NEWS = Discovery(
    kind="scripted",
    address="https://news.example/feed",
    host="news.example:443",
    name="News",
    slug="news",
    every=QUARTER,
    floor=QUARTER,
)


@dataclass
class Knowing(SourceKind):
    """A kind of source that knows its addresses, and records those that are looked up."""

    known: dict[str, Discovery | Exception]
    any_address: bool = False
    eagerness: float = 1.0
    per_host: int | None = None
    name: str = "scripted"
    label: str = "a scripted source"
    addresses: list[str] = field(default_factory=list)

    def parse_options(self, options: Mapping[str, Json]) -> Mapping[str, Json]:
        return options

    async def discover(
        self,
        address: str,
        context: PollContext,
        options: Mapping[str, Json] = MappingProxyType({}),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Discovery | None:
        del options, headers
        assert context.clock() == NOON
        self.addresses.append(address)
        found = self.known.get(address)
        if isinstance(found, Exception):
            raise found
        return found

    def archive(self, source: Source, context: PollContext, request: ArchiveRequest) -> AsyncGenerator[FetchResult]:
        raise NotImplementedError(source, context, request)  # adding a source reads no archive

    def poll(self, batch: Sequence[Source], context: PollContext) -> AsyncIterator[PollOutcome]:
        raise NotImplementedError(batch, context)  # adding a source polls nothing but what discovery brought


def _add(store: Store, address: str, *kinds: Knowing, **terms: Any) -> tuple[Source, PollRecord | None]:
    context = PollContext(cast("Http", None), lambda: NOON, cast("RateLimiter", None))
    seal = HeaderCipher(Secret("a key that is long enough for a test"))
    return asyncio.run(subscribe(address, kinds, context, store, lambda: seal, Subscription(**terms)))


def _sources(store: Store) -> list[Source]:
    with store.reading() as tx:
        return [*tx.polling.sources.each()]


def _shown(store: Store) -> set[str]:
    with store.reading() as tx:
        return {item.native_id for item in tx.stream.activities.page(Query(limit=100)).items}


def test_what_discovery_brought_is_stored_with_the_source(store: Store) -> None:
    brought = FetchResult([an_activity("1"), an_activity("2")], {"etag": "a"}, name="News")
    added, first = _add(store, "news", Knowing({"news": replace(NEWS, first_result=brought)}))
    assert first is not None
    assert (first.outcome, first.new) == ("new", 2)
    assert _shown(store) == {"1", "2"}
    assert (added.slug, added.poll.fetch_state, lease_of(store, added.id).until) == ("news", {"etag": "a"}, None)
    assert NOON + QUARTER <= due_of(added) <= NOON + 1.1 * QUARTER
    with store.reading() as tx:
        assert [line["outcome"] for line in tx.polling.schedule.log(added.id, 9)] == ["new"]


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_thousands_of_sources_may_share_a_name(store: Store) -> None:
    """Each is added with a few questions to the database, however many there are already."""
    taken = ["news", *(f"news-{number}" for number in range(2, 1101))]
    with store.writing() as tx:
        tx.polling.sources.add(NEWS, slug=taken[0], policy=Policy.AUTO, now=NOON)
    copy_source(store, "news", taken[1:])
    kind = Knowing({f"more {number}": replace(NEWS, address=f"https://b.example/{number}") for number in range(50)})
    questions = Counter[str]()
    with counted_statements(store, questions):
        added = [_add(store, f"more {number}", kind)[0].slug for number in range(50)]
    assert added == [f"news-{number}" for number in range(1101, 1151)]
    assert questions.total() < 50 * 45


def copy_source(store: Store, slug: str, slugs: Sequence[str]) -> None:
    """Store copies of a source under other slugs and addresses, all in one statement."""
    with store.engine.connect() as connection, connection.begin():
        row = connection.execute(select(source).where(source.c.slug == slug)).one()
        copied = {name: value for name, value in row._mapping.items() if name != "id"}
        rows = [{**copied, "slug": copy, "address": f"https://a.example/{copy}"} for copy in slugs]
        connection.execute(insert(source), rows)


@contextmanager
def counted_statements(store: Store, questions: Counter[str]) -> Iterator[None]:
    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        questions[statement] += 1

    event.listen(store.engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(store.engine, "before_cursor_execute", count)


@pytest.mark.parametrize(
    ("taken", "free"),
    [
        ((), "a"),
        (("a",), "a-2"),
        (("a", "a-2", "a-3"), "a-4"),
        (("a", "a-3"), "a-2"),
        (("b" * 40,), "b" * 38 + "-2"),
    ],
    ids=["none", "one", "three", "gap", "long"],
)
def test_a_free_slug_is_short_and_the_next_number(store: Store, taken: Sequence[str], free: str) -> None:
    with store.writing() as tx:
        for slug in taken:
            tx.polling.sources.add(
                replace(NEWS, address=f"https://a.example/{slug}"), slug=slug, policy=Policy.AUTO, now=NOON
            )
        assert tx.polling.sources.free_slug(free[0] if free.startswith("a") else "b" * 40) == free


def test_what_cannot_be_stored_leaves_no_source(store: Store) -> None:
    broken = replace(NEWS, first_result=FetchResult([an_activity("1"), replace(an_activity("2"), entry_digest=None)]))  # type: ignore[arg-type]  # what a faulty kind might give
    with pytest.raises(Exception, match="entry_digest"):
        _add(store, "news", Knowing({"news": broken}))
    assert _sources(store) == []
    assert _shown(store) == set()


def test_without_a_first_poll_it_is_due_at_once(store: Store) -> None:
    added, first = _add(store, "news", Knowing({"news": NEWS}))
    assert first is None
    assert (added.poll.due, added.poll.due_reason, added.poll.last_polled) == (NOON, "just added", None)


def test_a_kind_for_every_address_is_asked_last(store: Store) -> None:
    special = Knowing({"@me": replace(NEWS, address="@me", slug="me")})
    general = Knowing({"@me": NEWS, "news": NEWS}, any_address=True)
    assert _add(store, "@me", general, special)[0].slug == "me"
    assert general.addresses == []
    assert _add(store, "news", general, special)[0].slug == "news"


def test_what_is_nothing_or_cannot_be_read_is_not_stored(store: Store) -> None:
    kind = Knowing({"down": UnreachableError("It can't be reached.")})
    with pytest.raises(BadRequestError, match="'words' isn't a feed URL"):
        _add(store, "words", kind)
    with pytest.raises(UnreachableError, match="It can't be reached"):
        _add(store, "down", kind)
    assert _sources(store) == []


def test_wishes_of_whoever_adds_it(store: Store) -> None:
    found = replace(NEWS, first_result=FetchResult([an_activity("1")]))
    added, _ = _add(
        store,
        "news",
        Knowing({"news": found}),
        slug="ours",
        name="Our news",
        every=timedelta(hours=1),
        policy=Policy.HOLD,
    )
    assert (added.slug, added.name, added.every, added.policy) == ("ours", "Our news", timedelta(hours=1), Policy.HOLD)
    assert _shown(store) == set()
    with store.reading() as tx:
        assert [item.native_id for item in tx.stream.activities.in_review(Review.WAITING, 9)] == ["1"]


def test_more_often_than_the_publisher_bears_is_refused(store: Store) -> None:
    with pytest.raises(BadRequestError, match=r"at most every 15 min; only hosts in AGGREGATOR_PRIVATE"):
        _add(store, "news", Knowing({"news": NEWS}), every=timedelta(minutes=14))
    assert _sources(store) == []
    assert _add(store, "news", Knowing({"news": NEWS}), every=QUARTER)[0].every == QUARTER


def test_a_proposed_slug_that_is_taken_gets_a_number_and_a_wished_one_does_not(store: Store) -> None:
    kind = Knowing({name: replace(NEWS, address=f"https://{name}.example/feed") for name in ("a", "b", "c")})
    assert [_add(store, name, kind)[0].slug for name in ("a", "b")] == ["news", "news-2"]
    with pytest.raises(BadRequestError, match="slug 'news' is taken"):
        _add(store, "c", kind, slug="news")
    with pytest.raises(BadRequestError, match=r"already exists as 'news'"):
        _add(store, "a", kind)


def test_a_removed_source_comes_back_under_its_slug(store: Store) -> None:
    kind = Knowing({"news": NEWS})
    former, _ = _add(store, "news", kind, slug="ours")
    with store.writing() as tx:
        tx.polling.sources.set_state(former.id, SourceState.REMOVED, "removed by hand", NOON)
    again, _ = _add(store, "news", kind)
    assert (again.id, again.slug, again.state) == (former.id, "ours", SourceState.ACTIVE)


def test_a_recurring_cost_needs_a_confirmation(store: Store) -> None:
    costly = Knowing({NEWS.address: replace(NEWS, cost="It costs $0.30 a day.")})
    with pytest.raises(UnconfirmedCostError, match=r"\$0\.30 a day"):
        _add(store, NEWS.address, costly)
    assert _sources(store) == []
    seen: list[Discovery] = []

    def approve(found: Discovery) -> bool:
        seen.append(found)
        return True

    added, _ = _add(store, NEWS.address, costly, approve=approve)
    assert added.address == NEWS.address
    assert [found.cost for found in seen] == ["It costs $0.30 a day."]


@pytest.mark.parametrize("address", ["https://x.com/desk", "https://www.twitter.com/desk/status/1"])
def test_pages_of_a_network_are_only_offered_to_its_own_kind(store: Store, address: str) -> None:
    page = Knowing({address: NEWS}, any_address=True)
    with pytest.raises(BadRequestError):
        _add(store, address, page)
    assert page.addresses == []
