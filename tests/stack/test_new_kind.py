"""Check that a new kind of source is one package, and that all features work with it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from tests.deployment.compose import services
from tests.processes import Processes, eventually
from tests.stack.made_up_kind import install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.slow]


def entry(number: int, text: str, watch: str = "night") -> dict[str, Any]:
    return {"id": str(number), "text": text, "watch": watch, "at": f"2026-03-0{number}T10:00:00+00:00"}


class Ship:
    """A server with one logbook."""

    def __init__(self) -> None:
        self.entries = [entry(1, "Left the harbor"), entry(2, "Calm seas", watch="day")]
        ship = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps({"ship": "Hopeful", "entries": ship.entries}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/log.json"


@pytest.fixture
def ship() -> Iterator[Ship]:
    ship = Ship()
    thread = threading.Thread(target=ship.server.serve_forever, daemon=True)
    thread.start()
    yield ship
    ship.server.shutdown()
    thread.join()
    ship.server.server_close()


@pytest.fixture
def stack(tmp_path: Path, postgresql_url: str, redis_url: str) -> Iterator[Processes]:
    install(tmp_path / "site")
    environ = {
        "PYTHONPATH": str(tmp_path / "site"),
        "AGGREGATOR_DATABASE_URL": postgresql_url,
        "AGGREGATOR_BROKER_URL": redis_url,
        "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
        "AGGREGATOR_HOST_SPACING": "0",
        "AGGREGATOR_LOGBOOK_LANGUAGE": "es",
    }
    with Processes(tmp_path, environ) as stack:
        stack.aggregator("migrate")
        yield stack


def page(stack: Processes, path: str) -> str:
    with urlopen(f"http://127.0.0.1:{stack.port}{path}", timeout=20) as response:
        text: str = response.read().decode()
        return text


def test_a_made_up_kind_goes_through_the_whole_stack(stack: Processes, ship: Ship, tmp_path: Path) -> None:
    for service in services().values():
        if service.queues:
            stack.worker(service.name, queues=",".join(service.queues))
    stack.scheduler()
    stack.reader()

    assert "--watch [all|night]" in stack.aggregator("source", "add", "--help").stdout
    assert "AGGREGATOR_LOGBOOK_LANGUAGE" in stack.aggregator("settings").stdout
    assert "a logbook (logbook:https://...)" in stack.aggregator("source", "add", "nothing", code=1).stderr
    stack.aggregator("source", "add", "--watch", "night", "--every", "1", f"logbook:{ship.address}")
    assert "hopeful" in stack.aggregator("source", "list").stdout
    assert [(item["text"], item["lang"]) for item in stack.items()] == [("Left the harbor", "es")]

    refused = stack.aggregator("source", "set", "hopeful", "--watch", "dog", code=2)
    assert "night" in refused.stderr
    stack.aggregator("source", "set", "hopeful", "--watch", "all", "--signed")
    ship.entries.append(entry(3, "Land in sight"))
    texts = {"Left the harbor", "Calm seas", "Land in sight"}
    eventually("the worker polls it", lambda: {item["text"] for item in stack.items()} == texts)

    html = page(stack, "/")
    assert "Captain Ada" in html
    assert "on Harbor" in html
    for path in ("/feed.rss", "/feed.atom", "/feed.json"):
        assert "Land in sight" in page(stack, path), path

    for name in ("sources.toml", "sources.opml"):
        path = str(tmp_path / name)
        stack.aggregator("source", "export", path)
        stack.aggregator("source", "remove", "hopeful", "--items", "keep")
        stack.aggregator("source", "import", path)
        exported = stack.aggregator("source", "export", "--format", "toml").stdout
        assert 'kind = "logbook"' in exported
        assert f'address = "logbook:{ship.address}"' in exported
        assert 'options = { signed = true, watch = "all" }' in exported
