"""Read a list of sources: OPML of any feed reader, or TOML of `source export`."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from datetime import timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from aggregator.domain.errors import AggregatorError, BadRequestError
from aggregator.services.subscription_lists import opml
from aggregator.services.subscription_lists.toml import entry_of, table_in

if TYPE_CHECKING:
    from aggregator.domain.source import Policy
    from aggregator.services.subscription_lists.toml import Entry, Table

MOST_BYTES = 5 * 1024 * 1024
MOST_SOURCES = 5000
FORMATS = {".toml": "toml", ".opml": "opml", ".xml": "opml"}  # by file extension
_MARKUP = re.compile(rb"[\xef\xbb\xbf\xff\xfe\x00\s]*<")  # after a byte order mark


def read_document(body: bytes, name: str) -> tuple[list[Entry | AggregatorError], int]:
    """Return the entry or the error of each source in a document, and the number of outlines without a feed.

    Args:
        body: the document.
        name: of its file, for messages. Its extension gives the format; without one, the content does.

    Raises:
        BadRequestError: the document as a whole is invalid.
    """
    form = FORMATS.get(PurePath(name).suffix.lower())
    if form == "opml" or (form is None and _MARKUP.match(body)):
        document = opml.read(body, name)
        return [_checked(outline, f"line {outline.line}") for outline in document.outlines], document.nowhere
    if len(body) > MOST_BYTES:
        raise BadRequestError(
            f"{name} is larger than {MOST_BYTES // (1024 * 1024)} MB, the limit for lists of sources."
        )
    try:
        tables = tables_in(body.decode("utf-8-sig"), name)
    except UnicodeError as problem:
        raise BadRequestError(f"{name} can't be read: {problem}.") from None
    if len(tables) > MOST_SOURCES:
        raise BadRequestError(f"{name} has more than {MOST_SOURCES} sources; split it.")
    return [_checked(table, f"source {place}") for place, table in enumerate(tables, 1)], 0


def tables_in(text: str, where: str) -> list[Any]:
    """Return the tables of a TOML document, unchecked.

    Raises:
        BadRequestError: it isn't TOML, or has another shape.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise BadRequestError(f"{where} can't be read: {problem}.") from None
    tables = document.get("source")
    if not isinstance(tables, list) or set(document) != {"source"}:
        raise BadRequestError(f"{where} may contain [[source]] tables only.")
    return tables


def with_policy(entry: Entry | AggregatorError, policy: Policy, delay: int | None) -> Entry | AggregatorError:
    """Return an entry with a policy, unless the document gives one."""
    if isinstance(entry, AggregatorError) or entry.says_policy:
        return entry
    changes = {**entry.changes, "policy": policy.value, "delay": delay}
    return replace(entry, changes=changes, policy=policy, delay=timedelta(seconds=delay) if delay else None)


def _checked(row: Any, where: str) -> Entry | AggregatorError:  # noqa: ANN401  # an outline, or any TOML value
    """Validate one source of a document; an invalid source doesn't affect the others."""
    try:
        return entry_of(_table(row, where) if isinstance(row, opml.Outline) else row, where)
    except BadRequestError as problem:
        return problem


def _table(outline: opml.Outline, where: str) -> Table:
    table = table_in(outline.own, where)
    address = {"address": outline.feed} if outline.feed else {}
    return table | address | ({"name": outline.title} if outline.title else {})
