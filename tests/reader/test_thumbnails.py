"""Test thumbnails of videos: fetched once, for visible items only, and only if they are images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.domain.activity import ActivityKind, Media, Review
from tests.building import add_source, an_activity, decide, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving
from tests.upstream import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage.store import Store

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher() as publisher:
        yield publisher


@pytest.fixture
def house(sqlite_store: Store, tmp_path: Path) -> Iterator[Container]:
    house = Container(
        Settings.from_environment(
            {
                "AGGREGATOR_DATA_DIR": str(tmp_path),
                "AGGREGATOR_DATABASE_URL": sqlite_store.engine.url.render_as_string(hide_password=False),
                "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
                "AGGREGATOR_HOST_SPACING": "0",
            }
        )
    )
    yield house
    house.close()


def film(store: Store, name: str, still: str | None) -> int:
    with store.reading() as tx:
        source = tx.polling.sources.get("films")
    source = source or add_source(store, "films")
    address = "https://www.youtube.com/watch?v=abcdefghijk"
    media = (Media("video", address, preview=still),)
    ingest_now(store, source, [an_activity(name, kind=ActivityKind.VIDEO, url=address, media=media)])
    with store.reading() as tx:
        return tx.stream.activities.known(source.id, [name])[name].id


def test_a_still_comes_from_us_and_is_fetched_once(sqlite_store: Store, house: Container, publisher: Publisher) -> None:
    publisher.serve("/still.png", PNG, "text/html")  # regardless of the server's header
    id_ = film(sqlite_store, "1", publisher.url("/still.png"))
    with serving(app_of(sqlite_store, fetch=house.fetched)) as reader:
        assert f'src="/activities/{id_}/still"' in reader.ask("/").text
        answers = [reader.ask(f"/activities/{id_}/still") for _ in range(3)]

    assert {answer.status for answer in answers} == {200}
    assert answers[0].headers["content-type"] == "image/png"
    assert answers[0].body == PNG
    assert "max-age=60" in answers[0].headers["cache-control"]
    assert publisher.hits["/still.png"] == 1


@pytest.mark.parametrize(
    "body",
    [b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", b"<html>", b"", PNG + b"0" * 1_000_000],
    ids=["svg", "html", "empty", "large"],
)
def test_what_is_no_picture_is_not_given_on(
    sqlite_store: Store, house: Container, publisher: Publisher, body: bytes
) -> None:
    publisher.serve("/still.png", body, "image/png")
    id_ = film(sqlite_store, "1", publisher.url("/still.png"))
    with serving(app_of(sqlite_store, fetch=house.fetched)) as reader:
        assert reader.ask(f"/activities/{id_}/still").status == 404


def test_only_what_is_shown_has_one(sqlite_store: Store, house: Container, publisher: Publisher) -> None:
    publisher.serve("/still.png", PNG, "image/png")
    hidden = film(sqlite_store, "1", publisher.url("/still.png"))
    private = film(sqlite_store, "2", "http://10.0.0.1/still.png")
    none = film(sqlite_store, "3", None)
    decide(sqlite_store, [hidden], Review.HIDDEN)
    with serving(app_of(sqlite_store, fetch=house.fetched)) as reader:
        assert reader.ask(f"/activities/{hidden}/still").status == 410
        assert reader.ask(f"/activities/{private}/still").status == 404  # our client reaches no private address
        assert reader.ask(f"/activities/{none}/still").status == 404
        assert reader.ask("/activities/x/still").status == 404
    assert publisher.hits["/still.png"] == 0


def test_without_a_client_there_are_none(sqlite_store: Store) -> None:
    id_ = film(sqlite_store, "1", "https://i.ytimg.example/1.jpg")
    with serving(app_of(sqlite_store)) as reader:
        text = reader.ask("/").text
        assert "ytimg" not in text
        assert "/still" not in text
        assert reader.ask(f"/activities/{id_}/still").status == 404
