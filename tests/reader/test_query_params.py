"""Test the API's filters over HTTP, and its reports on sources."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from aggregator.domain.activity import ActivityKind, Media, Occasion
from tests.building import NOON, add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from storage.store import Store
    from tests.reader.serving import Reader

MINUTE = timedelta(minutes=1)


@pytest.fixture
def stocked(store: Store, reader: Reader) -> Reader:
    picture = (Media("image", "https://e.example/1.png"),)
    news, posts = add_source(store), add_source(store, "ogp", "twitter")
    ingest_now(
        store,
        news,
        [
            an_activity("plan", text="The open-data plan, in C++.", published=NOON - 3 * MINUTE, media=picture),
            an_activity("fair", kind=ActivityKind.EVENT, lang="fr", event=Occasion(NOON), published=NOON - 2 * MINUTE),
            an_activity("tax", text="Open budgets need data.", lang="en-GB", published=NOON - 9 * MINUTE),
        ],
    )
    ingest_now(store, posts, [an_activity("p", kind=ActivityKind.POST, network="x", text="@opengovpart: open data!")])
    return reader


def found(reader: Reader, query: str) -> list[str]:
    answer = reader.ask(f"/api/v1/activities{query}")
    assert answer.status == 200, answer.text
    return [item["native_id"] for item in answer.json["items"]]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("?network=x", ["p"]),
        ("?network=x,web&kind=event,post", ["p", "fair"]),
        ("?lang=EN", ["p", "plan", "tax"]),
        ("?lang=en-gb", ["tax"]),
        ("?has=media", ["plan"]),
        ("?has=media,event", []),
        ("?since=2026-03-02T11:57:00Z&until=2026-03-02T12:58:30%2B01:00", ["fair", "plan"]),
        ("?since=2026-03-02T12:57:00+01:00", ["p", "fair", "plan"]),  # an unencoded plus
        ("?until=2026-03-02", []),
        ("?q=open", ["p", "plan", "tax"]),
        ('?q="open data"', ["p", "plan"]),
        ("?q=open-data -plan", ["p"]),
        ("?q=C%2B%2B", ["plan"]),
        ("?q=@opengovpart", ["p"]),
        ('?q="open', ["p", "plan", "tax"]),  # an unclosed quote
        ("?q=open&source=news&has=media", ["plan"]),
        ("?q=zebra", []),
        ("?country=gh", []),
        ("?order=event", ["fair"]),
        ("?order=event&since=2026-03-03", []),
    ],
)
def test_filters_and_words(stocked: Reader, query: str, ids: list[str]) -> None:
    assert found(stocked, query.replace(" ", "%20").replace('"', "%22")) == ids


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?q=", "bad-search"),
        ("?q=-draft", "bad-search"),
        ("?q=...", "bad-search"),
        (f"?q={'a+' * 30}", "bad-search"),
        (f"?q={'a' * 600}", "bad-search"),
        ("?since=yesterday", "bad-request"),
        ("?since=2026-13-01", "bad-request"),
        ("?until=2026-03-02T12:00:00", "bad-request"),  # without a zone it is no moment
        ("?lang=english!", "bad-request"),
        ("?country=Ghana", "bad-request"),
        ("?topic=Open%20Data", "bad-request"),
        ("?topic=health", "unknown-topic"),
        ("?network=", "bad-request"),
        ("?has=video", "bad-request"),
        ("?order=random", "bad-request"),
        ("?order=event&cursor=MS4xLjI", "bad-cursor"),  # of the other order
        ("?fields=id,secret", "bad-request"),
    ],
)
def test_what_makes_no_sense_is_refused(empty_reader: Reader, query: str, code: str) -> None:
    answer = empty_reader.ask(f"/api/v1/activities{query}")
    assert (answer.status, answer.json["code"]) == (400, code)
    assert len(answer.json["detail"]) < 500


def test_items_can_be_slimmed(stocked: Reader) -> None:
    item = stocked.items("?fields=id,title&fields=url&limit=1")[0]
    assert set(item) == {"id", "title", "url"}


def test_link_headers_lead_both_ways(stocked: Reader) -> None:
    first = stocked.ask("/api/v1/activities?limit=2&q=open")
    assert set(_links(first)) == {"first", "next"}
    second = stocked.ask(_links(first)["next"])
    assert [item["native_id"] for item in second.json["items"]] == ["tax"]
    assert set(_links(second)) == {"first", "prev"}
    back = stocked.ask(_links(second)["prev"])
    assert back.json["items"] == first.json["items"]
    assert (first.json["prev"], second.json["next"], back.json["prev"]) == (None, None, None)


def _links(answer: Any) -> dict[str, str]:
    return {rel: target for target, rel in re.findall(r'<([^>]+)>; rel="(\w+)"', answer.headers["link"])}


def test_a_broken_source_leaves_its_last_good_items_and_says_why(store: Store, stocked: Reader) -> None:
    assert stocked.ask("/api/v1/activities").json["stale"] is False
    hour_ago = {"moment": (NOON - timedelta(hours=1)).isoformat(sep=" ").removesuffix("+00:00")}
    with store.engine.connect().execution_options(writing=True) as connection, connection.begin():
        connection.execute(
            text(
                "UPDATE source SET failures = 4, last_success = :moment, last_error = 'It answered 503.' "
                "WHERE slug = 'news'"
            ),
            hour_ago,
        )
    page = stocked.ask("/api/v1/activities").json
    assert len(page["items"]) == 4
    assert page["stale"] is True
    (stale,) = page["stale_sources"]
    assert (stale["slug"], stale["age"], stale["reason"]) == ("news", 3600, "It answered 503.")
    assert stocked.ask("/api/v1/activities?source=ogp").json["stale"] is False
    assert stocked.ask("/api/v1/activities?source=news").json["stale"] is True
