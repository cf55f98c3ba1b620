"""`export` and `import`: the whole installation as a file, to move it between databases."""

from __future__ import annotations

import gzip
import sys
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import click

from aggregator.cli.context import opened
from aggregator.config.process_lock import writer_lock
from aggregator.config.settings import Settings
from aggregator.domain.errors import BadRequestError
from aggregator.system import private_files
from aggregator.text.plain import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
def export(file: Path) -> None:
    """Export everything to a FILE, or to standard output with "-".

    The file has all sources, items, decisions, accounts and tokens, as they are at one moment; others may write
    meanwhile. A name that ends in ".gz" compresses it. Keep it secret, and keep AGGREGATOR_SECRET_KEY with it: the
    credentials of sources are encrypted with it.
    """
    with opened() as container, _written(file) as output:
        _report("exported", container.store.dump(output.write))


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
def import_(file: Path) -> None:
    """Import an export of the same version into a new database.

    FILE "-" is standard input. The database of the settings must have no sources, items or accounts yet. The stored
    rows are compared with the export, and nothing is stored if it differs. Stop workers, and set the same
    AGGREGATOR_SECRET_KEY.
    """
    from aggregator.container import Container

    settings = Settings.from_environment()
    with writer_lock(settings):
        if settings.embedded_database:
            container = Container(settings)
            container.migrate()
            container.close()
        with opened(settings) as container, _read(file) as source:
            _report("imported and compared", container.store.load(source.readline))


def _report(word: str, rows: Mapping[str, int]) -> None:
    parts = (("source", "source"), ("activity", "item"), ("audit", "decision"), ("account", "user"))
    numbers = ", ".join(counted(rows[name], noun) for name, noun in parts)
    click.echo(f"{numbers}; {counted(sum(rows.values()), 'row')} {word}.", err=True)


@contextmanager
def _written(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdout.buffer
        return
    try:
        # Path.open has no opener.
        with open(file, "xb", opener=private_files.opener) as plain, _deleted_on_failure(file):
            if file.suffix != ".gz":
                yield plain
                return
            with gzip.GzipFile("", mode="wb", fileobj=plain, mtime=0) as packed:
                yield cast("BinaryIO", packed)
    except FileExistsError:
        raise BadRequestError(f"{file} exists already.") from None
    except OSError as problem:
        raise BadRequestError(f"{file} can't be written: {problem.strerror or problem}.") from None


@contextmanager
def _deleted_on_failure(file: Path) -> Iterator[None]:
    """Leave no file that looks like an export but is incomplete."""
    try:
        yield
    except BaseException:
        file.unlink(missing_ok=True)
        raise


@contextmanager
def _read(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as source:
            yield cast("BinaryIO", source)
    except (OSError, EOFError, zlib.error) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else ""
        raise BadRequestError(f"{file} can't be read: {reason or problem}.") from None
