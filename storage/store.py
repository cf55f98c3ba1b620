"""Open transactions on the database."""

from __future__ import annotations

import math
import threading
import time
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import InvalidRequestError

from aggregator.domain.errors import StoreUnavailableError
from storage import schema
from storage.engine import erasure
from storage.engine.connect import make_engine
from storage.engine.error_translation import translating_errors
from storage.engine.waiting import longest, longest_ping
from storage.repositories import (
    AccessRepositories,
    ApiRepositories,
    BillingRepositories,
    ModerationRepositories,
    MonitoringRepositories,
    PollingRepositories,
    StreamRepositories,
)
from storage.revision import STREAM_LOCKED
from storage.stream.content_columns import IDS_ONLY, ORGANIZATIONS
from storage.stream.entries import STREAM_AGE
from storage.stream.item_cache import ITEM_CACHE, ItemCache
from storage.stream.versions import DEFAULT_VERSIONS_KEPT, VERSIONS_KEPT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date, timedelta

    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import ConnectionPoolEntry

    from aggregator.domain.monitoring.system_facts import ReplicaFacts
    from aggregator.domain.organizations import Organizations
    from aggregator.domain.stream import StreamNews
    from storage.backfills import Backfills
    from storage.compliance.jobs import Compliance
    from storage.retention import Retention
    from storage.sealed_values import SealedValues

_ERASE_WITHIN = 0.3  # seconds; longer readers are rare, and the next transaction tries again


