"""A farm of feeds in a process of its own, so that serving costs the measured process nothing.

`python -m bench.farm FEEDS ENTRIES` prints its port and serves `/N.xml` on loopback: ETags when asked with
`/conditional/N.xml`, never any with `/plain/N.xml`. `POST /grow/PERCENT` gives that share of the feeds one entry more.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEWEST = datetime(2026, 1, 1, tzinfo=UTC)
_WORDS = ("open", "government", "partnership", "action", "plan", "budget", "data", "audit", "forum", "council")


def _entry(feed: int, number: int) -> str:
    words = " ".join(_WORDS[(feed + number + step) % len(_WORDS)] for step in range(120))
    moment = format_datetime(_NEWEST - timedelta(hours=feed % 24) + timedelta(minutes=number))
    return (
        f"<item><guid isPermaLink='false'>{feed}-{number}</guid><title>Entry {number} of feed {feed}</title>"
        f"<link>https://site{feed}.example/{number}?utm_source=rss</link><pubDate>{moment}</pubDate>"
        f"<description><![CDATA[<p>{words} <a href='/more'>more</a></p><p style='x'>{words}</p>"
        f"<img src='/p.png' alt='A picture'>]]></description><category>open data</category></item>"
    )


def _feed(feed: int, first: int, last: int) -> bytes:
    entries = "".join(_entry(feed, number) for number in range(last, first - 1, -1))
    return (
        f"<?xml version='1.0'?><rss version='2.0'><channel><title>Feed {feed}</title>"
        f"<link>https://site{feed}.example/</link><description>Bench</description>{entries}</channel></rss>"
    ).encode()


def _app(feeds: int, entries: int) -> web.Application:
    bodies = {number: _feed(number, 1, entries) for number in range(feeds)}
    grown = dict.fromkeys(bodies, 0)

    async def serve(request: web.Request) -> web.Response:
        body = bodies[int(request.match_info["number"])]
        if request.match_info["how"] == "plain":
            return web.Response(body=body, content_type="application/rss+xml")
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=body, content_type="application/rss+xml", headers={"ETag": etag})

    async def grow(request: web.Request) -> web.Response:
        for number in range(0, feeds, max(1, 100 // int(request.match_info["percent"]))):
            grown[number] += 1
            bodies[number] = _feed(number, 1 + grown[number], entries + grown[number])
        return web.Response(text="grown")

    app = web.Application()
    app.router.add_get("/{how}/{number}.xml", serve)
    app.router.add_post("/grow/{percent}", grow)
    return app


@contextmanager
def farm(feeds: int, entries: int) -> Iterator[str]:
    """Give the farm's address."""
    command = [sys.executable, "-m", "bench.farm", str(feeds), str(entries)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _said(text: str) -> None:
    """Say the port, and nothing of aiohttp's banner about it."""
    if "127.0.0.1" in text:
        print(text.split("127.0.0.1:")[1].split(maxsplit=1)[0], flush=True)


if __name__ == "__main__":
    web.run_app(_app(int(sys.argv[1]), int(sys.argv[2])), host="127.0.0.1", port=0, access_log=None, print=_said)
