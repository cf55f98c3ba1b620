"""Test exports and imports of whole databases: every table and type, between both databases, and damaged files."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from sqlalchemy import JSON, Boolean, Float, Integer, LargeBinary, insert, text
from sqlalchemy.exc import OperationalError

from aggregator.cli.transfer import export, import_
from aggregator.domain.errors import BadRequestError
from aggregator.domain.source import Policy
from aggregator.domain.stream import Query
from storage.engine.connect import UtcDateTime
from storage.store import Store
from storage.tables.metadata import metadata
from storage.transfer import dump, load
from tests.building import NOON, add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Column

ROWS = 7  # per table
TODAY = date(2026, 3, 2)
TEXTS = ("", "plain", "Ünïcode \U0001f600 \u202e", 'quotes " and \\ and \u2028', "line\nfeed\ttab")
DOCUMENTS: tuple[Any, ...] = (
    {"b": 1, "a": [1.5, 1.0, 1e16, -0.25, 1e-7, True, None, "ü"]},
    {},
    {"nested": {"z": {}, "a": {"deep": [[]]}}, "big": 2**53},
)


def value(column: Column[Any], number: int, dice: random.Random) -> Any:
    """Return a value for a column; texts and numbers of different rows differ."""
    if column.nullable and not column.foreign_keys and dice.random() < 0.2:
        return None
    if column.name in {"topics", "countries"}:
        return ["health", "GH"][: dice.randrange(3)]
    makers: dict[type, Any] = {
        UtcDateTime: lambda: NOON + timedelta(days=number, microseconds=dice.randrange(10**6)),
        Boolean: lambda: dice.random() < 0.5,
        LargeBinary: lambda: dice.randbytes(20),
        JSON: lambda: dice.choice(DOCUMENTS),
        Float: lambda: dice.choice([0.0, 0.1, 1e300, -2.5]),
        Integer: lambda: number + 1,
    }
    make = next((make for type_, make in makers.items() if isinstance(column.type, type_)), None)
    return make() if make else f"{number} {dice.choice(TEXTS)}"


def fill(store: Store, seed: int) -> None:
    """Put rows into every table."""
    dice = random.Random(seed)
    with store.engine.connect().execution_options(writing=True) as connection, connection.begin():
        for table in metadata.sorted_tables:
            if table.name in {"stream", "activity_tag", "host_group"}:
                continue
            rows = [{column.name: value(column, number, dice) for column in table.columns} for number in range(ROWS)]
            if table.name == "activity":
                rows = [{**row, "search_text": f"word{number} common"} for number, row in enumerate(rows)]
            connection.execute(insert(table), rows)


def exported(store: Store) -> bytes:
    output = io.BytesIO()
    dump(store.engine, output.write)
    return output.getvalue()


def imported(store: Store, content: bytes) -> dict[str, int]:
    return load(store.engine, io.BytesIO(content).readline)


@pytest.fixture
def other(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> Iterator[Store]:
    """Give a new database of the other kind."""
    if store.engine.dialect.name == "sqlite":
        yield request.getfixturevalue("postgresql_store")
        return
    new = Store.open(f"sqlite:///{tmp_path / 'other.sqlite3'}")
    new.migrate(authority="other.invalid", today=TODAY)
    yield new
    new.close()


@pytest.mark.parametrize("seed", range(5))
def test_a_copy_on_the_other_database_and_back_is_identical(store: Store, other: Store, seed: int) -> None:
    fill(store, seed)
    content = exported(store)
    rows = imported(other, content)
    assert rows["activity"] == rows["audit"] == rows["checked"] == ROWS
    assert exported(other) == content
    tags = "SELECT tag, id FROM activity_tag ORDER BY tag, id"
    with store.engine.connect() as before, other.engine.connect() as after:
        assert sorted(map(tuple, before.execute(text(tags)))) == sorted(map(tuple, after.execute(text(tags))))


def test_a_copy_goes_on_where_the_original_was(store: Store, other: Store) -> None:
    ingest_now(store, add_source(store, "news"), [an_activity(str(number)) for number in range(3)])
    imported(other, exported(store))
    with other.reading() as tx:
        assert len(tx.stream.activities.page(Query(limit=10)).items) == 3
        assert tx.stream.state.instance() == _instance(store)
    added = add_source(other, "more")
    stored = ingest_now(other, added, [an_activity("9")])
    with other.writing() as tx:
        tx.moderation.audit.note(NOON, "test", "looked", "here", {})
    assert (added.id, stored.new) == (2, 1)
    with other.reading() as tx:
        assert [item.id for item in tx.stream.activities.page(Query(limit=10)).items] == [4, 3, 2, 1]


def _instance(store: Store) -> str:
    with store.reading() as tx:
        return tx.stream.state.instance()


def test_nobody_else_writes_during_an_import(sqlite_store: Store, postgresql_store: Store) -> None:
    add_source(sqlite_store, "news")
    lines = io.BytesIO(exported(sqlite_store))
    refused: list[bool] = []

    def read_line(size: int) -> bytes:
        with postgresql_store.engine.connect() as connection, connection.begin():
            connection.execute(text("SET LOCAL lock_timeout = '50ms'"))
            if not refused:
                with pytest.raises(OperationalError, match="lock timeout"):
                    connection.execute(text("UPDATE source SET name = 'other'"))
                refused.append(True)
        return lines.readline(size)

    load(postgresql_store.engine, read_line)
    assert refused


def test_a_database_in_use_takes_no_import(store: Store, other: Store) -> None:
    add_source(store, "news")
    add_source(other, "theirs")
    with pytest.raises(BadRequestError, match="in use"):
        imported(other, exported(store))
    with other.reading() as tx:
        assert [source.slug for source in tx.polling.sources.each()] == ["theirs"]


def damaged(content: bytes) -> Iterator[tuple[str, bytes]]:
    lines = content.splitlines(keepends=True)
    yield "empty", b""
    yield "cut", content[: len(content) // 2]
    yield "without its end", b"".join(lines[:-1])
    yield "another program's", b'{"format":9}\n'
    yield "a list first", b"[1]\n"
    yield "no JSON", b"<html>\n"
    yield "nested", b"[" * 100_000 + b"\n"
    yield "of another schema", content.replace(lines[0], b'{"format":1,"schema":"9999"}\n', 1)
    yield "a row less", b"".join(line for line in lines if b'"news"' not in line)
    yield "a changed word", content.replace(b"Source news", b"Source lies", 1)
    yield "a value less", content.replace(b'["slug"', b'["snail"', 1) if b'["slug"' in content else lines[0] + b"[]\n"
    yield "another table", content.replace(b'"table":"source"', b'"table":"sourc"', 1)


@pytest.mark.parametrize("number", range(12))
def test_damaged_exports_are_refused_and_store_nothing(store: Store, other: Store, number: int) -> None:
    add_source(store, "news", name="Source news")
    with other.reading() as tx:
        before = tx.stream.state.instance()
    name, content = list(damaged(exported(store)))[number]
    with pytest.raises(BadRequestError):
        imported(other, content)
    with other.reading() as tx:
        assert tx.polling.sources.count() == 0, name
        assert tx.stream.state.instance() == before


def with_value(content: bytes, column: str, value: object) -> bytes:
    """Return an export with another value in its first source, and the right checksum."""
    lines = content.splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if b'"table":"source"' in line)
    row = json.loads(lines[at + 1])
    row[json.loads(lines[at])["columns"].index(column)] = value
    lines[at + 1] = json.dumps(row).encode() + b"\n"
    body = b"".join(lines[:-1])
    return body + json.dumps({"end": 0, "sha256": hashlib.sha256(body).hexdigest()}).encode() + b"\n"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param("created", 5, id="a number for a time"),
        pytest.param("created", "soon", id="a word for a time"),
        pytest.param("created", "2026-01-01T00:00:00", id="a time without a zone"),
        pytest.param("slug", None, id="nothing"),
        pytest.param("slug", {"secret": "s3cret"}, id="an object for a text"),
        pytest.param("id", "s3cret", id="a text for a number"),
        pytest.param("id", 2**70, id="a number out of range"),
    ],
)
def test_values_that_a_table_does_not_take_are_refused_and_not_shown(
    store: Store, other: Store, column: str, value: object
) -> None:
    add_source(store, "news")
    content = with_value(exported(store), column, value)
    with pytest.raises(BadRequestError, match=r"export is damaged: .* source") as caught:
        imported(other, content)
    assert "s3cret" not in str(caught.value)
    with other.reading() as tx:
        assert tx.polling.sources.count() == 0


def test_characters_that_postgresql_refuses_are_replaced(sqlite_store: Store, postgresql_store: Store) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store, "news"), [an_activity("1")])
    with sqlite_store.engine.connect().execution_options(writing=True) as connection, connection.begin():
        connection.execute(text("UPDATE source SET name = 'a' || char(0) || 'b'"))
        connection.execute(text("UPDATE activity SET detail = :detail"), {"detail": r'{"\ud800":["a\u0000b\udfff"]}'})
    content = exported(sqlite_store)
    imported(postgresql_store, content)
    assert exported(postgresql_store) == content
    with postgresql_store.engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM source")).scalar() == "a\ufffdb"
        assert connection.execute(text("SELECT detail FROM activity")).scalar() == {"\ufffd": ["a\ufffdb\ufffd"]}


def test_an_export_is_of_one_moment(store: Store) -> None:
    for number in range(3):
        add_source(store, f"s{number}")
    lines: list[bytes] = []

    def write(line: bytes) -> None:
        if len(lines) == 3:  # the first tables are read
            add_source(store, "later")
        lines.append(line)

    if store.engine.dialect.name == "sqlite":
        dump(store.engine, lines.append)
        add_source(store, "later")
    else:
        dump(store.engine, write)
    assert not any(b'"later"' in line for line in lines[1:] if line.startswith(b"["))


def test_the_commands_move_an_installation(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_source(sqlite_store, "news", policy=Policy.HOLD)
    monkeypatch.setenv("AGGREGATOR_DATABASE_URL", sqlite_store.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("AGGREGATOR_DATA_DIR", str(tmp_path))
    path = tmp_path / "all.jsonl.gz"
    done = CliRunner().invoke(export, [str(path)])
    assert done.exit_code == 0, done.output
    assert "1 source, 0 items" in done.output
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(gzip.decompress(path.read_bytes()).splitlines()[0])["format"] == 1
    assert "exists already" in str(CliRunner().invoke(export, [str(path)]).exception)
    monkeypatch.setenv("AGGREGATOR_DATABASE_URL", f"sqlite:///{tmp_path / 'new.sqlite3'}")
    done = CliRunner().invoke(import_, [str(path)])
    assert done.exit_code == 0, done.output
    assert "imported and compared" in done.output
    assert "in use" in str(CliRunner().invoke(import_, [str(path)]).exception)
    assert "can't be read" in str(CliRunner().invoke(import_, [str(tmp_path / "missing")]).exception)


def test_a_damaged_compressed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGGREGATOR_DATABASE_URL", f"sqlite:///{tmp_path / 'new.sqlite3'}")
    monkeypatch.setenv("AGGREGATOR_DATA_DIR", str(tmp_path))
    packed = gzip.compress(random.Random(1).randbytes(50).hex().encode() * 20)
    (tmp_path / "damaged.gz").write_bytes(packed[:12] + b"\xff" * 30 + packed[42:])
    problem = CliRunner().invoke(import_, [str(tmp_path / "damaged.gz")]).exception
    assert isinstance(problem, BadRequestError)
    assert "damaged.gz can't be read" in str(problem)


def test_a_failed_export_leaves_no_file(sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGGREGATOR_DATABASE_URL", sqlite_store.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("AGGREGATOR_DATA_DIR", str(tmp_path))

    def stopped(_store: Store, write: Callable[[bytes], object]) -> None:
        write(b'{"format":1}\n')
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "dump", stopped)
    for name in ("all.jsonl", "all.jsonl.gz"):
        assert CliRunner().invoke(export, [str(tmp_path / name)]).exit_code
        assert not (tmp_path / name).exists()


def test_now_is_no_part_of_an_export(store: Store) -> None:
    assert datetime.now(UTC).isoformat()[:10].encode() not in exported(store)
