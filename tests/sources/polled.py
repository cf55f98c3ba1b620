"""Poll sources of an installation, and read what it stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.domain.stream import Query
from aggregator.source_api.timeline_poll import CHECK_EVERY

if TYPE_CHECKING:
    from aggregator.container import Container
    from aggregator.domain.activity import Activity
    from aggregator.domain.source import Source


def items(container: Container) -> list[Activity]:
    """Return the newest 100 items of the stream."""
    with container.store.reading() as tx:
        return list(tx.stream.activities.page(Query(limit=100)).items)


def texts(container: Container) -> list[str]:
    """Return the texts of the newest 100 items of the stream, in the order of the alphabet."""
    return sorted(item.content.text for item in items(container))


def count(container: Container) -> int:
    """Return the number of items of the stream."""
    with container.store.reading() as tx:
        return sum(tx.stream.activities.facets(Query(), {}).counts["kind"].values())


def poll(container: Container, source: Source) -> Any:
    """Poll a source and return the report."""
    [report] = container.polling.poll_now([source.id])
    return report


def later(container: Container) -> None:
    """Let the time pass after which older entries are looked up again."""
    after = container.clock() + 2 * CHECK_EVERY
    container.clock = lambda: after


def stored(container: Container, source: Source) -> Source:
    """Return a source as it is stored now."""
    with container.store.reading() as tx:
        found = tx.polling.sources.get(source.slug)
    assert found is not None
    return found
