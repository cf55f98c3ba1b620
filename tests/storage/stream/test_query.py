"""Compare filters and searches with a full scan, on both databases: forward and back, with bounded work."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text

from aggregator.domain.activity import ActivityKind, Media, Occasion, Review
from aggregator.domain.search_query import Search
from aggregator.domain.search_text import search_text
from aggregator.domain.stream import Order, Query
from storage.stream import query as finding
from storage.tables.stream import activity_tag
from tests.building import NOON, add_source, an_activity, decide, ingest_now

if TYPE_CHECKING:
    from aggregator.domain.activity import Activity
    from aggregator.domain.stream import Cursor, Page
    from storage.store import Store

MINUTE = timedelta(minutes=1)
WORDS = ["budget", "transparency", "Ghana", "open", "data", "open-data", "délai", "C++", "数据公开"]


def a_mixed_stream(store: Store, seed: int, count: int = 250) -> None:
    chance = random.Random(seed)
    for slug, network, kind in (("news", "web", "rss"), ("blog", "web", "rss"), ("ogp", "x", "twitter")):
        source = add_source(store, slug, kind)
        activities = [
            an_activity(
                f"{slug}-{number}",
                kind=chance.choice([ActivityKind.POST, ActivityKind.ARTICLE, ActivityKind.EVENT]),
                network=network,
                lang=chance.choice(["en", "en-GB", "fr", None]),
                text=" ".join(chance.choices(WORDS, k=4)),
                published=NOON - chance.randrange(400) * MINUTE,
                media=(Media("image", "https://e.example/1.png"),) if chance.random() < 0.3 else (),
                event=Occasion(NOON + chance.randrange(300) * MINUTE) if chance.random() < 0.4 else None,
            )
            for number in range(count // 3)
        ]
        ingest_now(store, source, activities)
    with store.writing() as tx:
        ids = [item.id for item in tx.stream.activities.page(Query(limit=100)).items]
    decide(store, ids[::9], Review.HIDDEN)


def everything(store: Store) -> list[Activity]:
    return onward(store, Query(limit=100, stitch=False))


def onward(store: Store, query: Query) -> list[Activity]:
    found: list[Activity] = []
    after: Cursor | None = None
    while True:
        page = one_page(store, replace(query, after=after))
        found += page.items
        if page.next is None:
            return found
        after = page.next


def backward(store: Store, query: Query) -> list[Activity]:
    """Read to the end, then all the way back."""
    page = one_page(store, query)
    while page.next is not None:
        page = one_page(store, replace(query, after=page.next))
    found = list(page.items)
    while page.prev is not None:
        page = one_page(store, replace(query, after=page.prev))
        found = [*page.items, *found]
    return found


def one_page(store: Store, query: Query) -> Page:
    with store.reading() as tx:
        return tx.stream.activities.page(query)


def fits(item: Activity, query: Query) -> bool:
    content = item.content
    lang = (content.lang or "").lower()
    has = {"media": bool(content.media), "event": content.event is not None}
    return (
        (not query.kinds or content.kind in query.kinds)
        and (not query.networks or content.network in query.networks)
        and (not query.sources or item.source.slug in query.sources)
        and (not query.languages or bool({lang, lang.split("-")[0]} & query.languages))
        and all(has[what] for what in query.has)
        and (query.since is None or item.position >= query.since)
        and (query.until is None or item.position < query.until)
        and (query.search is None or query.search.finds(search_text(content, item.object)))
    )


QUERIES: list[dict[str, Any]] = [
    {"kinds": {ActivityKind.POST}},
    {"kinds": {ActivityKind.POST, ActivityKind.EVENT}, "networks": {"web"}},
    {"sources": {"blog", "ogp"}, "languages": {"en"}},
    {"languages": {"en-gb"}, "has": {"media"}},
    {"has": {"media", "event"}, "kinds": {ActivityKind.ARTICLE}, "sources": {"news"}},
    {"networks": {"x"}, "sources": {"news"}},
    {"since": NOON - 200 * MINUTE, "until": NOON - 50 * MINUTE},
    {"since": NOON - 200 * MINUTE, "kinds": {ActivityKind.POST}},
    {"search": "budget"},
    {"search": "open data"},
    {"search": '"open data" -budget', "sources": {"news"}},
    {"search": "open-data -ghana -C++", "until": NOON - 20 * MINUTE},
    {"search": "据公 DELAI", "kinds": {ActivityKind.POST}},
    {"search": "nowhere"},
    {"sources": {"unheard-of"}},
]


def query_of(parameters: dict[str, Any], **more: Any) -> Query:
    values: dict[str, Any] = {
        name: frozenset(value) if isinstance(value, set) else value for name, value in parameters.items()
    }
    if "search" in values:
        values["search"] = Search.parse(values["search"])
    return Query(stitch=False, **values, **more)


@pytest.mark.one_database
@pytest.mark.parametrize("rare", [0, pytest.param(4000, marks=pytest.mark.slow)])
def test_filters_find_what_looking_at_everything_finds(
    store: Store, rare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "_RARE", rare)  # 0: every word is common
    a_mixed_stream(store, seed=rare)
    whole = everything(store)
    for parameters in QUERIES:
        expected = [item.id for item in whole if fits(item, query_of(parameters))]
        for limit in (23, 100):
            query = query_of(parameters, limit=limit)
            assert [item.id for item in onward(store, query)] == expected, parameters
            assert [item.id for item in backward(store, query)] == expected, parameters
    assert sum(bool([item for item in whole if fits(item, query_of(query))]) for query in QUERIES) >= 11


def test_events_come_in_the_order_in_which_they_begin(store: Store) -> None:
    a_mixed_stream(store, seed=5)
    events = [item for item in everything(store) if item.content.event]
    soonest = [item.id for item in sorted(events, key=lambda item: (item.content.event.start, item.id))]  # type: ignore[union-attr]  # those that have one
    for limit in (7, 100):
        query = Query(order=Order.EVENT, limit=limit)
        assert [item.id for item in onward(store, query)] == soonest
        assert [item.id for item in backward(store, query)] == soonest
    bounded = Query(order=Order.EVENT, since=NOON + 100 * MINUTE, kinds=frozenset({ActivityKind.POST}))
    expected = [item for item in events if item.content.event and item.content.event.start >= NOON + 100 * MINUTE]
    assert {item.id for item in onward(store, bounded)} == {
        item.id for item in expected if item.content.kind is ActivityKind.POST
    }
    searched = replace(bounded, search=Search.parse("budget"), kinds=frozenset())
    found = onward(store, searched)
    assert {item.id for item in found} == {item.id for item in expected if fits(item, Query(search=searched.search))}
    assert [item.id for item in found] == [id_ for id_ in soonest if id_ in {item.id for item in found}]


def test_two_common_filters_that_never_meet_cost_no_more_than_allowed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "MOST_EXAMINED", 400)
    monkeypatch.setattr(finding, "_COUNTED", 100)
    source = add_source(store)
    activities = []
    for number in range(1500):
        kind = ActivityKind.POST if number % 2 or number == 40 else ActivityKind.ARTICLE
        lang = "fr" if number % 2 or number == 40 else "en"
        activities.append(an_activity(str(number), kind=kind, lang=lang, published=NOON - (1500 - number) * MINUTE))
    activities[40] = replace(activities[40], content=replace(activities[40].content, lang="en"))
    ingest_now(store, source, activities)
    query = query_of({"kinds": {ActivityKind.POST}, "languages": {"en"}})
    pages = [one_page(store, query)]
    while pages[-1].next is not None:
        pages.append(one_page(store, replace(query, after=pages[-1].next)))
    assert all(page.examined <= 400 for page in pages)
    assert [page.partial for page in pages] == [True, False]
    assert [[item.native_id for item in page.items] for page in pages] == [[], ["40"]]
    assert [item.native_id for item in backward(store, query)] == ["40"]


@pytest.mark.one_database
def test_a_rare_filter_leads_whatever_is_common_beside_it(store: Store) -> None:
    many, few = add_source(store, "many"), add_source(store, "few")
    ingest_now(store, many, [an_activity(f"m{n}", text="budget", published=NOON - n * MINUTE) for n in range(3000)])
    ingest_now(store, few, [an_activity(f"f{n}", text="budget", published=NOON - n * MINUTE) for n in range(5)])
    page = one_page(store, query_of({"sources": {"few"}, "kinds": {ActivityKind.ARTICLE}, "languages": {"en"}}))
    assert (len(page.items), page.examined, page.next) == (5, 5, None)


def test_tags_and_words_follow_whatever_happens(store: Store) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity(str(n), text="secret plan") for n in range(4)])
    ingest_now(store, source, [an_activity("0", text="public plan", lang="fr")])
    with store.reading() as tx:
        ids = {item.native_id: item.id for item in tx.stream.activities.page(Query()).items}
    decide(store, [ids["1"]], Review.HIDDEN)
    with store.writing() as tx:
        tx.stream.activities.withdraw(source.id, ["web:2"], "gone", NOON)
    assert _tagged(store, "lang:fr") == {ids["0"]}
    assert _tagged(store, "lang:en") == {ids["3"]}
    assert _tagged(store, "kind:article") == {ids["0"], ids["3"]}
    assert [item.id for item in onward(store, query_of({"search": "secret"}))] == [ids["3"]]
    decide(store, [ids["1"]], Review.PUBLISHED)
    assert {item.id for item in onward(store, query_of({"search": "secret"}))} == {ids["1"], ids["3"]}
    with store.writing() as tx:
        tx.stream.activities.withdraw_all(source.id, "gone", NOON)
    with store.engine.connect() as connection:
        assert connection.execute(select(activity_tag)).all() == []
        left = "words" if store.engine.dialect.name == "postgresql" else "activity_words"
        matched = f"{left} @@ 'plan'" if left == "words" else f"{left} MATCH 'plan'"
        assert connection.execute(text(f"SELECT count(*) FROM activity_words WHERE {matched}")).scalar() == 0


def _tagged(store: Store, tag: str) -> set[int]:
    with store.engine.connect() as connection:
        return set(connection.execute(select(activity_tag.c.id).where(activity_tag.c.tag == tag)).scalars())
