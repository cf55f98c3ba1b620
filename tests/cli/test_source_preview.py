"""Test `source preview` as a user sees it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from tests.building import NOON

if TYPE_CHECKING:
    from storage.store import Store
    from tests.cli.conftest import CommandLine
    from tests.upstream import Publisher

ODD = b"""<rss version="2.0" xmlns:ev="http://purl.org/rss/1.0/modules/event/"><channel><title>Odd</title>
<item><title>Storm & flood</title><guid>a</guid><author>ana@tide.example (Ana)</author>
<pubDate>Fri, 27 Feb 2026 10:00:00 GMT</pubDate><description>Ferries \xc2\x9b31m stay.</description></item>
<item><title>Meeting</title><guid>b</guid><ev:startdate>2031-05-02T10:00:00</ev:startdate></item>
<item><description>Just words</description></item></channel></rss>"""


def _dump(store: Store) -> list[str]:
    database = store.engine.url.database
    assert database
    connection = sqlite3.connect(database)
    try:
        return [*connection.iterdump()]
    finally:
        connection.close()


def test_a_preview_shows_cards_and_notes_and_writes_nothing(
    cli: CommandLine, publisher: Publisher, sqlite_store: Store
) -> None:
    publisher.serve("/odd.xml", ODD, "application/rss+xml")
    before = _dump(sqlite_store)
    text = cli("source", "preview", publisher.url("/odd.xml")).stdout
    assert _dump(sqlite_store) == before
    for words in (
        "Odd\n", "slug odd", "┌─ Storm & flood", "article · Ana · 2026-02-27 10:00 UTC", "┌─ Meeting",
        "Event: 2031-05-02",
        "! Characters & and <", "names no time zone", "No date that can be read", "recognized by its content",
        "! Entries without a date that can be read: 2 of 3.",
    ):  # fmt: skip
        assert words in text, words
    assert "ana@tide.example" not in text
    assert all(character.isprintable() or character == "\n" for character in text)


def test_a_preview_as_json_is_one_object(cli: CommandLine, publisher: Publisher) -> None:
    [found] = cli.json("source", "preview", publisher.url("/good/1.xml"), "--limit", "2")
    assert (found["kind"], found["name"], found["slug"]) == ("rss", "Feed 1", "feed-1")
    assert (found["address"], found["followed_as"]) == (publisher.url("/good/1.xml"), None)
    assert (found["entries"], len(found["items"])) == (3, 2)
    assert found["items"][0].keys() >= {"native_id", "title", "url", "published_at", "actor", "media", "notes"}


def test_a_preview_tells_how_the_feed_was_found_and_whether_it_is_followed(
    cli: CommandLine, publisher: Publisher
) -> None:
    cli("source", "add", publisher.url("/good/1.xml"))
    text = cli("source", "preview", publisher.url("/page")).stdout
    assert "announces this feed" in text
    assert "Already added as feed-1." in text


@pytest.mark.parametrize("path", ["/404", "/html"])
def test_what_is_no_source_has_no_preview(cli: CommandLine, publisher: Publisher, path: str) -> None:
    assert "no preview. " in cli("source", "preview", publisher.url(path), code=1).stderr


def test_secrets_in_addresses_are_not_printed(cli: CommandLine) -> None:
    output = cli("source", "preview", "http://ana:secret@127.0.0.1:1/feed", code=1)
    assert "secret" not in output.stdout + output.stderr


def test_a_paused_host_is_left_alone(cli: CommandLine, publisher: Publisher, sqlite_store: Store) -> None:
    with sqlite_store.writing() as tx:
        later = NOON.replace(year=2200)
        tx.polling.hosts.pause(publisher.host, later, NOON, "429", first=later - NOON)
    assert "is paused" in cli("source", "preview", publisher.url("/good/1.xml"), code=1).stderr
    assert publisher.hits.total() == 0
