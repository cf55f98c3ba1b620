"""Ask readers for pages as independent clients do: `python -m tests.faults.injection.visitor PORT... ` prints answers.

A process of its own, so that the drill's other work does not delay it. Each line is a JSON list: the time (monotonic)
of the request, the reader's port, whether the address is cached, the status (0: no answer), the seconds until the end
of the answer, and the native ids of the items shown.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time

import aiohttp

PAUSE = 0.2  # seconds between two requests of a client
CACHED = ("/", "/api/v1/activities", "/feed.rss", "/feed.json")
STREAM = CACHED[1]
LONGEST = 20.0  # seconds


async def _ask(session: aiohttp.ClientSession, port: int, path: str, *, cached: bool) -> None:
    began, status, ids = time.monotonic(), 0, []
    try:
        async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
            body = await answer.read()
            status = answer.status
        if path == STREAM and status == 200:
            ids = [item["native_id"] for item in json.loads(body)["items"]]
    except (aiohttp.ClientError, OSError, TimeoutError):
        status = 0
    print(json.dumps([began, port, cached, status, round(time.monotonic() - began, 4), ids]), flush=True)


async def _visit(session: aiohttp.ClientSession, port: int) -> None:
    """Ask for a cached and another address all the time, without waiting for answers that are late."""
    asking: set[asyncio.Task[None]] = set()
    for number in itertools.count():
        others = (f"/api/v1/activities?q=word{number}", f"/activities/{10**9 + number}", "/readyz")
        for path, cached in ((CACHED[number % len(CACHED)], True), (others[number % len(others)], False)):
            task = asyncio.create_task(_ask(session, port, path, cached=cached))
            asking.add(task)
            task.add_done_callback(asking.discard)
        await asyncio.sleep(PAUSE)


async def _main(ports: list[int]) -> None:
    limit = aiohttp.ClientTimeout(total=LONGEST)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(timeout=limit, connector=connector) as session:
        await asyncio.gather(*(_visit(session, port) for port in ports))


if __name__ == "__main__":
    asyncio.run(_main([int(port) for port in sys.argv[1:]]))
