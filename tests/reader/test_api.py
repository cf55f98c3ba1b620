"""Test the API over real HTTP, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.activity import Review
from aggregator.domain.source import Policy, SourceState
from tests.building import NOON, add_source, an_activity, decide, ingest_now
from tests.reader import specimens

if TYPE_CHECKING:
    from storage.store import Store
    from tests.reader.serving import Reader

ITEM = {
    "id", "kind", "network", "native_id", "source", "actor", "title", "text", "html", "url", "lang", "published_at",
    "updated_at", "first_seen_at", "revision", "media", "links", "hashtags", "mentions", "object", "sensitive",
    "edited", "complete", "in_reply_to", "event",
    "withheld_in", "content_withheld", "also_reposted_by", "position_at", "topics", "countries", "editors",
    "pinned_until", "story", "thread", "quote_of", "poll",
}  # fmt: skip


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def several(count: int, *, start: int = 0) -> list[Any]:
    return [an_activity(f"n{start + n}", published=NOON - minutes(100 - start - n)) for n in range(count)]


def test_items_come_newest_first_with_every_field(store: Store, reader: Reader) -> None:
    specimens.fill(store, "https://pictures.example")

    answer = reader.ask("/api/v1/activities")

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    items = answer.json["items"]
    assert answer.json["next"] is None
    assert [item["kind"] for item in items] == [
        "repost", "event", "post", "reply", "article", "quote", "article", "video",
    ]  # fmt: skip
    assert all(set(item) == ITEM for item in items)
    assert sorted({item["source"]["slug"] for item in items}) == ["news", "opengovpart"]
    assert {item["source"]["name"] for item in items} == {"News and Events", "@opengovpart"}


def test_a_repost_tells_reposter_and_author_apart(store: Store, reader: Reader) -> None:
    specimens.fill(store, "https://pictures.example")

    (item,) = reader.items("?kind=repost")

    assert item["actor"]["handle"] == "opengovpart"
    assert item["published_at"] == "2026-03-02T11:00:00Z"
    original = item["object"]
    assert set(original) == ITEM
    assert original["actor"] == {
        "id": "x:2001",
        "name": "OpenGov Hub",
        "handle": "OpenGovHub",
        "url": "https://x.com/OpenGovHub",
        "avatar": "https://pictures.example/hub",
    }
    assert original["native_id"] == "900"
    assert original["published_at"] == "2026-03-02T09:00:00Z"
    assert original["links"] == [
        {"url": "https://example.org/apply", "text": "example.org/apply", "title": None, "description": None}
        | {"image": None}
    ]
    assert original["mentions"] == [{"handle": "opengovpart", "url": "https://x.com/opengovpart"}]
    assert original["hashtags"] == ["applytoday"]
    assert [original[name] for name in ("id", "source", "first_seen_at", "revision", "object")] == [None] * 5


def test_an_event_keeps_the_label_that_its_source_gave(store: Store, reader: Reader) -> None:
    specimens.fill(store, "https://pictures.example")

    (item,) = reader.items("?kind=event")

    assert item["event"] == {
        "start": "2026-04-16T14:00:00Z",
        "end": "2026-04-16T15:00:00Z",
        "zone_label": "EST",
        "place": "Online",
        "all_day": False,
        "online_url": None,
        "cancelled": False,
        "other_start": None,
    }


def test_text_is_sent_as_utf8(store: Store, reader: Reader) -> None:
    ingest_now(store, add_source(store), [an_activity(title="Mañana, 明日 🎉")])

    assert "Mañana, 明日 🎉".encode() in reader.ask("/api/v1/activities").body


def test_media_carry_all_that_is_known(store: Store, reader: Reader) -> None:
    specimens.fill(store, "https://pictures.example")

    (item,) = reader.items("?kind=video")

    assert item["media"] == [
        {
            "type": "video",
            "url": "https://pictures.example/film.mp4",
            "alt": None,
            "mime": None,
            "width": None,
            "height": None,
            "bytes": None,
            "duration": 154.0,
            "preview": "https://pictures.example/film",
            "focus": None,
        }
    ]


def test_filters_take_several_values_in_either_way(store: Store, reader: Reader) -> None:
    specimens.fill(store, "https://pictures.example")

    repeated = reader.items("?kind=event&kind=video")
    joined = reader.items("?kind=event,video")

    assert [item["kind"] for item in joined] == ["event", "video"]
    assert repeated == joined
    assert {item["source"]["slug"] for item in reader.items("?source=opengovpart")} == {"opengovpart"}
    assert len(reader.items("?source=opengovpart,news")) == 8
    assert reader.items("?source=opengovpart&kind=article") == []


def test_paging_skips_and_repeats_nothing_while_items_arrive(store: Store, reader: Reader) -> None:
    source = add_source(store)
    ingest_now(store, source, several(10))
    seen: list[str] = []
    cursor, arrivals = "", 0
    while True:
        page = reader.ask(f"/api/v1/activities?limit=3{cursor}").json
        seen += [item["native_id"] for item in page["items"]]
        arrivals += 1
        ingest_now(store, source, several(1, start=20 + arrivals))  # newer than everything there
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert seen == [f"n{n}" for n in reversed(range(10))]


def test_items_of_the_same_moment_are_all_paged(store: Store, reader: Reader) -> None:
    ingest_now(store, add_source(store), [an_activity(f"n{n}") for n in range(7)])

    first = reader.ask("/api/v1/activities?limit=4").json
    second = reader.ask(f"/api/v1/activities?limit=4&cursor={first['next']}").json

    ids = [item["native_id"] for item in first["items"] + second["items"]]
    assert ids == [f"n{n}" for n in reversed(range(7))]
    assert second["next"] is None


def test_a_full_last_page_has_no_next(store: Store, reader: Reader) -> None:
    ingest_now(store, add_source(store), several(3))

    assert reader.ask("/api/v1/activities?limit=3").json["next"] is None
    assert len(reader.ask("/api/v1/activities?limit=100").json["items"]) == 3


def test_only_what_was_published_is_shown(store: Store, reader: Reader) -> None:
    stored = add_source(store, "held", policy=Policy.HOLD)
    ingest_now(store, stored, several(2))
    assert reader.items() == []

    with store.reading() as tx:
        first = tx.stream.activities.in_review(Review.WAITING, 1)[0].id
    decide(store, [first], Review.PUBLISHED)

    assert [item["id"] for item in reader.items()] == [str(first)]
    assert reader.ask(f"/api/v1/activities/{first}").json == reader.items()[0]
    assert reader.ask(f"/api/v1/activities/{first + 1}").status == 404  # not yet, and perhaps never


def test_what_was_hidden_is_gone_without_saying_why(store: Store, reader: Reader) -> None:
    ingest_now(store, add_source(store), [an_activity(title="Secret headline")])
    (item,) = reader.items()
    decide(store, [int(item["id"])], Review.HIDDEN)

    answer = reader.ask(f"/api/v1/activities/{item['id']}")

    assert reader.items() == []
    assert answer.status == 410
    assert answer.json["code"] == "gone"
    assert b"Secret" not in answer.body
    assert b"hidden" not in answer.body


@pytest.mark.parametrize("number", ["0", "-1", "01", "9", "x", "%D9%A1", "9223372036854775808", "1e3", "1%00"])
def test_an_unknown_activity_is_not_found(sqlite_store: Store, sqlite_reader: Reader, number: str) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity()])

    answer = sqlite_reader.ask(f"/api/v1/activities/{number}")

    assert answer.status == 404
    assert answer.json["code"] == "not-found"


def test_sources_come_in_pages(store: Store, reader: Reader) -> None:
    for number in range(5):
        add_source(store, f"s{number}")

    found, pages, path = [], 0, "/api/v1/sources?limit=2"
    while path:
        page = reader.ask(path)
        found += [item["slug"] for item in page.json["items"]]
        pages += 1
        path = f"/api/v1/sources?limit=2&cursor={page.json['next']}" if page.json["next"] else ""
        assert ('rel="next"' in page.headers.get("link", "")) is bool(path)

    assert (found, pages) == (["s0", "s1", "s2", "s3", "s4"], 3)


@pytest.mark.parametrize("cursor", ["", "MS4xMzk2NDUxMDQ1MDAwMDAwLjE3", "cy5OZXdz", "cy5uZXdz=", "%00"])
def test_a_cursor_that_no_list_of_sources_gave_is_refused(empty_reader: Reader, cursor: str) -> None:
    answer = empty_reader.ask(f"/api/v1/sources?cursor={cursor}")
    assert (answer.status, answer.json["code"]) == (400, "bad-cursor")


def test_sources_say_how_they_are(store: Store, reader: Reader) -> None:
    add_source(store, "fine")
    add_source(store, "late", now=NOON - timedelta(days=1))
    for slug, state in (
        ("left", SourceState.REMOVED),
        ("resting", SourceState.PAUSED),
        ("halted", SourceState.STOPPED),
    ):
        source = add_source(store, slug, now=NOON - timedelta(days=1))
        with store.writing() as tx:
            tx.polling.sources.set_state(source.id, state, "for a test", NOON)

    items = {item["slug"]: item for item in reader.ask("/api/v1/sources").json["items"]}

    assert items["fine"] == {
        "slug": "fine",
        "name": "Fine",
        "kind": "rss",
        "site": "https://fine.example/",
        "address": "https://fine.example/feed",
        "state": "active",
        "state_reason": "",
        "last_success_at": None,
        "last_new_at": None,
        "last_polled_at": None,
        "next_poll_at": "2026-03-02T12:00:00Z",
        "error_code": None,
        "last_error": None,
        "stale": False,
    }
    assert {slug: (item["state"], item["stale"]) for slug, item in items.items()} == {
        "fine": ("active", False),
        "late": ("active", True),
        "resting": ("paused", False),
        "halted": ("stopped", True),
    }
    assert items["halted"]["state_reason"] == "for a test"


def test_items_of_a_removed_source_can_still_be_asked_for(store: Store, reader: Reader) -> None:
    source = add_source(store, "former")
    ingest_now(store, source, several(2))
    with store.writing() as tx:
        tx.polling.sources.set_state(source.id, SourceState.REMOVED, "no longer needed", NOON)

    assert len(reader.items("?source=former")) == 2
    assert reader.ask("/api/v1/sources").json == {"items": [], "next": None}


def test_an_edit_changes_the_item_in_place(store: Store, reader: Reader) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity("a"), an_activity("b", published=NOON - minutes(5))])
    before = reader.items()
    ingest_now(store, source, [an_activity("b", published=NOON - minutes(5), title="Corrected")])

    after = reader.items()

    assert [item["id"] for item in after] == [item["id"] for item in before]
    assert after[1]["title"] == "Corrected"
    assert after[1]["revision"] > before[1]["revision"]
