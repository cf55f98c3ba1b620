"""Run a container that follows accounts of the simulated X, by a clock that both share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.demo import SAMPLE_TOKEN
from aggregator.domain.stream import Query
from aggregator.services.subscribe import Subscription

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.domain.activity import Activity
    from aggregator.domain.source import Source
    from aggregator.services.poll_report import Report

START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **span: float) -> datetime:
        """Move the clock and return what it shows."""
        self.now += timedelta(**span)
        return self.now


class Following:
    """A container; `settings` are without the prefix."""

    def __init__(self, time: Time, x_url: str, folder: str, database_url: str, **settings: str) -> None:
        self.time = time
        self._environ = {
            "AGGREGATOR_DATA_DIR": folder,
            "AGGREGATOR_DATABASE_URL": database_url,
            "AGGREGATOR_X_BASE_URL": x_url,
            "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN,
            "AGGREGATOR_HOST_SPACING": "0",
            **{f"AGGREGATOR_{name.upper()}": value for name, value in settings.items()},
        }
        self.container = Container(Settings.from_environment(self._environ), time)
        self._beside: list[Following] = []

    def close(self) -> None:
        """Close the container, and those beside it."""
        for following in (*self._beside, self):
            following.container.close()

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment variables of a process with the same settings."""
        return self._environ

    def beside(self, **settings: str) -> Following:
        """Return another process over the same database."""
        kept = {name.removeprefix("AGGREGATOR_").lower(): value for name, value in self._environ.items()}
        other = {
            name: value
            for name, value in {**kept, **settings}.items()
            if name not in {"x_base_url", "data_dir", "database_url"}
        }
        environ = self._environ
        beside = Following(
            self.time,
            environ["AGGREGATOR_X_BASE_URL"],
            environ["AGGREGATOR_DATA_DIR"],
            environ["AGGREGATOR_DATABASE_URL"],
            **other,
        )
        self._beside.append(beside)
        return beside

    def follow(self, *addresses: str, every: timedelta | None = None, **options: Any) -> list[Source]:
        """Add sources as users do."""
        terms = Subscription(every=every, options=options)
        return [self.container.subscribe(address, terms)[0] for address in addresses]

    def poll(self, *slugs: str) -> list[Report]:
        """Poll sources now, due or not; all sources without arguments."""
        with self.container.store.reading() as tx:
            ids = [source.id for source in tx.polling.sources.each() if not slugs or source.slug in slugs]
        return self.container.polling.poll_now(ids)

    def tick(self) -> int:
        """Poll due sources as scheduler and workers do; return their number."""
        return sum(
            len(self.container.polling.poll(batch.ids, batch.token)) for batch in self.container.dispatcher.claim()
        )

    def source(self, slug: str) -> Source:
        """Return the current state of a source."""
        with self.container.store.reading() as tx:
            found = tx.polling.sources.get(slug)
        assert found is not None
        return found

    def items(self, limit: int = 100, *, stitch: bool = False) -> Sequence[Activity]:
        """Return the visible items, newest first; reposts are separate unless they are grouped."""
        with self.container.store.reading() as tx:
            return tx.stream.activities.page(Query(limit=limit, stitch=stitch)).items

    def ids(self) -> list[str]:
        """Return the native ids of all stored items that are not gone, by their ids."""
        rows = self.rows("SELECT native_id FROM activity WHERE gone IS NULL")
        return sorted((str(row[0]) for row in rows), key=int)

    def rows(self, statement: str) -> Sequence[Any]:
        """Query the database directly."""
        with self.container.store.engine.connect() as connection:
            return connection.execute(text(statement)).all()

    def note(self, slug: str) -> str:
        """Return the newest line of a source's fetch log."""
        with self.container.store.reading() as tx:
            return str(tx.polling.schedule.log(self.source(slug).id, 1)[0]["message"])

    def ledger(self) -> tuple[int, int, int, float]:
        """Return (requests, posts, users, dollars) of the whole ledger."""
        [row] = self.rows("SELECT sum(requests), sum(posts), sum(users), sum(micros) FROM spend")
        return int(row[0] or 0), int(row[1] or 0), int(row[2] or 0), int(row[3] or 0) / 1e6
