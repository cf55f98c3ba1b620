"""Test the sample Bluesky and Mastodon over HTTP, as the kinds of source read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.demo import BLUESKY_HANDLE, PORTAL, SAMPLE_TOKEN, Upstream
from aggregator.domain.activity import ActivityKind
from aggregator.domain.stream import Query
from tests.demo.client import get

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aggregator.domain.activity import Activity
    from aggregator.domain.source import Source
    from storage.store import Store


@pytest.fixture
def sample() -> Iterator[Upstream]:
    """Give a sample upstream that stands still."""
    with Upstream(every=0) as running:
        yield running


@pytest.fixture
def container(sample: Upstream, tmp_path: Path, sqlite_url: str, sqlite_store: Store) -> Iterator[Container]:
    del sqlite_store  # made and migrated
    settings = {
        "AGGREGATOR_DATA_DIR": str(tmp_path),
        "AGGREGATOR_DATABASE_URL": sqlite_url,
        "AGGREGATOR_X_BASE_URL": sample.url,
        "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN,
        "AGGREGATOR_BLUESKY_API": sample.url,
        "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
        "AGGREGATOR_HOST_SPACING": "0",
    }
    container = Container(Settings.from_environment(settings))
    yield container
    container.close()


def _address(sample: Upstream, network: str) -> str:
    return f"@{BLUESKY_HANDLE}" if network == "bluesky" else f"@{PORTAL}@{sample.url.partition('://')[2]}"


def _added(container: Container, sample: Upstream, network: str) -> Source:
    source, _ = container.subscribe(_address(sample, network))
    return source


def _items(container: Container) -> list[Activity]:
    with container.store.reading() as tx:
        return list(tx.stream.activities.page(Query(limit=100, stitch=False)).items)


def _texts(items: list[Activity]) -> list[str]:
    return [(item.object.content if item.object and not item.content.text else item.content).text for item in items]


@pytest.mark.parametrize("network", ["bluesky", "mastodon"])
def test_every_kind_of_post_is_there_and_marked_as_sample(container: Container, sample: Upstream, network: str) -> None:
    _added(container, sample, network)
    items = _items(container)
    kinds = {item.content.kind for item in items}
    assert kinds == {ActivityKind.POST, ActivityKind.REPOST, ActivityKind.QUOTE, ActivityKind.REPLY}
    assert all("(sample)" in text for text in _texts(items))
    pictures = [item for item in items if item.content.media]
    assert all(media.alt for item in pictures for media in item.content.media)
    assert {item.content.sensitive for item in pictures} == {True, False}
    assert all(get(media.url).status == 200 for item in pictures for media in item.content.media)
    reposts = [item for item in items if item.content.kind is ActivityKind.REPOST]
    assert all(item.object and item.object.content.actor != item.content.actor for item in reposts)
    [quote] = [item for item in items if item.content.kind is ActivityKind.QUOTE]
    assert quote.object is not None
    assert quote.object.content.actor is not None
    assert quote.object.content.actor.name == "Youth Panel (sample)"
    assert any(link.title for item in items for link in item.content.links)
    assert "ar" in {item.content.lang for item in items}


def test_mastodon_has_polls_edits_warnings_and_focal_points(container: Container, sample: Upstream) -> None:
    _added(container, sample, "mastodon")
    contents = [item.content for item in _items(container)]
    [poll] = [content.poll for content in contents if content.poll]
    assert len(poll.options) == 4
    assert [content.text for content in contents if content.edited] == ["Correction: the hearing begins at 11 (sample)"]
    assert any(content.html.startswith("<details><summary>Disaster</summary>") for content in contents)
    assert {media.focus for content in contents for media in content.media} == {(-0.5, 0.4), None}


@pytest.mark.parametrize("network", ["bluesky", "mastodon"])
def test_posts_are_deleted_and_leave_the_stream(container: Container, sample: Upstream, network: str) -> None:
    source = _added(container, sample, network)
    notes = getattr(sample.world.social, network)
    before = {note.id for note in notes.notes}
    while before <= {note.id for note in notes.notes}:
        sample.world.publish()
    container.polling.poll_now([source.id])
    stored = len(_items(container))
    assert stored == len([note for note in notes.notes if note.author == PORTAL])
    with container.store.reading() as tx:
        assert tx.stream.activities.changes(0, 1000).gone


@pytest.mark.parametrize("network", ["bluesky", "mastodon"])
def test_a_long_time_away_leaves_no_gap(container: Container, sample: Upstream, network: str) -> None:
    source = _added(container, sample, network)
    now = datetime.now(UTC)
    for number in range(400, 0, -1):
        sample.world.publish(now - number * timedelta(seconds=1))
    container.polling.poll_now([source.id])
    notes = getattr(sample.world.social, network).notes
    times = {
        note.created.replace(microsecond=note.created.microsecond // 1000 * 1000)
        for note in notes
        if note.author == PORTAL
    }
    assert len(times) > 20
    assert times <= {item.content.published for item in _items(container)}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/xrpc/app.bsky.actor.getProfile?actor=nobody.example", 400),
        ("/xrpc/app.bsky.feed.getAuthorFeed?actor=nobody.example", 400),
        (f"/xrpc/app.bsky.feed.getPosts?{'&'.join(['uris=a'] * 26)}", 400),
        ("/xrpc/app.bsky.feed.getTimeline", 501),
        ("/.well-known/webfinger?resource=acct:nobody@a.example", 404),
        ("/api/v1/accounts/lookup?acct=nobody", 404),
        ("/api/v1/accounts/1/statuses", 404),
        ("/api/v1/statuses/1", 404),
    ],
    ids=["profile", "feed", "posts", "method", "webfinger", "lookup", "statuses", "status"],
)
def test_what_does_not_exist_is_refused_as_there(sample: Upstream, path: str, status: int) -> None:
    assert get(f"{sample.url}{path}").status == status


def test_a_deleted_quote_is_shown_without_the_post(container: Container, sample: Upstream) -> None:
    for network in ("bluesky", "mastodon"):
        notes = getattr(sample.world.social, network)
        [quoted] = [notes.note(note.quoted) for note in notes.notes if note.quoted]
        notes.delete(quoted)
        _added(container, sample, network)
    quotes = [item for item in _items(container) if item.content.kind is ActivityKind.QUOTE]
    assert [item.object for item in quotes] == [None, None]


def test_portal_announces_the_same_on_three_networks(container: Container, sample: Upstream) -> None:
    for address in (f"@{PORTAL}", _address(sample, "bluesky"), _address(sample, "mastodon"), f"{sample.url}/news.xml"):
        source, _ = container.subscribe(address)
        container.polling.poll_now([source.id])  # X is not read while it is added
    with container.store.reading() as tx:
        page = tx.stream.activities.page(Query(limit=100, by_story=True))
    stories = [[item, *page.others.get(item.id, ())] for item in page.items]
    networks = [{item.content.network for item in story} for story in stories]
    assert networks.count({"x", "bluesky", "mastodon", "web"}) == 3
