"""Serve feeds from a process of its own, so that serving costs the measured process nothing.

`python -m bench.farm FOLDER [GROWN ...]` prints its port and serves the folder's `*.xml` on loopback as `/NAME.xml`.
`POST /grow` switches to the documents of the next folder, and after the last one to the first. `POST /plain` leaves out
validators and ignores conditional requests from then on; `POST /conditional` reverts that.
`write` creates such folders: blogs, link lists and podcasts in RSS 2.0 and Atom, 60 to 100 KB each with 40 entries.
"""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from collections import deque
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NEWEST = datetime(2026, 1, 1, tzinfo=UTC)
_TEXT = """open government partnership action plan budget data audit forum council minister citizen water school road
health court reform vote law record report meeting public money contract city region village library"""
_WORDS = _TEXT.split()
_GROWN = 20  # every 20th feed grows: 5 %


def write(folder: Path, feeds: int, entries: int, *, grown: int = 0) -> None:
    """Write `feeds` documents as they are after `grown` rounds.

    In each round, other feeds get a new entry at the top and lose one at the bottom.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for feed in range(feeds):
        first = 1 + sum((feed + number) % _GROWN == 0 for number in range(grown))
        (folder / f"{feed:04}.xml").write_bytes(_document(feed, first, first + entries - 1))


def _document(feed: int, first: int, last: int) -> bytes:
    entry, frame = (_atom_entry, _ATOM) if feed % 8 in {1, 4, 6} else (_rss_item, _RSS)
    entries = "\n".join(entry(feed, number) for number in range(last, first - 1, -1))
    return frame.format(feed=feed, entries=entries).encode()


_RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:atom="http://www.w3.org/2005/Atom" xmlns:media="http://search.yahoo.com/mrss/">
<channel><title>Feed {feed}</title><link>https://site{feed}.example/</link><description>Bench</description>
<language>en-gb</language><atom:link href="https://site{feed}.example/feed" rel="self" type="application/rss+xml"/>
{entries}
</channel></rss>"""
_ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>Feed {feed}</title>
<id>tag:site{feed}.example,2020:feed</id>
<link href="https://site{feed}.example/"/><updated>2026-01-01T00:00:00Z</updated><author><name>Editors</name></author>
{entries}
</feed>"""


def _content(feed: int, number: int) -> tuple[str, str, datetime]:
    """Return title, HTML and date of an entry, the same every time."""
    dice = random.Random(feed * 100_003 + number)  # seeded: the same entry every time
    paragraphs = [" ".join(dice.choices(_WORDS, k=dice.randint(30, 70))) for _ in range(dice.randint(3, 6))]
    html = "".join(f"<p class='x' style='color:red'>{words}.</p>\n" for words in paragraphs)
    html += f"<p><a href='/more/{number}?utm_source=rss'>more &amp; more</a> <b>bold</b> <em>caf\u00e9</em></p>"
    html += f"<img src='https://cdn.example/{feed}/{number}.jpg' width='640' height='480' alt='A picture'>"
    html += "<script>alert(1)</script><img src='https://count.example/p.gif' width='1' height='1'>"
    moment = _NEWEST - timedelta(hours=feed % 24) + timedelta(minutes=37 * number)
    return " ".join(dice.choices(_WORDS, k=6)).capitalize(), html, moment


def _rss_item(feed: int, number: int) -> str:
    title, html, moment = _content(feed, number)
    sound = "<enclosure url='https://cdn.example/a.mp3' length='123456' type='audio/mpeg'/>" if feed % 10 == 0 else ""
    return (
        f"<item><title>{escape(title)}</title><link>https://site{feed}.example/{number}?utm_source=rss</link>"
        f"<guid isPermaLink='false'>{feed}-{number}</guid><pubDate>{format_datetime(moment)}</pubDate>"
        f"<dc:creator>Ada Person</dc:creator><category>open data</category><category>Budget</category>{sound}"
        f"<description>{escape(title)}</description><content:encoded><![CDATA[{html}]]></content:encoded></item>"
    )


def _atom_entry(feed: int, number: int) -> str:
    title, html, moment = _content(feed, number)
    return (
        f"<entry><title>{escape(title)}</title><link href='https://site{feed}.example/{number}'/>"
        f"<id>tag:site{feed}.example,2020:{number}</id><published>{moment.isoformat()}</published>"
        f"<updated>{moment.isoformat()}</updated><category term='open data'/>"
        f"<content type='html'>{escape(html)}</content></entry>"
    )


def _app(folders: Sequence[Path]) -> web.Application:
    rounds = deque(_read(folder) for folder in folders)
    plain = False

    async def serve(request: web.Request) -> web.Response:
        body, etag = rounds[0][request.match_info["name"]]
        if plain:
            return web.Response(body=body, content_type="application/rss+xml")
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=body, content_type="application/rss+xml", headers={"ETag": etag})

    async def switch(request: web.Request) -> web.Response:
        nonlocal plain
        if request.match_info["how"] == "grow":
            rounds.rotate(-1)
        else:
            plain = request.match_info["how"] == "plain"
        return web.Response()

    app = web.Application()
    app.router.add_get("/{name}.xml", serve)
    app.router.add_post("/{how:grow|plain|conditional}", switch)
    return app


def _read(folder: Path) -> dict[str, tuple[bytes, str]]:
    bodies = {path.stem: path.read_bytes() for path in folder.glob("*.xml")}
    return {name: (body, f'"{hashlib.sha256(body).hexdigest()[:16]}"') for name, body in bodies.items()}


@contextmanager
def farm(*folders: Path) -> Iterator[str]:
    """Run the server and yield its address."""
    command = [sys.executable, "-m", "bench.farm", *map(str, folders)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def switch(address: str, how: str) -> None:
    """Switch the server at an address: "grow", "plain" or "conditional"."""
    with urlopen(Request(f"{address}/{how}", method="POST"), timeout=10):
        pass


def _print_port(text: str) -> None:
    """Print the port only, without aiohttp's banner."""
    if "127.0.0.1" in text:
        print(text.split("127.0.0.1:")[1].split(maxsplit=1)[0], flush=True)


if __name__ == "__main__":
    web.run_app(_app([*map(Path, sys.argv[1:])]), host="127.0.0.1", port=0, access_log=None, print=_print_port)
