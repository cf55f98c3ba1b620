"""Test the pictures of items at the desk: from our own address, for users who are signed in, shown items or not."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from aggregator.domain.access.accounts import Role
from aggregator.domain.activity import ActivityKind, Actor, Link, Media, Original, Review
from aggregator.domain.errors import NotFoundError
from aggregator.domain.source import Policy
from tests.building import NOON, add_source, an_activity, decide, ingest_now
from tests.pictures import picture, size_of
from tests.reader.conftest import browser
from tests.reader.test_privacy import BROKEN
from tests.review.conftest import installed
from tests.review.signed_in import signed_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from storage.store import Store
    from tests.review.conftest import Installation, Stopped

__all__ = ["browser"]

FETCHED: list[str] = []


def _fetch(address: str) -> bytes:
    FETCHED.append(address)
    if "dead" in address:
        raise NotFoundError("There is no such picture.")
    return picture(800, 600)


@pytest.fixture
def desk(store: Store, clock: Stopped) -> Iterator[Installation]:
    FETCHED.clear()
    with installed(store, clock, fetch=_fetch) as installation:
        yield installation


@pytest.fixture
def sqlite_desk(sqlite_store: Store, clock: Stopped) -> Iterator[Installation]:
    FETCHED.clear()
    with installed(sqlite_store, clock, fetch=_fetch) as installation:
        yield installation


def _waiting(store: Store) -> None:
    """Store items of all kinds with pictures of many publishers, which wait for a review."""
    author = Actor("web", "1", "Ada", "ada", "https://social.example/ada", "https://avatars.example/1.png")
    ghost = Actor("web", "2", "Bob", avatar="https://avatars.example/dead.png")
    film = (Media("video", "https://www.youtube.com/watch?v=abcdefghijk", preview="https://i.ytimg.example/1.jpg"),)
    image = (Media("image", "https://pictures.example/1.png"),)
    dead = (Media("image", "https://pictures.example/dead.png", alt="A picture"),)
    links = (Link("https://page.example", title="A page", image="https://cards.example/1.png"),)
    inline = '<p>Text <img src="https://inline.example/1.png" alt="In the text"></p>'
    post: dict[str, Any] = {"kind": ActivityKind.POST, "title": None}
    pictured = (Media("image", "https://quoted.example/1"),)
    quoted = Original("web:q", "q", an_activity("q", **post, actor=ghost, media=pictured).content)
    items = [
        an_activity("1", **post, actor=author, media=image),
        an_activity("2", **post, actor=ghost, media=dead),
        an_activity("3", **post, actor=author, links=links),
        an_activity("4", kind=ActivityKind.VIDEO, media=film),
        an_activity("5", media=(Media("image", "https://pictures.example/thumb.png"),)),
        an_activity("6", html=inline),
        replace(an_activity("7", kind=ActivityKind.QUOTE, title=None, actor=author), object=quoted, object_key="web:q"),
    ]
    ingest_now(store, add_source(store, policy=Policy.HOLD), items)


def _sources(page: str) -> list[str]:
    found = map(unescape, re.findall(r'<img[^>]* src="([^"]*)"', page))
    return [address for address in found if "/static/" not in address]


def test_pictures_of_items_that_wait_are_shown_at_the_desk_alone(desk: Installation) -> None:
    _waiting(desk.store)
    ana = desk.visitor(role=Role.VIEWER)
    shown = set(_sources(ana.get("/review").text))
    assert len(shown) >= 8
    for address in shown:
        assert address.startswith(("/review/pictures/", "/review/avatars?"))
        stranger = desk.somebody().get(address)
        assert (stranger.status, stranger.headers["location"].partition("?")[0]) == (303, "/review/sign-in")
        assert desk.somebody().get(address.removeprefix("/review")).status == 404
    assert FETCHED == []
    for address in shown:
        assert ana.get_bytes(address)[:4] in {b"RIFF", b"<svg"}
    assert {urlsplit(address).hostname for address in FETCHED} >= {"pictures.example", "avatars.example"}
    for address in shown:  # a picture that is cached now is as hidden as before
        assert desk.somebody().get(address.removeprefix("/review")).status == 404


def test_pictures_of_hidden_items_stay_at_the_desk_and_removed_ones_leave_it(desk: Installation) -> None:
    ingest_now(desk.store, add_source(desk.store), [an_activity("1", media=(Media("image", "https://p.example/1"),))])
    ana = desk.visitor()
    [address] = _sources(ana.get("/review/items/1").text)[:1]
    public = address.removeprefix("/review")
    assert size_of(desk.somebody().get_bytes(public))[0] == "WEBP"
    decide(desk.store, [1], Review.HIDDEN)
    assert desk.somebody().get(public).status == 410
    assert size_of(ana.get_bytes(address))[0] == "WEBP"
    with desk.store.writing() as tx:
        item = tx.stream.activities.get(1)
        source = tx.polling.sources.get("news")
        assert item is not None
        assert source is not None
        tx.stream.activities.withdraw(source.id, [item.key], "gone", NOON)
    assert ana.get(address).status == 404


def test_after_a_purge_there_are_no_pictures_anywhere(desk: Installation) -> None:
    ada = Actor("web", "1", "Ada", avatar="https://avatars.example/1.png")
    item = an_activity(
        "1", kind=ActivityKind.POST, title=None, actor=ada, media=(Media("image", "https://p.example/1"),)
    )
    ingest_now(desk.store, add_source(desk.store), [item])
    ana = desk.visitor()
    shown = set(_sources(ana.get("/review/items/1").text))
    assert len(shown) == 2
    paths = [*shown, *(address.removeprefix("/review") for address in shown)]
    assert [size_of(ana.get_bytes(path))[0] for path in paths] == ["WEBP"] * 4
    with desk.store.writing() as tx:
        tx.compliance.withdraw_person("web", "1", "account purged", NOON)
    assert {ana.get(path).status for path in paths} <= {404, 410}


@pytest.mark.parametrize(
    "path",
    [
        "pictures/1/0123/large", "pictures/1/../large", "pictures/x/0123/large", "pictures/99/0123/large",
        "pictures/1/0123/huge", "pictures/1/0123/avatar", "avatars", "avatars?network=web&id=nobody",
        "avatars?network=web&id=%00", "avatars?network=web&id=" + "x" * 600,
    ],
)  # fmt: skip
def test_other_addresses_lead_nowhere(sqlite_desk: Installation, path: str) -> None:
    _waiting(sqlite_desk.store)
    assert sqlite_desk.visitor().get(f"/review/{path}").status in {404, 422}
    assert FETCHED == []


def test_pictures_of_own_posts_are_read_and_not_fetched(desk: Installation) -> None:
    ana = desk.visitor(role=Role.EDITOR)
    form = {"title": "Closed", "text": "On Monday.", "alt": "A door", "do": "publish"}
    ana.upload("/review/add", form, picture(2400, 1200, "JPEG"), "a.jpg", field="picture")
    preview = ana.post("/review/items/1/edit", {**form, "do": "preview"}).text
    assert _sources(preview)[-1].startswith("/review/pictures/1/")
    for visitor, path, size in ((desk.somebody(), "/activities/1", (1280, 640)), (ana, "/review/items/1", (320, 160))):
        address = _sources(visitor.get(path).text)[-1]
        assert size_of(visitor.get_bytes(address)) == ("WEBP", size)
    assert FETCHED == []


def test_an_upload_belongs_to_its_item_alone(desk: Installation) -> None:
    ana = desk.visitor(role=Role.EDITOR)
    form = {"title": "Secret", "text": "A draft.", "alt": "A door", "do": "draft"}
    ana.upload("/review/add", form, picture(400, 200, "JPEG"), "a.jpg", field="picture")
    found = re.search(r"/review(/uploads/[0-9a-f]{32}\.webp)", ana.get("/review/items/1/edit").text)
    assert found
    stolen = (Media("image", f"https://evil.example{found[1]}"),)
    ingest_now(desk.store, add_source(desk.store), [an_activity("1", media=stolen)])
    [address] = _sources(desk.somebody().get("/activities/2").text)[:1]
    assert size_of(desk.somebody().get_bytes(address))[0] == "WEBP"
    assert [stolen[0].url] == FETCHED


@pytest.mark.browser
@pytest.mark.parametrize("path", ["", "/items/1", "/items/4", "/items/6", "/items/7"])
def test_pages_of_the_desk_load_from_one_host(
    browser: Browser, sqlite_desk: Installation, tmp_path: Path, path: str
) -> None:
    _waiting(sqlite_desk.store)
    options: dict[str, Any] = {"record_har_path": tmp_path / "page.har", "viewport": {"width": 1440, "height": 900}}
    with signed_in(browser, sqlite_desk, **options) as page:
        response = page.goto(f"{sqlite_desk.address}/review{path}", wait_until="load")
        assert response is not None
        assert "img-src 'self';" in response.headers["content-security-policy"]
        assert page.locator("img").count() > 0
        assert page.evaluate(BROKEN) == []
    entries = json.loads((tmp_path / "page.har").read_text(encoding="utf-8"))["log"]["entries"]
    assert {urlsplit(entry["request"]["url"]).netloc for entry in entries} == {urlsplit(sqlite_desk.address).netloc}
    assert len(entries) > 4
