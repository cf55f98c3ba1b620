"""Test what is read from hostile events of Jetstream, and its setting."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.config.settings import Settings
from aggregator.domain.errors import (
    SettingsError,
)
from aggregator.source_api.push import (
    Reached,
)
from aggregator.sources.bluesky.jetstream import event_record, events_in
from aggregator.sources.bluesky.plugin import KIND
from aggregator.sources.bluesky.push import PUBLIC_JETSTREAM
from tests.sources.bluesky.jetstream_server import post_event
from tests.sources.bluesky.server import ADA, POSTS

if TYPE_CHECKING:
    from collections.abc import Iterator


POST = f"at://{ADA}/{POSTS}/3kpost"
TIME_US = 1_793_527_200_000_000

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=10), children, max_size=3),
    max_leaves=10,
)


def _places(record: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in record.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from _places(value, (*path, name))


def _replaced(record: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    first, *rest = path
    return {**record, first: _replaced(record[first], tuple(rest), value) if rest else value}


_SAMPLES: dict[str, dict[str, Any]] = {
    "post": {**post_event(ADA), "time_us": TIME_US},
    "delete": {**post_event(ADA, operation="delete"), "time_us": TIME_US},
    "account": {
        "did": ADA,
        "time_us": TIME_US,
        "kind": "account",
        "account": {"active": False, "did": ADA, "seq": 1, "status": "deleted", "time": "2026-11-01T10:00:00.000Z"},
    },
    "identity": {
        "did": ADA,
        "time_us": TIME_US,
        "kind": "identity",
        "identity": {"did": ADA, "handle": "ada.example", "seq": 1, "time": "2026-11-01T10:00:00.000Z"},
    },
}


@given(value=_JSON)
@pytest.mark.parametrize(
    ("sample", "path"),
    [(name, path) for name, sample in _SAMPLES.items() for path in _places(sample)],
    ids=lambda part: part if isinstance(part, str) else ".".join(part),
)
def test_any_value_at_any_place_is_read_or_left_out(sample: str, path: tuple[str, ...], value: Any) -> None:
    record = event_record(json.dumps(_replaced(_SAMPLES[sample], path, value)))
    assert record is not None
    for event in events_in(record, {ADA}):
        assert not isinstance(event, Reached)
        assert event.native_id in {ADA, POST} or event.native_id.startswith(f"at://{ADA}/{POSTS}/")


@pytest.mark.parametrize("key", ["..", "a/b", "", "x" * 200, "a b", None, 7, ["3k"]])
def test_a_record_with_an_invalid_key_is_left_out(key: Any) -> None:
    assert not list(events_in({**post_event(ADA, rkey=key), "time_us": TIME_US}, {ADA}))


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("no", ""),
        ("Yes", PUBLIC_JETSTREAM.replace("wss:", "https:")),
        ("wss://jetstream.example", "https://jetstream.example/subscribe"),
        ("wss://jetstream.example/own/path", "https://jetstream.example/own/path"),
        ("ws://127.0.0.1:6008", "http://127.0.0.1:6008/subscribe"),
    ],
)
def test_the_setting_names_a_server(value: str, address: str) -> None:
    settings = Settings.from_environment({"AGGREGATOR_BLUESKY_JETSTREAM": value})
    assert settings.kinds["bluesky_jetstream"] == address
    assert KIND.is_push_enabled(settings.kinds) is bool(address)


@pytest.mark.parametrize(
    "value",
    [
        "maybe",
        "jetstream.example",
        "https://jetstream.example",
        "ws://jetstream.example",
        "wss://",
        "wss://a.example/?x=1",
    ],
)
def test_an_invalid_setting_is_explained(value: str) -> None:
    with pytest.raises(SettingsError, match=r"AGGREGATOR_BLUESKY_JETSTREAM.*wss address"):
        Settings.from_environment({"AGGREGATOR_BLUESKY_JETSTREAM": value})
