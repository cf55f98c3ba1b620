"""Test the OpenAPI document with tools: generated requests and a generated client."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks as conformance

from tests.reader import specimens

if TYPE_CHECKING:
    from storage.store import Store
    from tests.reader.serving import Reader

REQUESTS = int(os.environ.get("GENERATED_REQUESTS", "5000"))
CHECKS = [
    checks.not_a_server_error,
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_schema_conformance,
]
FEEDS = ("application/atom+xml", "application/rss+xml")
ENDLESS = "/api/v1/live"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the tool leaves a socket open
def test_thousands_of_generated_requests_cause_no_fault(sqlite_store: Store, sqlite_reader: Reader) -> None:
    """Valid and invalid ones; every response is documented, and none is an internal error."""
    specimens.fill(sqlite_store, "https://pictures.example")
    schema = schemathesis.openapi.from_url(f"{sqlite_reader.address}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    requested = [item for item in operations if item.path != ENDLESS and list(item.iter_parameters())]
    total = {"asked": 0}
    for operation in requested:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _ask_many(operation, mode, REQUESTS // (2 * len(requested)) + 1, total, sqlite_reader)
    while total["asked"] < REQUESTS:  # some operations have few variants; the stream has more than enough
        _ask_many(requested[0], GenerationMode.POSITIVE, REQUESTS - total["asked"], total, sqlite_reader)
    print(f"{total['asked']} generated requests")
    assert total["asked"] >= REQUESTS


def _ask_many(operation: Any, mode: GenerationMode, count: int, total: dict[str, int], reader: Reader) -> None:
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def ask(case: Any) -> None:
        if "wait" in (case.query or {}):
            case.query["wait"] = 0  # it would wait, rightly
        total["asked"] += 1
        slim = "fields" in (case.query or {})  # items that are no longer whole
        answer = case.call(base_url=reader.address, session=session, timeout=60)
        case.validate_response(answer, checks=CHECKS[:-1] if slim else CHECKS)

    with requests.Session() as session, suppress(Unsatisfiable):  # nothing bad can be asked where nothing can be asked
        ask()


def test_a_client_made_from_the_document_reads_the_stream(
    sqlite_store: Store, sqlite_reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specimens.fill(sqlite_store, "https://pictures.example")
    document = tmp_path / "openapi.json"
    document.write_bytes(sqlite_reader.ask("/openapi.json").body)
    config = tmp_path / "config.json"  # feeds are no JSON: it gives them as they are
    config.write_text(json.dumps({"content_type_overrides": dict.fromkeys(FEEDS, "text/plain")}))
    command = [
        Path(sys.executable).with_name("openapi-python-client"),
        "generate",
        "--path",
        document,
        "--config",
        config,
        "--meta",
        "none",
    ]
    made = subprocess.run(
        [
            *map(str, command),
            "--meta",
            "none",
            "--output-path",
            str(tmp_path / "generated_client"),
            "--fail-on-warning",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        # It tidies with ruff, and prints with rich.
        env={**os.environ, "PYTHONPATH": "", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )
    assert made.returncode == 0, made.stdout + made.stderr

    monkeypatch.syspath_prepend(tmp_path)
    made_by_it = importlib.import_module("generated_client").Client(base_url=sqlite_reader.address)
    ask = importlib.import_module("generated_client.api.stream.list_activities").sync
    kinds = importlib.import_module("generated_client.models.list_activities_kind_item").ListActivitiesKindItem
    follow = importlib.import_module("generated_client.api.stream.list_changes").sync
    with made_by_it as client:
        page = ask(client=client, kind=[kinds.REPOST], limit=5)
        changes = follow(client=client, after=0)
    assert [item.actor.handle for item in page.items] == ["opengovpart"]
    assert page.items[0].object_.actor.handle == "OpenGovHub"
    assert {type(change).__name__ for change in changes.changes} == {"ActivityChange", "SourceChange", "ActorChange"}
    assert json.loads(document.read_text())["openapi"].startswith("3.1")
