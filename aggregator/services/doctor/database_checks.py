"""Check the database: schema, clock, PostgreSQL's settings, and stored data."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.config.credential_encryption import HeaderCipher
from aggregator.config.settings import KEY_FILE
from aggregator.domain.errors import SchemaError, SignInError, StoreUnavailableError
from aggregator.domain.monitoring.attention import is_ticking
from aggregator.domain.monitoring.findings import error, warning
from aggregator.domain.networks import network_of
from aggregator.services.alert_rounds import current_conditions
from aggregator.services.push_state import push_states
from aggregator.services.reencryption import former_values
from aggregator.services.system_facts import read_system_facts
from aggregator.sources import kinds
from aggregator.text.plain import counted, one_line
from storage.polling.clock_correction import TOLERANCE
from storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aggregator.domain.monitoring.findings import Finding
    from aggregator.domain.monitoring.system_facts import SystemFacts
    from aggregator.services.doctor.examination import Subject
    from storage.store import Transaction

_CLOCKS_DIFFER = timedelta(seconds=5)
_OLDEST_SERVER = 140_000
_LEAST_CONNECTIONS = 50
_CROWDED = 0.8  # of the allowed connections
_MIGRATION_STANDS = timedelta(minutes=15)
_TRIED = 20  # encrypted headers

# Setting -> the value that it should have, whether others are an error, and what they mean.
_EXPECTED: Mapping[str, tuple[str, bool, str]] = {
    "fsync": ("on", True, "a crash of the machine can destroy the database"),
    "full_page_writes": ("on", True, "a crash of the machine can destroy the database"),
    "synchronous_commit": ("on", False, "the last decisions can be lost when the server crashes"),
    "autovacuum": ("on", True, "tables grow without limit and queries slow down"),
    "default_transaction_isolation": ("read committed", True, "concurrent polls fail with serialization errors"),
    "server_encoding": ("UTF8", True, "text in most languages can't be stored"),
    "session_replication_role": ("origin", True, "triggers don't run, so filters and search miss items"),
}


def check_schema(subject: Subject) -> Iterator[Finding]:
    """Check that the database answers and has the schema of this version."""
    try:
        subject.store.check_schema()
    except SchemaError as problem:
        yield error("schema", str(problem), "Run 'aggregator migrate' with the version that you want to run.")
    except StoreUnavailableError as problem:
        if "read-only" in str(problem):
            yield error(
                "database-read-only",
                str(problem),
                "Connect to the primary server, and remove 'default_transaction_read_only' from database and user. A "
                "replica belongs into AGGREGATOR_REPLICA_URL, from which readers read.",
            )
        else:
            yield error(
                "database-unreachable",
                str(problem),
                "Start the database, and check address, user and password in AGGREGATOR_DATABASE_URL.",
            )


def check_migrations(subject: Subject) -> Iterator[Finding]:
    """Check background migrations."""
    with subject.store.reading() as tx:
        states = [state for state in tx.backfills.states() if state.finished is None]
    for state in states:
        if state.problem is not None:
            yield error(
                "migration-failed",
                f"The background migration {state.name!r} fails: {one_line(state.problem, 300)}",
                "Correct the cause; it is tried again, and 'aggregator migrate --wait' tries at once.",
            )
        elif subject.now - (state.last_batch or state.created) > _MIGRATION_STANDS:
            yield warning(
                "migration-stopped",
                f"The background migration {state.name!r} makes no progress.",
                "Run the scheduler and a worker of this version, or 'aggregator migrate --wait'.",
            )


def check_direct_address(subject: Subject) -> Iterator[Finding]:
    """Check that notifications of the same database arrive."""
    direct = subject.settings.direct_database_url
    if direct is None:
        return
    with subject.store.reading() as tx:
        instance = tx.stream.state.instance()
    listening = Store.open(direct.reveal())
    try:
        with listening.reading() as tx:
            is_same = tx.stream.state.instance() == instance
        if not is_same:
            yield error(
                "direct-database-differs",
                "AGGREGATOR_DIRECT_DATABASE_URL is another database, so readers miss all changes.",
                "Set it to the database of AGGREGATOR_DATABASE_URL, without PgBouncer between.",
            )
        elif listening.is_pooled():
            yield warning(
                "direct-database-pooled",
                "AGGREGATOR_DIRECT_DATABASE_URL leads through a pooler, which passes no notifications on.",
                "Set it to the address of PostgreSQL itself.",
            )
    except StoreUnavailableError as problem:
        yield error(
            "direct-database-unreachable",
            f"Readers notice changes late: {problem}",
            "Check AGGREGATOR_DIRECT_DATABASE_URL, or remove it.",
        )
    finally:
        listening.close()


def check_server(subject: Subject) -> Iterator[Finding]:
    """Check PostgreSQL's settings."""
    with subject.store.reading() as tx:
        server = tx.monitoring.server
        settings = server.settings()
        database = tx.monitoring.facts.database()
        may_write = server.may_write()
    if not settings:
        return
    for name, (expected, is_error, means) in _EXPECTED.items():
        if settings[name] != expected:
            report = error if is_error else warning
            yield report(
                f"postgresql-{name.replace('_', '-')}",
                f"PostgreSQL's {name} is {settings[name]!r}: {means}.",
                f"Set it to {expected!r} (SHOW {name} as the user of AGGREGATOR_DATABASE_URL).",
            )
    yield from _check_limits(settings)
    if (database.connections or 0) > _CROWDED * (database.most_connections or 0):
        yield warning(
            "postgresql-connections-used",
            f"{database.connections} of {database.most_connections} connections are in use.",
            "Raise max_connections, or run fewer processes; each has up to 10 connections.",
        )
    if not may_write:
        yield error(
            "database-privileges",
            "The database's user may not write the tables.",
            "Let the user own them, or GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public.",
        )


