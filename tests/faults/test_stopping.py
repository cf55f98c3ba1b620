"""Check that a reader stops on request while its database hangs."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.engine import make_url

from tests.faults.tcp_proxy import TcpProxy
from tests.processes import Processes

if TYPE_CHECKING:
    from pathlib import Path

    from storage.store import Store

LIMIT = 8.0  # seconds; container managers wait for 10 before they kill


@pytest.mark.slow
@pytest.mark.xdist_group("stack")
def test_a_reader_stops_while_requests_wait_for_a_hung_database(postgresql_store: Store, tmp_path: Path) -> None:
    url = make_url(postgresql_store.engine.url)
    with TcpProxy.before(url.host or "", url.port or 0) as proxy:
        through = url.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
        with Processes(tmp_path, {"AGGREGATOR_DATABASE_URL": through}) as processes:
            processes.reader()
            processes.get("/api/v1/activities?limit=1")
            proxy.hang()
            clients = [threading.Thread(target=_asking, args=(processes,), daemon=True) for _ in range(8)]
            for client in clients:
                client.start()
            _await_attempt(proxy)
            began = time.monotonic()
            assert processes.terminate("reader") == 0
            assert time.monotonic() - began < LIMIT


def _asking(processes: Processes) -> None:
    with suppress(OSError):
        while True:
            with suppress(ValueError):
                processes.get("/api/v1/activities?limit=2")


def _await_attempt(proxy: TcpProxy) -> None:
    """Wait until the reader tries to reach the database again."""
    before, deadline = proxy.accepted, time.monotonic() + 30
    while proxy.accepted == before and time.monotonic() < deadline:
        time.sleep(0.01)
