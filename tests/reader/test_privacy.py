"""Test in Chromium that pages load from one host only, before a click, and that no picture is broken."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from aggregator.config.portal_folder import Configuration
from aggregator.domain.activity import ActivityKind, Actor, Link, Media
from tests.building import add_source, an_activity, ingest_now
from tests.pictures import picture
from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from storage.store import Store
    from tests.reader.serving import Reader

pytestmark = pytest.mark.browser

BROKEN = """async () => {
  const shown = [...document.images];
  shown.forEach((image) => (image.loading = "eager"));
  await Promise.all(shown.map((image) => image.decode().catch(() => null)));
  return shown.filter((image) => !image.naturalWidth).map((image) => image.src);
}"""


@pytest.fixture
def reader(sqlite_store: Store, tmp_path: Path) -> Iterator[Reader]:
    """Serve items of all kinds, with pictures of many publishers; every third one does not answer."""

    def fetch(address: str) -> bytes:
        return b"" if "dead" in address else picture(800, 600)

    film = (Media("video", "https://www.youtube.com/watch?v=abcdefghijk", preview="https://i.ytimg.example/1.jpg"),)
    author = Actor("web", "1", "Ada", "ada", "https://social.example/ada", "https://avatars.example/1.png")
    ghost = Actor("web", "2", "Bob", avatar="https://avatars.example/dead.png")
    links = (Link("https://page.example", title="A page", image="https://cards.example/1.png"),)
    many = tuple(Media("image", f"https://pictures.example/{number}.png", alt="A picture") for number in range(4))
    dead = (Media("image", "https://pictures.example/dead.png", alt="A picture"),)
    inline = '<p>Text <img src="https://inline.example/1.png" alt="In the text"></p>'
    post: dict[str, Any] = {"kind": ActivityKind.POST, "title": None}
    items = [
        an_activity("1", **post, actor=author, media=many),
        an_activity("2", **post, actor=ghost, media=dead),
        an_activity("3", **post, actor=author, links=links),
        an_activity("4", kind=ActivityKind.VIDEO, media=film),
        an_activity("5", media=(Media("image", "https://pictures.example/thumb.png"),)),
        an_activity("6", html=inline),
    ]
    ingest_now(sqlite_store, add_source(sqlite_store), items)
    configuration = tmp_path / "config"
    configuration.mkdir()
    blocks = "".join(
        f'[[block]]\ntype = "{kind}"\ntitle = "{kind}"\n' for kind in ("stream", "news", "social", "video")
    )
    (configuration / "portal.toml").write_text(f'name = "A portal"\n{blocks}', encoding="utf-8")
    with serving(app_of(sqlite_store, fetch=fetch, configuration=Configuration(configuration))) as reader:
        yield reader


@pytest.mark.parametrize(
    "path", ["/", "/?q=text", "/activities/1", "/activities/4", "/activities/6", "/embed?limit=9", "/docs"]
)
def test_pages_load_from_one_host(browser: Browser, reader: Reader, tmp_path: Path, path: str) -> None:
    context = browser.new_context(record_har_path=tmp_path / "page.har", viewport={"width": 1440, "height": 900})
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(reader.address + path, wait_until="load")
    broken = page.evaluate(BROKEN)
    cookies = context.cookies()
    context.close()
    entries = json.loads((tmp_path / "page.har").read_text(encoding="utf-8"))["log"]["entries"]
    hosts = {urlsplit(entry["request"]["url"]).netloc for entry in entries}
    assert hosts == {urlsplit(reader.address).netloc}
    assert len(entries) > 1
    assert {entry["response"]["status"] for entry in entries} == {200}
    assert broken == []
    assert cookies == []
    assert complaints == []
