"""Test pictures from our own address: those of visible items only, fetched once, and dropped with their item."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.domain.activity import ActivityKind, Actor, Link, Media, Review
from aggregator.domain.errors import StoreUnavailableError
from tests.building import add_source, an_activity, decide, ingest_now
from tests.pictures import picture, size_of
from tests.reader.conftest import app_of
from tests.reader.serving import serving, until
from tests.upstream import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from storage.store import Store
    from tests.reader.serving import Reader


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
            }
        )
    )
    yield house
    house.close()


def add(store: Store, name: str = "1", **content: Any) -> int:
    with store.reading() as tx:
        source = tx.polling.sources.get("news")
    source = source or add_source(store)
    ingest_now(store, source, [an_activity(name, **content)])
    with store.reading() as tx:
        return tx.stream.activities.known(source.id, [name])[name].id


def sources(reader: Reader, path: str) -> list[str]:
    """Return the addresses of a page's pictures, without those of the page's own design."""
    found = map(unescape, re.findall(r'<img[^>]* src="([^"]*)"', reader.ask(path).text))
    return [address for address in found if not address.startswith("/static/")]


def test_every_picture_of_every_kind_of_item_comes_from_us(
    sqlite_store: Store, house: Container, publisher: Publisher
) -> None:
    names = ("image", "preview", "film", "inline", "avatar", "thumb")
    for name in names:
        publisher.serve(f"/{name}", picture(2000, 1000), "text/html")  # regardless of the server's header
    at = {name: publisher.url(f"/{name}") for name in names}
    author = Actor("web", "desk", "Desk", avatar=at["avatar"])
    links = (Link("https://page.example", title="A page", image=at["preview"]),)
    film = (Media("video", "https://www.youtube.com/watch?v=abcdefghijk", preview=at["film"]),)
    post: dict[str, Any] = {"kind": ActivityKind.POST, "title": None, "actor": author}
    add(sqlite_store, "1", **post, media=(Media("image", at["image"], alt="Alt"),))
    add(sqlite_store, "2", **post, links=links)
    add(sqlite_store, "3", kind=ActivityKind.VIDEO, media=film)
    whole = add(sqlite_store, "4", html=f'<p>Text <img src="{at["inline"]}" alt="In the text"></p>')
    add(sqlite_store, "5", media=(Media("image", at["thumb"]),))
    with serving(app_of(sqlite_store, fetch=house.fetched)) as reader:
        shown = [*sources(reader, "/"), *sources(reader, f"/activities/{whole}"), *sources(reader, "/embed?limit=9")]
        assert len(set(shown)) == len(names)
        for address in set(shown):
            assert address.startswith(("/pictures/", "/avatars?"))
            first, again = reader.ask(address), reader.ask(address)
            assert (first.status, again.status) == (200, 200)
            assert first.headers["content-type"] == "image/webp"
            assert first.headers["cache-control"] == "public, max-age=60"
            assert first.headers["cross-origin-resource-policy"] == "cross-origin"
            kind, size = size_of(first.body)
            assert kind == "WEBP"
            assert max(size) <= 1280
            assert reader.ask(address, headers={"If-None-Match": first.headers["etag"]}).status == 304
        assert {publisher.hits[f"/{name}"] for name in names} == {1}
        policy = reader.ask("/").headers["content-security-policy"]
        assert "img-src 'self';" in policy


@pytest.mark.parametrize(
    "body", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"", None], ids=["svg", "empty", "dead"]
)
def test_an_absent_picture_has_one_of_our_own_in_its_place(
    sqlite_store: Store, house: Container, publisher: Publisher, body: bytes | None
) -> None:
    address = publisher.url("/a.png")
    if body is not None:
        publisher.serve("/a.png", body, "image/png")
    add(
        sqlite_store,
        kind=ActivityKind.POST,
        media=(Media("image", address),),
        actor=Actor("web", "1", "A", avatar=address),
    )
    with serving(app_of(sqlite_store, fetch=house.fetched)) as reader:
        answers = [reader.ask(shown) for shown in sources(reader, "/")]
        assert len(answers) == 2
        for answer in answers:
            assert answer.status == 200
            assert answer.headers["content-type"] == "image/svg+xml"
            assert answer.body.startswith(b"<svg")
            assert b"script" not in answer.body


def test_only_pictures_that_a_visible_item_names_are_fetched(
    sqlite_store: Store, house: Container, publisher: Publisher
) -> None:
    publisher.serve("/a.png", picture(), "image/png")
    media = (Media("image", publisher.url("/a.png")),)
    author = Actor("web", "desk", "Desk", avatar=publisher.url("/a.png"))
    shown = add(sqlite_store, "1", media=media)
    hidden = add(sqlite_store, "2", media=media, actor=author)
    private = add(sqlite_store, "3", media=(Media("image", "http://10.0.0.1/a.png"),))
    with serving(app_of(sqlite_store, fetch=house.fetched)) as reader:
        (here,) = [address for address in sources(reader, "/") if address.startswith(f"/pictures/{shown}/")]
        (closed,) = [address for address in sources(reader, "/") if address.startswith(f"/pictures/{private}/")]
        (avatar,) = {"/avatars?network=web&id=desk"}
        assert reader.ask(avatar).headers["content-type"] == "image/webp"
        decide(sqlite_store, [hidden], Review.HIDDEN)
        digest = here.split("/")[3]
        statuses = {
            here: 200,
            f"/pictures/{hidden}/{digest}/small": 410,
            f"/pictures/{shown}/{'0' * len(digest)}/small": 404,
            f"/pictures/{shown}/{digest}/huge": 404,
            f"/pictures/99/{digest}/small": 404,
            f"/pictures/x/{digest}/small": 404,
            avatar: 404,
            "/avatars": 404,
            "/avatars?network=web&id=%00": 404,
            "/avatars?network=web&id=" + "a" * 600: 404,
        }
        assert {path: reader.ask(path).status for path in statuses} == statuses
        assert reader.ask(closed).headers["content-type"] == "image/svg+xml"  # our client reaches no private address


def test_a_removed_item_empties_the_cache(store: Store) -> None:
    fetched: list[str] = []

    def fetch(address: str) -> bytes:
        fetched.append(address)
        return picture()

    id_ = add(store, media=(Media("image", "https://pictures.example/1.png"),))
    with serving(app_of(store, fetch=fetch), watching=True) as reader:
        (address,) = sources(reader, "/")
        assert reader.ask(address).headers["content-type"] == "image/webp"
        decide(store, [id_], Review.HIDDEN)
        until(lambda: reader.ask(address).status == 410, seconds=10)
        decide(store, [id_], Review.PUBLISHED)
        until(lambda: reader.ask(address).status == 200 and len(fetched) == 2)


def test_pictures_are_served_while_the_database_is_away(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    author = Actor("web", "desk", "Desk", avatar="https://pictures.example/2.png")
    post: dict[str, Any] = {"kind": ActivityKind.POST, "title": None, "actor": author}
    add(sqlite_store, **post, media=(Media("image", "https://pictures.example/1.png"),))
    with serving(app_of(sqlite_store, fetch=lambda _: picture()), watching=True) as reader:
        addresses = sources(reader, "/")
        assert len(addresses) == 2
        assert {reader.ask(address).status for address in addresses} == {200}

        def fails(*_: object) -> None:
            raise StoreUnavailableError("away")

        monkeypatch.setattr(sqlite_store, "reading", fails)
        assert {reader.ask(address).status for address in addresses} == {200}


def test_a_video_keeps_its_former_address(sqlite_store: Store) -> None:
    media = (Media("video", "https://www.youtube.com/watch?v=abcdefghijk", preview="https://i.ytimg.example/1.jpg"),)
    id_ = add(sqlite_store, kind=ActivityKind.VIDEO, media=media)
    none = add(sqlite_store, "2")
    with serving(app_of(sqlite_store, fetch=lambda _: picture())) as reader:
        assert reader.ask(f"/activities/{id_}/still").headers["content-type"] == "image/webp"
        assert reader.ask(f"/activities/{none}/still").status == 404


def test_without_a_client_each_picture_has_one_of_our_own_in_its_place(sqlite_store: Store) -> None:
    add(sqlite_store, media=(Media("image", "https://pictures.example/1.png"),))
    with serving(app_of(sqlite_store)) as reader:
        (address,) = sources(reader, "/")
        assert reader.ask(address).headers["content-type"] == "image/svg+xml"