def _check_limits(settings: Mapping[str, str]) -> Iterator[Finding]:
    if int(settings["server_version_num"]) < _OLDEST_SERVER:
        yield error("postgresql-old", "PostgreSQL is older than 14.", "Upgrade the server.")
    if int(settings["max_connections"]) < _LEAST_CONNECTIONS:
        yield warning(
            "postgresql-max-connections",
            f"PostgreSQL allows {settings['max_connections']} connections; each of our processes has up to 10.",
            "Set max_connections to 100 or more.",
        )
    for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
        if settings[name] == "0":
            yield warning(
                f"postgresql-{name.replace('_', '-')}",
                f"PostgreSQL's {name} is off, so a request that hangs keeps its locks.",
                "Remove 'options' from AGGREGATOR_DATABASE_URL; then our own limits apply.",
            )
    if settings["is_superuser"] == "on":
        yield warning(
            "postgresql-superuser",
            "The database's user is a superuser, which needs more rights than this program uses.",
            "Create a user that only owns this database.",
        )
    if settings["log_statement"] in {"all", "mod"}:
        yield warning(
            "postgresql-log-statement",
            "PostgreSQL logs statements, and so the content of items that are removed later.",
            "Set log_statement to 'none' or 'ddl'.",
        )


def check_clock(subject: Subject) -> Iterator[Finding]:
    """Check the clock against the database's, and against stored times."""
    before = subject.now
    with subject.store.reading() as tx:
        theirs = tx.monitoring.server.clock()
        is_behind = tx.polling.clock.is_behind(subject.now)
        last_tick = tx.stream.state.last_tick()
    if theirs is not None and not before - _CLOCKS_DIFFER <= theirs <= subject.now + _CLOCKS_DIFFER:
        seconds = abs((theirs - before).total_seconds())
        yield error(
            "clock-differs",
            f"The clocks of this machine and the database differ by {seconds:,.0f} s.",
            "Synchronize both with NTP (timedatectl set-ntp true).",
        )
    if is_behind or (last_tick is not None and last_tick > subject.now + TOLERANCE):
        yield error(
            "clock-set-back",
            "Stored times are in the future: a clock was ahead, or this one is behind.",
            "Synchronize the clocks of all machines; the next dispatch corrects stored times.",
        )


