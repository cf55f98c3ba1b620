"""Test stories: items about the same subject are grouped under the article or original; editors split and join them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.domain.activity import (
    ActivityKind,
    Actor,
    Content,
    Link,
    NewActivity,
    Original,
    Review,
)
from aggregator.domain.stream import Query
from aggregator.text.urls import web_key
from tests.building import NOON, add_source, an_activity, decide, ingest_now

if TYPE_CHECKING:
    from aggregator.domain.stream import Page
    from storage.store import Store

ARTICLE = "https://news.example/plan"
MINUTE = timedelta(minutes=1)


def article(at: int = 0) -> NewActivity:
    new = an_activity("article", url=ARTICLE, published=NOON + at * MINUTE)
    return replace(new, key=web_key(ARTICLE))


def tweet(name: str, at: int, *, link: str | None = None, text: str = "") -> NewActivity:
    content = Content(
        kind=ActivityKind.POST,
        network="x",
        url=f"https://x.com/a/status/{name}",
        actor=Actor("x", "1", "A", "a"),
        text=text or f"Tweet {name}",
        published=NOON + at * MINUTE,
        links=(Link(link),) if link else (),
    )
    return NewActivity(name, f"x:{name}", content, entry_digest=name, raw=b"{}")


def retweet(name: str, at: int, of: NewActivity) -> NewActivity:
    return replace(
        tweet(name, at),
        content=replace(tweet(name, at).content, kind=ActivityKind.REPOST),
        object=Original(of.key, of.native_id, of.content),
        object_key=of.key,
    )


def pages(store: Store, limit: int = 20) -> list[Page]:
    found = []
    query = Query(by_story=True, limit=limit)
    while True:
        with store.reading() as tx:
            found.append(tx.stream.activities.page(query))
        if found[-1].next is None:
            return found
        query = replace(query, after=found[-1].next)


def grouped(store: Store, limit: int = 20) -> dict[str, list[str]]:
    return {
        item.native_id: [other.native_id for other in page.others.get(item.id, ())]
        for page in pages(store, limit)
        for item in page.items
    }


def fill(store: Store) -> None:
    linking = tweet("2", 2, link=ARTICLE + "?utm_source=x")
    alone = tweet("5", 5)
    ingest_now(store, add_source(store), [article()])
    ingest_now(
        store,
        add_source(store, "x", "twitter"),
        [tweet("1", 1, link=ARTICLE), linking, retweet("3", 3, linking), alone, retweet("6", 6, alone)],
    )


def ids(store: Store) -> dict[str, int]:
    with store.reading() as tx:
        return {item.native_id: item.id for item in tx.stream.activities.page(Query(stitch=False, limit=100)).items}


def test_the_article_leads_and_what_links_to_it_is_listed_below(store: Store) -> None:
    fill(store)

    assert grouped(store) == {"5": ["6"], "article": ["3", "2", "1"]}


def test_pages_of_stories_skip_and_repeat_nothing(store: Store) -> None:
    fill(store)

    assert grouped(store, limit=1) == {"5": ["6"], "article": ["3", "2", "1"]}


def test_without_collapsing_every_item_stands_by_itself(store: Store) -> None:
    fill(store)

    with store.reading() as tx:
        page = tx.stream.activities.page(Query(stitch=False))
    assert [item.native_id for item in page.items] == ["6", "5", "3", "2", "1", "article"]


def test_people_split_a_story_and_join_another(store: Store) -> None:
    fill(store)
    known = ids(store)

    with store.writing() as tx:
        split = tx.moderation.decisions.join_story(known["1"], None, None, who="ana", now=NOON)
        joined = tx.moderation.decisions.join_story(known["5"], None, known["article"], who="ana", now=NOON)
    assert (split.sentence(), joined.sentence()) == ("Removed 1 item from its story.", "Merged 1 item into a story.")
    assert grouped(store) == {"6": [], "article": ["5", "3", "2"], "1": []}

    with store.writing() as tx:
        tx.moderation.decisions.undo(split.batch, who="ana", now=NOON)
        tx.moderation.decisions.undo(joined.batch, who="ana", now=NOON)
    assert grouped(store) == {"5": ["6"], "article": ["3", "2", "1"]}


def test_an_edit_leaves_a_story_where_people_put_it(store: Store) -> None:
    fill(store)
    with store.writing() as tx:
        tx.moderation.decisions.join_story(ids(store)["1"], None, None, who="ana", now=NOON)
        source = tx.polling.sources.get("x")
    assert source is not None

    edited = replace(tweet("1", 1, link=ARTICLE, text="Other words"), entry_digest="again")
    ingest_now(store, source, [edited])

    assert grouped(store)["article"] == ["3", "2"]


def test_joining_to_what_is_not_there_is_told(store: Store) -> None:
    fill(store)

    with store.writing() as tx:
        missed = tx.moderation.decisions.join_story(ids(store)["1"], None, 999_999, who="ana", now=NOON)
    assert missed.sentence() == "There is no item 999999 to merge it with."


def test_the_desk_lists_what_belongs_to_a_story(store: Store) -> None:
    fill(store)
    known = ids(store)

    with store.reading() as tx:
        related = tx.stream.stories.related([known["article"]])
    assert {item.id for item in related[known["article"]]} == {known[name] for name in "123"}


def test_the_others_of_a_story_are_read_for_any_of_its_items(store: Store) -> None:
    fill(store)
    known = ids(store)

    def others(name: str) -> list[str]:
        with store.reading() as tx:
            item = tx.stream.activities.get(known[name])
            assert item is not None
            return [other.native_id for other in tx.stream.activities.others_of_story(item)]

    assert others("article") == ["3", "2", "1"]
    assert others("2") == ["3", "1", "article"]
    decide(store, [known["3"]], Review.HIDDEN)
    assert others("article") == ["2", "1"]


def test_the_same_article_of_two_feeds_is_one_item_that_lists_the_other(store: Store) -> None:
    ingest_now(store, add_source(store, "first"), [article()])
    again = replace(article(), native_id="again")
    ingest_now(store, add_source(store, "second"), [again])
    assert list(grouped(store).values()) in ([["article"]], [["again"]])
    assert grouped(store) == grouped(store, limit=1)
