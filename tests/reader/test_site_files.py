"""Test the files that browsers and crawlers look for by name."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from urllib.robotparser import RobotFileParser

import pytest
from PIL import Image

from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from storage.store import Store
    from tests.reader.serving import Reader


def test_crawlers_read_pages_but_no_searches(sqlite_store: Store) -> None:
    with serving(app_of(sqlite_store, public_url="https://stream.example/news")) as reader:
        text = reader.ask("/robots.txt").text
    rules = RobotFileParser()
    rules.parse(text.splitlines())
    assert rules.site_maps() == ["https://stream.example/news/sitemap.xml"]
    for path, allowed in (
        ("/", True),
        ("/activities/1", True),
        ("/docs", True),
        ("/review", False),
        ("/api/v1", False),
    ):
        assert rules.can_fetch("Bot", f"https://stream.example/news{path}") is allowed
    assert "Disallow: /news/*?*cursor=" in text  # a wildcard, which this parser doesn't know


def test_icons_have_the_size_that_the_manifest_names(empty_reader: Reader) -> None:
    manifest = empty_reader.ask("/manifest.webmanifest")
    assert manifest.headers["content-type"] == "application/manifest+json"
    assert manifest.json["start_url"] == "/"
    for icon in manifest.json["icons"]:
        picture = Image.open(io.BytesIO(empty_reader.ask(icon["src"]).body))
        assert f"{picture.width}x{picture.height}" == icon["sizes"]
    assert Image.open(io.BytesIO(empty_reader.ask("/apple-touch-icon.png").body)).size == (180, 180)
    assert Image.open(io.BytesIO(empty_reader.ask("/favicon.ico").body)).size == (32, 32)


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_name_icons_and_manifest(empty_reader: Reader, path: str) -> None:
    head = empty_reader.ask(path).text.partition("</head>")[0]
    assert 'rel="manifest" href="/manifest.webmanifest"' in head
    assert 'rel="apple-touch-icon"' in head


def test_the_introduction_for_language_models_has_addresses_that_work(empty_reader: Reader) -> None:
    answer = empty_reader.ask("/llms.txt")
    assert answer.headers["content-type"].startswith("text/markdown")
    lines = answer.text.splitlines()
    assert lines[0].startswith("# ")
    assert lines[2].startswith("> ")
    linked = [line.partition("](")[2].partition(")")[0] for line in lines if line.startswith("- [")]
    assert len(linked) > 8
    for address in linked:
        assert empty_reader.ask(address.removeprefix(empty_reader.address)).status == 200, address
