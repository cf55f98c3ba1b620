"""Print results: aligned columns for people, one JSON object per line for programs."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import asdict, is_dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from aggregator.text.durations import spoken

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aggregator.domain.source import Source

_WIDE = frozenset("WF")  # East Asian widths that take two columns


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows below a header with aligned columns; the last column has no fixed width."""
    table = [list(head), *(list(row) for row in rows)]
    widths = [max(_width(row[column]) for row in table) for column in range(len(head))]
    for number, row in enumerate(table):
        padded = [cell + " " * (width - _width(cell)) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
        line = "  ".join([*padded, row[-1]]).rstrip()
        click.echo(click.style(line, bold=True) if number == 0 else line)


def print_json(value: object) -> None:
    """Print a value as one line of JSON."""
    click.echo(json.dumps(asdict(value) if is_dataclass(value) and not isinstance(value, type) else value,
                          ensure_ascii=False, default=_plain))  # fmt: skip


def ago(moment: datetime | None, now: datetime) -> str:
    """Format an instant relative to now: "3 min ago", "in 12 s", "never"."""
    if moment is None:
        return "never"
    span = timedelta(seconds=round((now - moment).total_seconds()))
    return f"{spoken(span)} ago" if span >= timedelta() else f"in {spoken(-span)}"


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in _WIDE else 1 for char in text
    )


def _plain(value: Any) -> str:  # noqa: ANN401  # any value that json does not support
    return value.isoformat() if isinstance(value, datetime) else str(value)


def source_facts(source: Source) -> dict[str, object]:
    """Return the JSON fields of a source."""
    return {
        "slug": source.slug,
        "name": source.name,
        "kind": source.kind,
        "address": source.address,
        "state": source.state.value,
        "state_reason": source.state_reason,
        "policy": source.policy.value,
        "every": source.every.total_seconds() if source.every else None,
        "interval": source.poll.interval.total_seconds(),
        "next_poll": source.poll.due,
        "next_reason": source.poll.due_reason,
        "failures": source.poll.failures,
        "last_polled": source.poll.last_polled,
        "last_success": source.poll.last_success,
        "last_new": source.poll.last_new,
        "last_error": source.poll.last_error,
        "last_error_code": source.poll.last_error_code,
        "document_note": source.poll.document_note,
        "newest_id": newest_id(source),
        "dollars_a_day": source.poll.daily_cost,
    }


def newest_id(source: Source) -> str | None:
    """Return the highest id read from a source whose network has numeric post ids."""
    known = [source.poll.fetch_state.get(name) for name in ("high_id", "since_id")]
    return max((str(id_) for id_ in known if str(id_).isdigit()), key=int, default=None)