class Transaction:
    """The repositories of one transaction. Only `Store.writing` allows writes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.stream = StreamRepositories(connection)
        self.polling = PollingRepositories(connection)
        self.moderation = ModerationRepositories(connection)
        self.billing = BillingRepositories(connection)
        self.access = AccessRepositories(connection)
        self.api = ApiRepositories(connection)
        self.monitoring = MonitoringRepositories(connection)

    @cached_property
    def compliance(self) -> Compliance:
        """The stored posts of networks and their compliance jobs."""
        from storage.compliance.jobs import Compliance

        return Compliance(self._connection)

    @cached_property
    def backfills(self) -> Backfills:
        """The backfills of migrations."""
        from storage.backfills import Backfills

        return Backfills(self._connection)

    @cached_property
    def retention(self) -> Retention:
        """The old records."""
        from storage.retention import Retention

        return Retention(self._connection)

    @cached_property
    def sealed_values(self) -> SealedValues:
        """The encrypted values."""
        from storage.sealed_values import SealedValues

        return SealedValues(self._connection)


class Store:
    """The database, connected on first use, so that a worker may fork after creating the store."""

    def __init__(
        self,
        engine: Engine,
        *,
        versions_kept: int = DEFAULT_VERSIONS_KEPT,
        ids_only: frozenset[str] = frozenset(),
        stream_age: timedelta | None = None,
        direct_url: str | None = None,
        organizations: Callable[[], Organizations] | None = None,
    ) -> None:
        self.engine = engine
        self._direct_url = direct_url
        self.ids_only = ids_only
        items = ItemCache() if engine.dialect.name == "postgresql" else None
        self._options: dict[str, Any] = {VERSIONS_KEPT: versions_kept, ITEM_CACHE: items, IDS_ONLY: ids_only}
        self._options[STREAM_AGE] = stream_age
        self._options[ORGANIZATIONS] = organizations
        self._connecting: dict[int, float] = {}  # by thread: when it began to wait for a connection, monotonic
        self._answered = -math.inf  # when a statement last ended, monotonic
        event.listen(engine, "after_cursor_execute", self._note_answer)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        versions_kept: int = DEFAULT_VERSIONS_KEPT,
        ids_only: frozenset[str] = frozenset(),
        stream_age: timedelta | None = None,
        direct_url: str | None = None,
        organizations: Callable[[], Organizations] | None = None,
    ) -> Store:
        """Create a store for a database URL; nothing is connected yet.

        Args:
            url: the database.
            versions_kept: former versions kept per activity.
            ids_only: networks whose content is neither stored nor read.
            stream_age: how long items stay in the stream; older ones are not stored. None: forever.
            direct_url: the same database without a pooler between, for notifications.
            organizations: returns the accounts that belong together at present. None: no accounts do.
        """
        return cls(
            make_engine(url),
            versions_kept=versions_kept,
            ids_only=ids_only,
            stream_age=stream_age,
            direct_url=direct_url,
            organizations=organizations,
        )

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Open a read transaction.

        Raises:
            StoreUnavailableError: the database doesn't respond.
        """
        with self._begun(postgresql_readonly=True) as connection:
            yield Transaction(connection)

    @contextmanager
    def writing(self, *, lock_stream: bool = True) -> Iterator[Transaction]:
        """Open a read-write transaction; on SQLite it waits for other writers.

        Lock order: the stream's row first, then sources, activities, actors, rules and the audit log in any order. So
        writers can't deadlock, and the data that a decision is based on can't change before the decision is stored.

        Args:
            lock_stream: False if none of these tables change, as for rate limits, meters and sessions. Such a
                transaction runs concurrently with the stream's writer, and locks rows of one kind only.

        Raises:
            StoreUnavailableError: the database doesn't respond.
        """
        with self._begun(writing=True, **{STREAM_LOCKED: lock_stream}) as connection:
            tx = Transaction(connection)
            if lock_stream:
                tx.stream.state.lock()
            yield tx

    @contextmanager
    def _begun(self, **options: bool) -> Iterator[Connection]:
        with translating_errors(self.engine, reading="postgresql_readonly" in options), self._connect() as plain:
            connection = plain.execution_options(**self._options, **options)
            with connection.begin():
                yield connection
                removed = "writing" in options and erasure.is_marked(connection)
        if removed:
            self.erase(_ERASE_WITHIN)

    def erase(self, within: float) -> bool:
        """Erase removed content from SQLite's files; return False if readers prevented it for `within` seconds.

        After a failure, the next writing transaction of any process tries again.

        Raises:
            StoreUnavailableError: the database doesn't respond.
        """
        with translating_errors(self.engine):
            return self.engine.dialect.name != "sqlite" or erasure.erase(self.engine, within)

    def _connect(self) -> Connection:
        thread = threading.get_ident()
        self._connecting[thread] = time.monotonic()
        try:
            return self.engine.connect()
        except InvalidRequestError as error:  # the pool tried two connections, and neither reached the primary
            raise StoreUnavailableError("The database doesn't respond.") from error
        finally:
            del self._connecting[thread]

    @property
    def primary(self) -> Store:
        """The database that knows the latest: tokens and sessions are read there."""
        return self

    def replica(self, newest: int | None = None) -> ReplicaFacts | None:  # noqa: ARG002  # of subclasses
        """Return the state of the replica, if there is one.

        Args:
            newest: the primary's revision, if the caller knows it.
        """
        return None

    def longest_wait(self) -> float:
        """Return the longest current wait for a connection in seconds; 0: none waits."""
        return longest(self._connecting)

    def silence(self) -> float:
        """Return the seconds since the database last answered a statement of this process."""
        return time.monotonic() - self._answered

    def _note_answer(self, *_statement: object) -> None:
        self._answered = time.monotonic()

    @staticmethod
    def longest_ping() -> float:
        """Return the longest current check of a pooled connection in seconds; 0: none runs."""
        return longest_ping()

    def migrate(self, *, authority: str, today: date) -> list[str]:
        """Upgrade the schema to the code's; return the applied revisions.

        On the first run, `authority` (a host name) and `today` are fixed for all future `tag:` ids.
        """
        with translating_errors(self.engine):
            return schema.migrate(self.engine, authority, today)

    def check_schema(self) -> None:
        """Check that the schema fits the code.

        Raises:
            SchemaError: it is missing, older or newer; the message has the fix.
            StoreUnavailableError: the database doesn't respond.
        """
        with translating_errors(self.engine):
            schema.check(self.engine)

    def dump(self, write: Callable[[bytes], object]) -> dict[str, int]:
        """Write the whole content as lines; see `storage.transfer`.

        Raises:
            SchemaError, StoreUnavailableError: the database can't be read.
        """
        from storage import transfer

        with translating_errors(self.engine):
            return transfer.dump(self.engine, write)

    def load(self, read_line: Callable[[int], bytes]) -> dict[str, int]:
        """Read the lines of another database into this new one; see `storage.transfer`.

        Raises:
            BadRequestError: the lines are damaged, or this database is in use.
            SchemaError, StoreUnavailableError: the database can't be written.
        """
        from storage import transfer

        with translating_errors(self.engine):
            return transfer.load(self.engine, read_line)

    def watch(self, stopping: threading.Event) -> Iterator[StreamNews | None]:
        """Yield the stream's revision after each change and once a second; None while the database is unavailable."""
        from storage.stream.watch import watch

        return watch(self._direct_url or self.engine.url.render_as_string(hide_password=False), stopping)

    def is_pooled(self) -> bool:
        """Return whether a pooler such as PgBouncer is between.

        Raises:
            StoreUnavailableError: the database doesn't respond.
        """
        if self.engine.dialect.name != "postgresql":
            return False
        from storage.engine.postgresql import is_pooled  # imported late: SQLite needs no psycopg

        with translating_errors(self.engine), self._connect() as connection:
            return is_pooled(connection)

    def close(self) -> None:
        """Close every connection; connections in use are closed when they are returned."""
        pool = self.engine.pool
        self.engine.dispose()  # creates a new pool, which a forked worker can use
        event.listen(pool, "checkin", _closed_for_good)
        pool.dispose()  # connections returned in between


def _closed_for_good(_connection: object, record: ConnectionPoolEntry) -> None:
    """Close connections returned to a disposed pool, which would never be used again."""
    record.invalidate()
