"""The store: what everything else sees of the database."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import event
from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    InvalidRequestError,
    NotSupportedError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from aggregator.domain.errors import StoreUnavailableError
from storage import schema
from storage.compliance.jobs import Compliance
from storage.engine import erasure
from storage.engine.connect import make_engine
from storage.engine.postgresql import READ_ONLY, longest, longest_ping
from storage.repositories import (
    AccessRepositories,
    BillingRepositories,
    ModerationRepositories,
    MonitoringRepositories,
    PollingRepositories,
    StreamRepositories,
)
from storage.revision import STREAM_LOCKED
from storage.stream.versions import DEFAULT_VERSIONS_KEPT, VERSIONS_KEPT
from storage.stream.watch import watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import ConnectionPoolEntry


_ERASE_WITHIN = 0.3  # seconds; longer readers are rare, and the next transaction tries again


class Transaction:
    """One view of the database, by concern. Only `Store.writing` lets it write."""

    def __init__(self, connection: Connection) -> None:
        self.stream = StreamRepositories(connection)
        self.polling = PollingRepositories(connection)
        self.moderation = ModerationRepositories(connection)
        self.compliance = Compliance(connection)
        self.billing = BillingRepositories(connection)
        self.access = AccessRepositories(connection)
        self.monitoring = MonitoringRepositories(connection)


class Store:
    """The database, opened lazily: safe to build before a worker forks."""

    def __init__(self, engine: Engine, *, versions_kept: int = DEFAULT_VERSIONS_KEPT) -> None:
        self.engine = engine
        self._versions_kept = versions_kept
        self._connecting: dict[int, float] = {}  # by thread: since when it waits for a connection, monotonic

    @classmethod
    def open(cls, url: str, *, versions_kept: int = DEFAULT_VERSIONS_KEPT) -> Store:
        """Build a store for a database URL; nothing is connected yet.

        Args:
            url: the database.
            versions_kept: how many former versions of an activity are kept.
        """
        return cls(make_engine(url), versions_kept=versions_kept)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Read.

        Raises:
            StoreUnavailableError: the database does not answer.
        """
        with self._begun(postgresql_readonly=True) as connection:
            yield Transaction(connection)

    @contextmanager
    def writing(self, *, lock_stream: bool = True) -> Iterator[Transaction]:
        """Read and write in one transaction; on SQLite it waits for its turn as the one writer.

        Lock order: the stream's row first, then sources, activities, actors, rules and the audit log in any order. So
        no two writers can deadlock, and no decision rests on a state that another writer changes before it is stored.

        Args:
            lock_stream: False for what changes none of these, such as rate limits, meters and sessions. Such a
                transaction runs beside the one that holds the stream, and locks one kind of row only.

        Raises:
            StoreUnavailableError: the database does not answer.
        """
        with self._begun(writing=True, **{STREAM_LOCKED: lock_stream}) as connection:
            tx = Transaction(connection)
            if lock_stream:
                tx.stream.state.lock()
            yield tx

    @contextmanager
    def _begun(self, **options: bool) -> Iterator[Connection]:
        with _translated(reading="postgresql_readonly" in options), self._connect() as plain:
            connection = plain.execution_options(**options, **{VERSIONS_KEPT: self._versions_kept})
            with connection.begin():
                yield connection
                removed = "writing" in options and erasure.is_marked(connection)
        if removed:
            self.erase(_ERASE_WITHIN)

    def erase(self, within: float) -> bool:
        """Erase removed content from SQLite's files; return False where readers prevented it for `within` seconds.

        What could not be erased is tried again after the next transaction that writes, of any process.

        Raises:
            StoreUnavailableError: the database does not answer.
        """
        with _translated():
            return self.engine.dialect.name != "sqlite" or erasure.erase(self.engine, within)

    def _connect(self) -> Connection:
        thread = threading.get_ident()
        self._connecting[thread] = time.monotonic()
        try:
            return self.engine.connect()
        except InvalidRequestError as error:  # the pool tried two connections, and neither reached the primary
            raise StoreUnavailableError("The database does not answer.") from error
        finally:
            del self._connecting[thread]

    def longest_wait(self) -> float:
        """Return for how many seconds some thread has been waiting for a connection; 0 where none waits."""
        return longest(self._connecting)

    @staticmethod
    def longest_ping() -> float:
        """Return for how many seconds some pooled connection has been due to prove that it works; 0 where none is."""
        return longest_ping()

    def migrate(self, *, authority: str, today: date) -> list[str]:
        """Bring the schema up to the code's; return the revisions applied.

        The first time, `authority` (a host name) and `today` are fixed for all `tag:` ids to come.
        """
        with _translated():
            return schema.migrate(self.engine, authority, today)

    def check_schema(self) -> None:
        """Raise unless the schema fits the code.

        Raises:
            SchemaError: it is missing, older or newer; the sentence says what to do.
            StoreUnavailableError: the database does not answer.
        """
        with _translated():
            schema.check(self.engine)

    def watch(self, stopping: threading.Event) -> Iterator[int | None]:
        """Give the stream's revision soon after every change and once a second; None while the database is away."""
        return watch(self.engine.url.render_as_string(hide_password=False), stopping)

    def close(self) -> None:
        """Close every connection; one that somebody still uses when it is given back."""
        pool = self.engine.pool
        self.engine.dispose()  # which makes another pool, for a worker that was forked
        event.listen(pool, "checkin", _closed_for_good)
        pool.dispose()  # what came back in between


def _closed_for_good(_connection: object, record: ConnectionPoolEntry) -> None:
    """Close what comes back to a pool that was disposed of: nobody would take it out again."""
    record.invalidate()


# What PostgreSQL refuses because of the state it is in, and never because of the values that were sent. The rest of
# its class 42 (syntax error or access rule violation) is a mistake of this program.
_UNUSABLE = frozenset({"42501", "42P01", "42703", "3F000", "3D000"})  # privilege, table, column, schema, database
_UNUSABLE_FILES = frozenset({"SQLITE_NOTADB", "SQLITE_CORRUPT"})


@contextmanager
def _translated(*, reading: bool = False) -> Iterator[None]:
    """Turn errors that say something of the database, and nothing of the values, into `StoreUnavailableError`."""
    try:
        yield
    except PoolTimeoutError as error:
        raise StoreUnavailableError("The database does not answer: all connections are in use.") from error
    except (OperationalError, InterfaceError, InternalError, NotSupportedError) as error:
        if reading and getattr(error.orig, "sqlstate", None) == READ_ONLY:
            raise  # a mistake of this program: it opened the transaction for reading
        raise StoreUnavailableError(f"The database does not answer: {_reason(error)}.") from error
    except DatabaseError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state in _UNUSABLE or getattr(error.orig, "sqlite_errorname", "") in _UNUSABLE_FILES:
            raise StoreUnavailableError(f"The database can't be used: {_reason(error)}.") from error
        raise


def _reason(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0].rstrip(".") if error.orig else type(error).__name__
