"""Test the contract of every kind of source, on both databases, against the simulated X and a news site over HTTP.

A new kind of source joins by adding an address to `ADDRESSES`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.demo import SAMPLE_TOKEN
from aggregator.domain.activity import ActivityKind
from aggregator.domain.stream import Query
from aggregator.sources import kinds
from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aggregator.domain.activity import Activity
    from storage.store import Store

pytestmark = pytest.mark.long

ADDRESSES = {"calendar": "{}/events.ics", "rss": "{}/news.xml", "twitter": "@opengovpart"}


@pytest.fixture
def upstream() -> Iterator[SimulatedUpstream]:
    with SimulatedUpstream() as upstream:
        yield upstream


@pytest.fixture
def container(store: Store, upstream: SimulatedUpstream, tmp_path: Path) -> Iterator[Container]:
    url = store.engine.url.render_as_string(hide_password=False)
    container = Container(
        Settings.from_environment(
            {
                "AGGREGATOR_DATA_DIR": str(tmp_path),
                "AGGREGATOR_DATABASE_URL": url,
                "AGGREGATOR_X_BASE_URL": upstream.url,
                "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN,
                "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
                "AGGREGATOR_HOST_SPACING": "0",
            }
        )
    )
    yield container
    container.close()


@pytest.fixture(params=sorted(kinds()))
def source_id(request: pytest.FixtureRequest, container: Container, upstream: SimulatedUpstream) -> int:
    added, _ = container.subscribe(ADDRESSES[request.param].format(upstream.url))
    assert added.kind == request.param
    return added.id


def _items(container: Container) -> list[Activity]:
    with container.store.reading() as tx:
        return list(tx.stream.activities.page(Query(limit=100)).items)


def _rows(container: Container) -> list[tuple[object, ...]]:
    """Every activity row as it lies in the database: on PostgreSQL an update moves it, however equal it is."""
    place = "ctid::text, xmin::text" if container.store.engine.dialect.name == "postgresql" else "rowid"
    with container.store.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(f"SELECT {place}, * FROM activity ORDER BY id"))]


def test_every_kind_has_an_address_here() -> None:
    assert ADDRESSES.keys() == kinds().keys()


def test_it_fills_what_people_see(container: Container, source_id: int) -> None:
    container.polling.poll_now([source_id])
    items = _items(container)
    assert len(items) > 5
    for item in items:
        content = item.content
        assert content.network in {"x", "web"}
        assert content.url
        assert content.url.startswith(("https://", "http://"))
        original = item.object.content if item.object and content.kind is ActivityKind.REPOST else content
        assert original.title or original.text
        assert "<script" not in content.html
        assert item.native_id
        assert item.key.split(":")[0] in {"x", "web"}
        assert item.position <= container.clock()
    assert any(item.content.media for item in items)
    assert any(item.content.actor and item.content.actor.name for item in items)
    with container.store.reading() as tx:
        assert all(tx.stream.activities.raw(item.id) for item in items)


def test_polling_again_writes_no_row(container: Container, source_id: int) -> None:
    container.polling.poll_now([source_id])
    before = _rows(container)
    [report] = container.polling.poll_now([source_id])
    assert (report.outcome, report.new, report.changed, report.error) == ("unchanged", 0, 0, None)
    assert _rows(container) == before


def test_what_is_published_later_arrives_alone(
    container: Container, source_id: int, upstream: SimulatedUpstream
) -> None:
    container.polling.poll_now([source_id])
    before = {item.id for item in _items(container)}
    for _ in range(8):  # of every sort, so that each kind of source gets some
        upstream.world.publish()
    [report] = container.polling.poll_now([source_id])
    assert report.new >= 1
    after = {item.id for item in _items(container)}
    assert before < after
    assert len(after - before) == report.new


def test_an_upstream_that_is_away_costs_nothing_that_is_there(
    container: Container, source_id: int, upstream: SimulatedUpstream
) -> None:
    container.polling.poll_now([source_id])
    before = _rows(container)
    upstream.stop()
    [report] = container.polling.poll_now([source_id])
    assert report.outcome == "failed"
    assert report.error
    assert _rows(container) == before
    with container.store.reading() as tx:
        [source] = tx.polling.sources.each()
    assert source.poll.failures == 1
    assert source.poll.last_success is not None
    assert source.poll.due_reason.startswith("failed once")
    assert SAMPLE_TOKEN not in report.error
