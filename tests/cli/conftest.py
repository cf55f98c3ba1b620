"""Run the command line in this process, on its own SQLite database, with a local publisher."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from aggregator.__main__ import aggregator
from tests.upstream import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage.store import Store


@dataclass
class CommandLine:
    """Runs commands and checks their exit code."""

    environ: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str, code: int = 0, typed: str | None = None) -> Result:
        outside = {name: None for name in os.environ if name.startswith("AGGREGATOR_")}
        result = CliRunner().invoke(aggregator, words, env={**outside, **self.environ}, input=typed)
        assert result.exit_code == code, f"{words}: {result.exit_code}\n{result.output}\n{result.exception!r}"
        return result

    def json(self, *words: str, code: int = 0) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self(*words, "--json", code=code).stdout.splitlines()]


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher(feeds=3, entries=3) as publisher:
        yield publisher


@pytest.fixture
def cli(sqlite_store: Store, tmp_path: Path) -> CommandLine:
    return CommandLine(
        {
            "AGGREGATOR_DATA_DIR": str(tmp_path),
            "AGGREGATOR_DATABASE_URL": sqlite_store.engine.url.render_as_string(hide_password=False),
            "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
            "AGGREGATOR_HOST_SPACING": "0",
        }
    )
