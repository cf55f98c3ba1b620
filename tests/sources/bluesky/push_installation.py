"""Run an installation that follows accounts of an AppView and a Jetstream server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from aggregator.cli.listen import start_listening
from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.domain.polling.pushes import stream_names
from aggregator.domain.stream import Query
from aggregator.services import push_events, push_listener
from aggregator.services.subscribe import Subscription
from aggregator.source_api.push import PushTerms
from aggregator.sources.bluesky.push import PushesJetstream
from tests.reader.serving import until
from tests.sources.bluesky.server import ADA, AppView

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from aggregator.domain.activity import Activity
    from tests.sources.bluesky.jetstream_server import Jetstream

NAMES = stream_names("bluesky")


class Installation:
    """A container with an AppView and a Jetstream server."""

    def __init__(self, view: AppView, stream: Jetstream, folder: Path, url: str) -> None:
        self.view, self.stream = view, stream
        self.environ = {
            "AGGREGATOR_DATA_DIR": str(folder),
            "AGGREGATOR_DATABASE_URL": url,
            "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
            "AGGREGATOR_HOST_SPACING": "0",
            "AGGREGATOR_HOST_CONCURRENCY": "8",
            "AGGREGATOR_POLLS_PER_MINUTE": "100000",
            "AGGREGATOR_BLUESKY_API": view.address,
            "AGGREGATOR_BLUESKY_JETSTREAM": stream.address,
        }
        self.containers: list[Container] = []
        self.container = self.another()

    def another(self) -> Container:
        """Return another process over the same database."""
        self.containers.append(Container(Settings.from_environment(self.environ)))
        return self.containers[-1]

    def follow(self, *addresses: str, **options: Any) -> None:
        for address in addresses:
            self.container.subscribe(address, Subscription(options=options))

    def listen(self) -> threading.Thread:
        """Listen, and wait for the connection and the first polls that it requests."""
        thread = start_listening(self.container)
        until(lambda: self.stream.connections == 1 and bool(self.rows("SELECT 1 FROM source WHERE asked IS NOT NULL")))
        self.tick()
        return thread

    def tick(self) -> int:
        """Poll due sources as scheduler and workers do; return their number."""
        batches = self.container.dispatcher.claim()
        return sum(len(self.container.polling.poll(batch.ids, batch.token)) for batch in batches)

    def poll(self) -> None:
        """Poll all sources now."""
        self.container.polling.poll_now([row[0] for row in self.rows("SELECT id FROM source")])

    def asked(self) -> int:
        return int(self.rows("SELECT count(*) FROM source WHERE asked IS NOT NULL")[0][0])

    def rows(self, statement: str) -> Sequence[Any]:
        with self.container.store.engine.connect() as connection:
            return connection.execute(text(statement)).all()

    def items(self) -> list[Activity]:
        with self.container.store.reading() as tx:
            return list(tx.stream.activities.page(Query(limit=1000)).items)

    def author(self) -> tuple[str, str | None]:
        actor = self.items()[0].content.actor
        assert actor is not None
        return actor.name, actor.handle

    def texts(self) -> list[str]:
        return sorted(item.content.text for item in self.items())

    def times(self) -> dict[str, datetime]:
        with self.container.store.reading() as tx:
            return tx.polling.pushes.times(NAMES)

    def put_time(self, name: str, at: datetime) -> None:
        with self.container.store.writing() as tx:
            tx.polling.pushes.put_times({name: at})

    def publish(self, words: str, did: str = ADA) -> dict[str, Any]:
        """Publish a post on both servers."""
        post = self.view.post(words, did)
        self.stream.commit("create", post["uri"], post["record"])
        return post

    def delete(self, uri: str, *, late: bool = False) -> None:
        """Delete a record; `late`: the AppView still has it."""
        if not late:
            self.view.delete(uri)
        self.stream.delete(uri)

    def is_removed(self, key: str) -> bool:
        return bool(self.rows(f"SELECT 1 FROM gone_key WHERE key = 'bluesky:{key}'"))


def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no pause pass that only spares a network."""
    replay = PushesJetstream.push_terms.replay
    monkeypatch.setattr(PushesJetstream, "push_terms", PushTerms(replay=replay))
    monkeypatch.setattr(push_events, "_PROFILE_AFTER", timedelta())
    monkeypatch.setattr(push_listener, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(push_listener, "_CLAIM_AGAIN", 0.1)
    monkeypatch.setattr(push_listener, "_LOOK_EVERY", 0.1)


def now() -> datetime:
    return datetime.now(UTC)
