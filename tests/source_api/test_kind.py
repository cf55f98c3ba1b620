"""Test the contract of every kind of source, on both databases and over HTTP.

A new kind of source joins by a module `tests.sources.KIND.contract` with a context manager `upstream` that yields an
`Upstream`. The simulated X with its news site is that of the kinds in `ADDRESSES`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

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
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from aggregator.domain.activity import Activity
    from storage.store import Store

pytestmark = pytest.mark.long

ADDRESSES = {"calendar": "{}/events.ics", "rss": "{}/news.xml", "twitter": "@opengovpart"}


class Upstream(Protocol):
    """A service with a source that has more than five items, some of them with pictures."""

    @property
    def address(self) -> str:
        """The address of the source, as given to `source add`."""
        ...

    @property
    def settings(self) -> Mapping[str, str]:
        """Variables that lead to the service."""
        ...

    def publish(self) -> object:
        """Publish something; of eight times, once at least in the source."""
        ...

    def stop(self) -> None:
        """Answer no longer."""
        ...


class SimulatedX:
    """The simulated X, with its news site."""

    def __init__(self, upstream: SimulatedUpstream, address: str) -> None:
        self.address = address.format(upstream.url)
        self.settings = {"AGGREGATOR_X_BASE_URL": upstream.url, "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN}
        self.publish, self.stop = upstream.world.publish, upstream.stop


@pytest.fixture(params=sorted(kinds()))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def upstream(kind: str) -> Iterator[Upstream]:
    if kind in ADDRESSES:
        with SimulatedUpstream() as simulated:
            yield SimulatedX(simulated, ADDRESSES[kind])
    else:
        with import_module(f"tests.sources.{kind}.contract").upstream() as found:
            yield found


@pytest.fixture
def container(store: Store, upstream: Upstream, tmp_path: Path) -> Iterator[Container]:
    url = store.engine.url.render_as_string(hide_password=False)
    container = Container(
        Settings.from_environment(
            {
                "AGGREGATOR_DATA_DIR": str(tmp_path),
                "AGGREGATOR_DATABASE_URL": url,
                "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
                "AGGREGATOR_HOST_SPACING": "0",
                **upstream.settings,
            }
        )
    )
    yield container
    container.close()


@pytest.fixture
def source_id(kind: str, container: Container, upstream: Upstream) -> int:
    added, _ = container.subscribe(upstream.address)
    assert added.kind == kind
    return added.id


def _items(container: Container) -> list[Activity]:
    with container.store.reading() as tx:
        return list(tx.stream.activities.page(Query(limit=100)).items)


def _rows(container: Container) -> list[tuple[object, ...]]:
    """Every activity row as it lies in the database: on PostgreSQL an update moves it, however equal it is."""
    place = "ctid::text, xmin::text" if container.store.engine.dialect.name == "postgresql" else "rowid"
    with container.store.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(f"SELECT {place}, * FROM activity ORDER BY id"))]


def test_it_fills_what_people_see(container: Container, kind: str, source_id: int) -> None:
    container.polling.poll_now([source_id])
    networks = {network.name for network in kinds()[kind].networks} or {"web"}
    items = _items(container)
    assert len(items) > 5
    for item in items:
        content = item.content
        assert content.network in networks
        assert content.url
        assert content.url.startswith(("https://", "http://"))
        original = item.object.content if item.object and content.kind is ActivityKind.REPOST else content
        assert original.title or original.text
        assert "<script" not in content.html
        assert item.native_id
        assert item.key.split(":")[0] in networks
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


def test_what_is_published_later_arrives_alone(container: Container, source_id: int, upstream: Upstream) -> None:
    container.polling.poll_now([source_id])
    before = {item.id for item in _items(container)}
    for _ in range(8):  # of every sort, so that each kind of source gets some
        upstream.publish()
    [report] = container.polling.poll_now([source_id])
    assert report.new >= 1
    after = {item.id for item in _items(container)}
    assert before < after
    assert len(after - before) == report.new


def test_an_upstream_that_is_away_costs_nothing_that_is_there(
    container: Container, source_id: int, upstream: Upstream
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
