"""Check that items hidden at one reader's desk leave another reader's outputs within two seconds, as processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from aggregator.config import passwords
from aggregator.domain.access.accounts import Role
from tests.building import add_source, an_activity, ingest_now
from tests.reader.serving import Reader
from tests.reader.test_sse import listening
from tests.review.conftest import PASSWORD, Visitor
from tests.review.test_queue import marks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage.store import Store

PATHS = ("/", "/api/v1/activities", "/feed.rss", "/feed.atom", "/feed.json", "/activities/1.as2", "/?q=zanzibar")
WORD = "Zanzibar"
WITHIN = 10.0  # seconds; two on an idle machine


def _answers(port: int) -> bool:
    try:
        urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
    except (URLError, OSError):
        return False
    return True


@contextmanager
def reading(store: Store, folder: Path) -> Iterator[Reader]:
    """Run 'aggregator serve' as a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = {
        **os.environ,
        "AGGREGATOR_DATABASE_URL": store.engine.url.render_as_string(hide_password=False),
        "AGGREGATOR_LISTEN": f"127.0.0.1:{port}",
        "AGGREGATOR_DATA_DIR": str(folder),
        "AGGREGATOR_SECRET_KEY": "the-same-for-both-of-the-readers-of-the-test",
    }
    with subprocess.Popen([sys.executable, "-m", "aggregator", "serve"], env=environ) as process:
        try:
            while not _answers(port):
                assert process.poll() is None
                time.sleep(0.05)
            yield Reader(port)
        finally:
            process.terminate()


@pytest.mark.long
@pytest.mark.xdist_group("stack")
def test_hiding_reaches_every_output_of_every_reader(postgresql_store: Store, tmp_path: Path) -> None:
    store = postgresql_store
    source = add_source(store)
    ingest_now(store, source, [an_activity("1", title=WORD), an_activity("2")])
    with store.writing() as tx:
        tx.access.accounts.add("ana", Role.REVIEWER, passwords.hashed(PASSWORD), tx.polling.sources.page(1)[0].created)
        revision = tx.stream.state.revision()
    with ExitStack() as stack:
        readers = [stack.enter_context(reading(store, tmp_path)) for _ in range(2)]
        listeners = [stack.enter_context(listening(reader)) for reader in readers]
        ana = Visitor(readers[0].address)
        assert ana.sign_in("ana").status == 303
        pages = [(reader, path) for reader in readers for path in PATHS]
        assert [path for reader, path in pages if WORD not in reader.ask(path).text] == []
        mark = marks(ana.get("/review?pile=published").text)[1]

        ana.post("/review/decide", {"one": f"hide {mark} 4"})
        start = time.monotonic()
        left = dict.fromkeys(pages, 0.0)
        while left:
            for reader, path in list(left):
                if WORD not in reader.ask(path).text:
                    left.pop((reader, path))
            assert time.monotonic() - start < WITHIN, [path for _, path in left]
        print(f"gone from {len(pages)} outputs after {time.monotonic() - start:.2f} s")
        for reader, listener in zip(readers, listeners, strict=True):
            name, _, data = listener.next()
            assert (name, data["id"]) == ("gone", "1")
            assert reader.ask("/api/v1/activities/1").status == 410
            changes = reader.ask(f"/api/v1/changes?after={revision}").json["changes"]
            assert [change["id"] for change in changes if change["type"] == "gone"] == ["1"]
