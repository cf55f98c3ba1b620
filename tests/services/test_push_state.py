"""Test the state of streams in status, metrics and doctor, and polls after the end of a stream."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from aggregator.cli.system_lines import system_json, system_lines
from aggregator.config.settings import Settings
from aggregator.domain.polling.pushes import SLOWED, stream_names
from aggregator.reader.metrics.families import system_families
from aggregator.services.push_state import push_states, resume_polls
from aggregator.services.system_facts import read_system_facts
from aggregator.services.system_status import read_status
from storage.tables.polling import source
from tests.building import add_source

if TYPE_CHECKING:
    from pathlib import Path

    from storage.store import Store

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
NAMES = stream_names("bluesky")
MINUTE = timedelta(minutes=1)
CONNECTED = {NAMES.claim: NOW + MINUTE, NAMES.opened: NOW - 5 * MINUTE, NAMES.alive: NOW, NAMES.position: NOW - MINUTE}


def _settings(folder: Path, value: str = "yes") -> Settings:
    return Settings.from_environment({"AGGREGATOR_DATA_DIR": str(folder), "AGGREGATOR_BLUESKY_JETSTREAM": value})


def _put(store: Store, times: dict[str, datetime]) -> None:
    if times:
        with store.writing() as tx:
            tx.polling.pushes.put_times(times)


@pytest.mark.parametrize(
    ("times", "line"),
    [
        (CONNECTED, "Pushed: Bluesky, connected 5 min ago, the newest event from 60 s ago"),
        ({NAMES.claim: NOW + MINUTE}, "Pushed: Bluesky, not connected; the log of the listener says why"),
        ({}, "Pushed: Bluesky, no process listens; start 'aggregator listen'"),
        (
            {**CONNECTED, NAMES.claim: NOW - MINUTE, NAMES.alive: NOW - 2 * MINUTE},
            "Pushed: Bluesky, no process listens, since 2 min ago; start 'aggregator listen'",
        ),
    ],
    ids=["connected", "broken", "never", "killed"],
)
def test_status_has_a_line_for_each_stream(store: Store, tmp_path: Path, times: dict[str, datetime], line: str) -> None:
    _put(store, times)
    found = read_status(store, _settings(tmp_path), NOW, dict)
    [shown] = [text for text in system_lines(found, NOW) if text.startswith("Pushed")]
    assert shown == line
    assert '"network": "bluesky"' in json.dumps(system_json(found)["pushed"], default=str)


def test_a_stream_that_is_not_enabled_is_not_shown(store: Store, tmp_path: Path) -> None:
    _put(store, CONNECTED)
    with store.reading() as tx:
        assert push_states(tx, _settings(tmp_path, "no").kinds, NOW) == []


def test_metrics_tell_whether_a_stream_is_connected(store: Store, tmp_path: Path) -> None:
    _put(store, CONNECTED)
    with store.reading() as tx:
        facts = read_system_facts(tx, _settings(tmp_path), NOW)
    families = {family.name: family.samples for family in system_families(facts)}
    [connected] = families["aggregator_push_connected"]
    [newest] = families["aggregator_push_event_timestamp_seconds"]
    assert (connected.labels, connected.value) == ({"network": "bluesky"}, 1.0)
    assert newest.value == (NOW - MINUTE).timestamp()


@pytest.mark.parametrize(
    ("times", "resumed"),
    [
        ({NAMES.alive: NOW - 2 * MINUTE}, True),
        ({NAMES.alive: NOW - 2 * MINUTE, NAMES.claim: NOW + MINUTE}, False),
        ({NAMES.alive: NOW - MINUTE / 2}, False),
        ({}, False),
    ],
    ids=["ended", "another-listens", "just-now", "never"],
)
def test_polls_are_as_usual_again_a_minute_after_the_last_listener(
    store: Store, times: dict[str, datetime], resumed: bool
) -> None:
    due = NOW + timedelta(hours=1)
    slugs = []
    for number, (kind, reason) in enumerate([("bluesky", SLOWED), ("bluesky", "adaptive"), ("twitter", SLOWED)]):
        made = add_source(store, f"s{number}", kind, address=str(number))
        slugs.append(made.slug)
        with store.engine.begin() as connection:
            changed = {"due": due, "due_reason": f"the publisher asked for 1 h ({reason})"}
            connection.execute(update(source).where(source.c.id == made.id).values(**changed))
    _put(store, times)
    with store.writing() as tx:
        resume_polls(tx, NOW)
    with store.engine.connect() as connection:
        stored = {row.slug: row.due for row in connection.execute(select(source.c.slug, source.c.due))}
    assert [stored[slug] == NOW for slug in slugs] == [resumed, False, False]
    with store.reading() as tx:
        assert (NAMES.alive in tx.polling.pushes.times(NAMES)) is (NAMES.alive in times and not resumed)
