"""Run a server for the reading bench: `reader URL` is the real reader, `bare JSON` returns as many bytes."""

from __future__ import annotations

import json
import resource
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

import uvicorn
from starlette.responses import JSONResponse

from aggregator.reader.app import create_app
from aggregator.web.http_protocol import BoundedProtocol
from storage.store import Store

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send


def main() -> None:
    what, argument = sys.argv[1:]
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)
    app = reader(argument) if what == "reader" else bare(**json.loads(argument))
    lifespan: Literal["on", "off"] = "on" if what == "reader" else "off"
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        lifespan=lifespan,
    )
    uvicorn.Server(config).run(sockets=[listener])


def reader(url: str) -> ASGIApp:
    app = create_app(
        Store.open(url),
        clock=lambda: datetime.now(UTC),
        public_url=None,
        timezone=ZoneInfo("UTC"),
        locale="en",
        trusted_proxies=(),
    )

    def memory(request: Request) -> JSONResponse:
        del request
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])  # current memory, on Linux
        return JSONResponse({"mb": pages * resource.getpagesize() / 2**20})

    app.add_route("/memory", memory)
    return app


def bare(size: int, headers: list[tuple[str, str]]) -> ASGIApp:
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
    }
    body = {"type": "http.response.body", "body": b" " * size}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send(start)
        await send(body)

    return app


if __name__ == "__main__":
    main()
