"""Faults that come from a source, from messages and from visitors."""

from __future__ import annotations

import base64
import json
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tests.faults.injection.stage import READERS
from tests.processes import eventually

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from tests.faults.injection.stage import Stage

LISTENERS = 1500
MOST_DEATHS = 3  # of the processes that poll one source, until it is set aside
_SET_ASIDE = "SELECT last_error_code FROM source WHERE address LIKE '%/deadly.xml'"


@contextmanager
def deadly_source(stage: Stage, _: random.Random) -> Iterator[None]:
    """Let each process that polls one source die, until that source alone is set aside."""
    before = stage.deadly.deaths
    stage.deadly.armed = True
    eventually("the source is set aside", lambda: stage.database.ask(_SET_ASIDE) == [("worker-lost",)], patience=120)
    deaths = stage.deadly.deaths - before
    stage.deadly.armed = False
    if deaths > MOST_DEATHS:
        raise AssertionError(f"a source killed {deaths} processes before it was set aside")
    lost = stage.database.ask("SELECT slug FROM source WHERE last_error_code = 'worker-lost'")
    if len(lost) != 1:
        raise AssertionError(f"set aside beside the one that kills: {lost}")
    yield
    with stage.operator.store.writing() as tx:
        source = tx.polling.sources.get(str(lost[0][0]))
        if source is not None:
            tx.polling.schedule.ask([source.id], stage.operator.clock())
    eventually("it is polled again", lambda: stage.database.ask(_SET_ASIDE) == [(None,)])


@contextmanager
def poisoned(stage: Stage, _: random.Random) -> Iterator[None]:
    """Put messages that nobody can process into all queues."""
    client = stage.broker.client()
    prefix = f"aggregator:{stage.operator.installation()}:"
    for queue in ("feeds", "api", "control"):
        for message in _poison(queue):
            client.lpush(f"{prefix}{queue}", message)
    yield


def _poison(queue: str) -> list[bytes]:
    return [
        _message(queue, "poll", [["x"], 5]),
        _message(queue, "poll", [[2**70, -1, None], "no such token"]),
        _message(queue, "poll", []),
        _message(queue, "no such task", []),
        _message(queue, "dispatch", [1, 2, 3]),
        _message(queue, "release", [{"a": 1}, None, "x"]),
        _message(queue, "poll", [], content="application/x-python-serialize"),
        _message(queue, "poll", [[1] * 1000, "t"]),
        _message(queue, "poll", [], body="%%%"),
    ]


def _message(
    queue: str, task: str, arguments: list[Any], *, content: str = "application/json", body: str | None = None
) -> bytes:
    text = json.dumps([arguments, {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    properties = {
        "correlation_id": uuid4().hex,
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": uuid4().hex,
    }
    message = {
        "body": base64.b64encode(text.encode()).decode() if body is None else body,
        "content-encoding": "utf-8",
        "content-type": content,
        "headers": {"lang": "py", "task": task, "id": uuid4().hex, "root_id": None, "argsrepr": "", "kwargsrepr": ""},
        "properties": properties,
    }
    return json.dumps(message).encode()


@contextmanager
def deaf_listeners(stage: Stage, chance: random.Random) -> Iterator[None]:
    """Open many event streams that are never read."""
    reader = chance.choice(READERS)
    port = stage.ports[reader]
    open_: list[socket.socket] = []
    try:
        with suppress(OSError):
            for _ in range(LISTENERS):
                listener = socket.create_connection(("127.0.0.1", port), timeout=5)
                open_.append(listener)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                listener.sendall(b"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        yield
    finally:
        for listener in open_:
            listener.close()
        eventually("the reader has noticed", lambda: stage.is_up(reader))
