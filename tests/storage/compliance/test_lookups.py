"""Test which stored posts are worth a lookup, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.activity import ActivityKind, Actor, NewActivity, Original, Upstream
from aggregator.domain.compliance.records import Held
from storage.compliance.lookups import EDITS_MISSED, MISSING_AGAIN, MISSING_FOR, OLD_AGAIN, YOUNG_AGAIN
from tests.building import NOON, add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from datetime import datetime

    from storage.store import Store

ANA, BEN = Actor("x", "9", "Ana", "ana"), Actor("x", "8", "Ben", "ben")
HOUR = timedelta(hours=1)
WINDOW = NOON + HOUR


def post(number: int, age: timedelta = timedelta()) -> NewActivity:
    made = an_activity(
        str(number), kind=ActivityKind.POST, network="x", actor=ANA, url=f"https://x.com/ana/status/{number}",
        published=NOON - age,
    )  # fmt: skip
    return replace(made, key=f"x:{number}")


def repost(number: int, original: int, *, embedded: bool = True, until: datetime | None = None) -> NewActivity:
    about = post(original)
    content = replace(post(number).content, kind=ActivityKind.REPOST, actor=BEN, text="RT", html="RT")
    return replace(
        post(number),
        content=content,
        object=Original(about.key, about.native_id, about.content) if embedded else None,
        object_key=about.key,
        object_editable_until=until,
    )


def held(number: int) -> Held:
    return Held(f"x:{number}", f"https://x.com/ana/status/{number}")


def edited_since(store: Store, now: datetime) -> list[Held]:
    with store.reading() as tx:
        return tx.compliance.edited_since("x", now, 10)


def incomplete(store: Store, now: datetime) -> list[str]:
    with store.reading() as tx:
        return [post.key for post in tx.compliance.incomplete("x", now, 10)]


def longest_unchecked(store: Store, now: datetime, most: int = 10) -> list[str]:
    with store.reading() as tx:
        return [post.key.removeprefix("x:") for post in tx.compliance.longest_unchecked("x", now, most)]


def check(store: Store, now: datetime, *numbers: int) -> None:
    with store.writing() as tx:
        tx.compliance.note_checked([f"x:{number}" for number in numbers], now)


def test_an_original_is_due_once_after_its_edit_window(store: Store) -> None:
    ingest_now(store, add_source(store), [repost(5, 1, until=WINDOW), repost(6, 2)])
    assert edited_since(store, WINDOW - HOUR / 2) == []
    check(store, WINDOW - HOUR / 2, 1)  # which may miss an edit
    assert edited_since(store, WINDOW) == [held(1)]
    assert edited_since(store, WINDOW + EDITS_MISSED) == []
    check(store, WINDOW, 1)
    assert edited_since(store, WINDOW + HOUR) == []


def test_an_original_that_was_read_after_its_edit_window_is_not_due(store: Store) -> None:
    ingest_now(store, add_source(store), [repost(5, 1, until=NOON - HOUR)])
    assert edited_since(store, NOON + HOUR) == []


def test_missing_originals_are_due_daily_for_a_month(store: Store) -> None:
    ingest_now(store, add_source(store), [repost(5, 1, embedded=False), repost(6, 1, embedded=False), repost(7, 2)])
    assert incomplete(store, NOON) == ["x:1"]
    check(store, NOON, 1)
    assert incomplete(store, NOON + MISSING_AGAIN - HOUR) == []
    assert incomplete(store, NOON + MISSING_AGAIN + HOUR) == ["x:1"]
    assert incomplete(store, NOON + MISSING_FOR) == []


def test_removed_originals_are_not_missing(store: Store) -> None:
    quote = replace(repost(5, 1), content=replace(repost(5, 1).content, kind=ActivityKind.QUOTE))
    ingest_now(store, add_source(store), [quote])
    with store.writing() as tx:
        tx.compliance.withdraw({"x:1": "deleted on X"}, Upstream.GONE, NOON)
    assert incomplete(store, NOON) == []


def test_posts_that_were_not_checked_for_longest_come_first(store: Store) -> None:
    ingest_now(store, add_source(store), [post(1), post(2), repost(5, 3)])
    assert longest_unchecked(store, NOON + YOUNG_AGAIN) == []  # read a day ago at most
    assert longest_unchecked(store, NOON + YOUNG_AGAIN + HOUR) == ["5", "2", "1", "3"]
    check(store, NOON + HOUR, 5, 2)
    assert longest_unchecked(store, NOON + YOUNG_AGAIN + 2 * HOUR) == ["1", "3", "5", "2"]


def test_a_backlog_of_old_posts_delays_no_new_one(store: Store) -> None:
    old = [post(number, age=timedelta(days=30)) for number in range(10, 20)]
    ingest_now(store, add_source(store), [*old, *(post(number) for number in range(20, 30))])
    soon, later = NOON + YOUNG_AGAIN + HOUR, NOON + OLD_AGAIN - HOUR
    assert longest_unchecked(store, soon, 4) == ["29", "28", "27", "26"]  # old ones are due once a week
    check(store, later - YOUNG_AGAIN - HOUR, *range(20, 30))
    now = NOON + OLD_AGAIN - timedelta(minutes=1)
    assert longest_unchecked(store, now, 4) == ["29", "28", "27", "26"]
    with store.writing() as tx:
        tx.compliance.note_checked([f"x:{number}" for number in range(10, 20)], NOON - HOUR)
    assert longest_unchecked(store, now, 4) == ["29", "28", "19", "18"]


@pytest.mark.parametrize("embedded", [True, False], ids=["embedded", "missing"])
def test_all_activities_about_a_post_are_found(store: Store, embedded: bool) -> None:
    news, sport = add_source(store), add_source(store, "sport")
    ingest_now(store, news, [repost(5, 1, embedded=embedded, until=WINDOW), repost(6, 2)])
    ingest_now(store, sport, [repost(7, 1, embedded=embedded)])
    with store.reading() as tx:
        found = tx.compliance.embedding(["x:1"], 10)
        authors = tx.compliance.original_authors(["x:1"])
    assert [(row.source_id, row.activity.native_id) for row in found] == [(sport.id, "7"), (news.id, "5")]
    assert [row.editable_until for row in found] == [None, WINDOW if embedded else None]
    assert {native_id: actor.handle for native_id, actor in authors.items()} == ({"9": "ana"} if embedded else {})