def check_content(subject: Subject) -> Iterator[Finding]:
    """Check sources, credentials and refusals."""
    with subject.store.reading() as tx:
        facts = read_system_facts(tx, subject.settings, subject.now)
        last_tick = tx.stream.state.last_tick()
        conditions = list(current_conditions(tx, subject.settings, subject.now))
        findings = [*_check_kinds(tx, subject, facts), *_check_sealed(tx, subject)]
        findings += _check_former_keys(tx, subject)
    yield from findings
    if not is_ticking(last_tick, subject.now):
        yield error(
            "scheduler-stopped",
            "The scheduler has not run within a minute, so nothing is polled.",
            "Start 'aggregator run', or the scheduler and a worker with the queue 'control'.",
        )
    for found in conditions:
        if found.kind in {"calls-refused", "credits-low", "credential-expiring"}:
            remedy = "See 'aggregator status' and 'aggregator credentials'."
            yield error(found.kind, one_line(found.sentence, 300), remedy)


def _check_kinds(tx: Transaction, subject: Subject, facts: SystemFacts) -> Iterator[Finding]:
    known, active = kinds(), [found for found in facts.sources if found.state == "active"]
    for found in active:
        kind = known.get(found.kind)
        if kind is None:
            yield error(
                "kind-unknown",
                f"{found.sources} sources are of the kind {found.kind!r}, which this version does not have.",
                "Install the version or package that has it, or remove the sources.",
            )
            continue
        service = kind.credential(subject.settings.kinds)
        if service is not None and not service[1] and not tx.api.credentials.all(service[0]):
            yield error(
                "token-missing",
                f"{found.sources} sources of the kind {found.kind!r} need a token, and none is set.",
                f"Set the token's variable ('aggregator settings' lists it), or run 'aggregator {service[0]} connect'.",
            )
    yield from _check_pushes(tx, subject)
    demand = sum(found.sources for found in active) * subject.settings.polls_per_hour / 60
    if demand > subject.settings.polls_per_minute:
        yield warning(
            "polls-limited",
            f"The sources need {demand:,.0f} polls a minute, and {subject.settings.polls_per_minute:,} are allowed.",
            "Raise AGGREGATOR_POLLS_PER_MINUTE, or lower AGGREGATOR_POLLS_PER_HOUR.",
        )


def _check_pushes(tx: Transaction, subject: Subject) -> Iterator[Finding]:
    """Check that a process listens to each network whose pushed events are enabled."""
    for stream in push_states(tx, subject.settings.kinds, subject.now):
        label = network_of(stream.network).label
        if not stream.claimed:
            yield warning(
                "listener-missing",
                f"Pushed events of {label} are enabled, and no process receives them.",
                "Start 'aggregator listen' or 'aggregator run'.",
            )
        elif stream.opened is None:
            yield warning(
                "stream-broken",
                f"The stream of pushed events of {label} is not connected; polls go on as usual.",
                "The log of 'aggregator listen' has the reason.",
            )


def _check_sealed(tx: Transaction, subject: Subject) -> Iterator[Finding]:
    """Check that stored credentials can be decrypted."""
    sealed = tx.monitoring.server.sealed_headers(_TRIED)
    if not sealed:
        return
    restore = "Restore the former AGGREGATOR_SECRET_KEY, or set the credentials again."
    if not _has_keys(subject):
        yield error("secret-key-changed", "The key that encrypted the credentials of sources is missing.", restore)
        return
    cipher = HeaderCipher(*subject.settings.secret_keys())
    try:
        for host, headers in sealed:
            cipher.open(host, headers)
    except SignInError as problem:
        yield error("secret-key-changed", str(problem), restore)


def _check_former_keys(tx: Transaction, subject: Subject) -> Iterator[Finding]:
    """Check that former keys are removed when nothing needs them."""
    key, *former = subject.settings.secret_keys() if _has_keys(subject) else (None,)
    if key is None or not former:
        return
    count = sum(1 for _ in former_values(tx, HeaderCipher(key)))
    if count:
        yield warning(
            "secret-key-former-used",
            f"{counted(count, 'credential')} are encrypted under a former AGGREGATOR_SECRET_KEY.",
            "Run 'aggregator credentials reencrypt', then remove the former keys.",
        )
    else:
        yield warning(
            "secret-key-former",
            f"AGGREGATOR_SECRET_KEY lists {counted(len(former), 'former key')}, and no credential needs them.",
            "Remove them. Forms that were opened before the keys were replaced have to be opened again.",
        )


def _has_keys(subject: Subject) -> bool:
    """Return whether there are keys; reading them would generate one."""
    return subject.settings.secret_key is not None or (subject.settings.data_dir / KEY_FILE).exists()
