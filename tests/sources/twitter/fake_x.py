"""Simulate an X with scripted responses, and build the context of its polls."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import threading
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self, cast

from aggregator.domain.errors import PausedError, SourceError
from aggregator.domain.polling.host_limits import HostTurn
from aggregator.domain.polling.results import Discovery, Failure, FetchResult, PollOutcome
from aggregator.domain.secrets import Secret
from aggregator.domain.source import Policy, PollState, Source, SourceState
from aggregator.source_api.kind import PollContext
from aggregator.sources.twitter.plugin import KIND

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import TracebackType

    from aggregator.fetching.client import Http

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TOKEN = "secret-token-7f3a"


class Turns:
    """The port that keeps hosts quiet, for one process."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.endpoints: list[str] = []
        self.at_once = 0
        self.paused: dict[str, datetime] = {}

    @asynccontextmanager
    async def acquire(self, host: str, endpoint: str = "") -> AsyncIterator[HostTurn]:
        if host + endpoint in self.paused:
            raise PausedError(f"{host} is paused", until=self.paused[host + endpoint])
        self.taken.append(host)
        self.endpoints.append(endpoint)
        self.at_once += 1
        assert self.at_once == 1
        try:
            yield HostTurn()
        finally:
            self.at_once -= 1

    async def pause(self, host: str, until: datetime | None, reason: str, endpoint: str = "") -> datetime:
        assert reason
        self.paused[host + endpoint] = until or NOW + timedelta(minutes=15)
        return self.paused[host + endpoint]


class FakeX:
    """Answers every request with `reply`; handles no more of HTTP than the test requires."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body: bytes | Callable[[BaseHTTPRequestHandler], None] = b"{}"
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.was_asked = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                fake.was_asked.set()
                self.send_response(fake.status)
                for name, value in fake.headers.items():
                    self.send_header(name, value)
                with contextlib.suppress(OSError):  # the client hangs up on some of these answers
                    if callable(fake.body):
                        fake.body(self)
                    else:
                        self.send_header("Content-Length", str(len(fake.body)))
                        self.end_headers()
                        self.wfile.write(fake.body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's own name
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    def says(self, *, status: int = 200, headers: dict[str, str] | None = None, **body: Any) -> None:
        self.status, self.headers, self.body = status, headers or {}, json.dumps(body).encode()


def context(
    base: str, *, token: str = TOKEN, rate_limiter: Turns | None = None, deadline: float = float("inf")
) -> PollContext:
    return PollContext(
        http=cast("Http", None),  # X is not asked through the client for feeds
        clock=lambda: NOW,
        rate_limiter=rate_limiter or Turns(),
        settings={"x_bearer_token": Secret(token) if token else None, "x_base_url": base},
        deadline=deadline,
    )


_POLLING = frozenset(field.name for field in dataclasses.fields(PollState))


def source(number: int = 1, *, user_id: str = "150000001", **changes: Any) -> Source:
    made = Source(
        id=number,
        slug=f"desk-{number}",
        name="Desk",
        kind="twitter",
        address="@desk_example",
        host="x",
        options={"user_id": user_id},
        policy=Policy.AUTO,
        state=SourceState.ACTIVE,
        state_reason="",
        every=timedelta(minutes=5),
        floor=timedelta(minutes=5),
        created=NOW,
        revision=1,
        poll=PollState(
            due=NOW,
            due_reason="",
            failures=0,
            fetch_state={},
        ),
    )
    polling = {name: changes.pop(name) for name in _POLLING & changes.keys()}
    return dataclasses.replace(made, poll=dataclasses.replace(made.poll, **polling), **changes)


def polled(sources: list[Source], ctx: PollContext) -> list[PollOutcome]:
    async def collect() -> list[PollOutcome]:
        return [outcome async for outcome in KIND.poll(sources, ctx)]

    return asyncio.run(collect())


def poll(made: Source, ctx: PollContext) -> FetchResult:
    (outcome,) = polled([made], ctx)
    assert isinstance(outcome.outcome, FetchResult), outcome.outcome
    return outcome.outcome


def failure(made: Source, ctx: PollContext) -> SourceError:
    (outcome,) = polled([made], ctx)
    assert isinstance(outcome.outcome, Failure), outcome.outcome
    assert outcome.outcome.facts is not None
    assert TOKEN not in str(outcome.outcome.error)
    return outcome.outcome.error


def discovered(address: str, ctx: PollContext) -> Discovery | None:
    return asyncio.run(KIND.discover(address, ctx))


def failure_without_facts(made: Source, ctx: PollContext) -> SourceError:
    (outcome,) = polled([made], ctx)
    assert isinstance(outcome.outcome, Failure)
    return outcome.outcome.error
