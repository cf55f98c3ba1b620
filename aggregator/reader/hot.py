"""Hot answers: what was rendered once for a revision is given to everybody who asks the same, as ready bytes.

An answer is good as long as neither the stream's revision nor the health of its sources changes; when the database is
away the last one is given as it is, so that no page goes empty.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from aggregator.reader.pulse import Beat, Pulse

_MOST_BYTES = 64 * 2**20  # of all bodies together
_LONGEST_KEY = 4000  # characters; stranger requests are answered, but not kept
_TOKEN_GOOD_FOR = 1.0  # seconds: a token may be revoked meanwhile
_TOKEN_GOOD_AWAY = 600.0  # seconds, while the database that knows it is away
_SETTLED = 2.0  # seconds after which a change in the same second can no longer be
_OK = 200
_UNAVAILABLE = 503
_KEY = "aggregator.reader.key"  # in the scope, on the way from `Hot.ready` to `Layer`
_TOKEN = 3  # where the authorization stands in a key
_ABOUT_THE_CALLER = (b"ratelimit", b"retry-after")
_CONDITIONS = (b"if-none-match", b"if-modified-since")
_OF_BODIES = frozenset({b"content-length", b"content-type", b"content-encoding"})

Key = tuple[
    str, bytes, bytes | None, bytes | None, bytes | None, bytes | None, tuple[bytes | None, bytes | None] | None
]


Answer = tuple[MutableMapping[str, Any], MutableMapping[str, Any]]  # the two messages of ASGI
_NOTHING = {"type": "http.response.body", "body": b""}


@dataclass(slots=True)
class Kept:
    """One answer, ready to be sent."""

    beat: Beat | None  # none: it is given once and not kept
    headers: list[tuple[bytes, bytes]]
    body: bytes
    tag: bytes
    made: float  # monotonic
    since: float  # Unix seconds since which these very bytes are the answer
    edition: object = None  # of what it follows from besides the stream; None: of nothing else
    _start: Message = field(init=False)
    _content: Message = field(init=False)
    _settled: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Make the messages once."""
        self._start = {"type": "http.response.start", "status": _OK, "headers": self.headers}
        self._content = {"type": "http.response.body", "body": self.body}

    def answer(self, asked: Mapping[bytes, bytes]) -> Answer:
        """Return what is sent to whoever asks with these headers: it all, or 304 where they have it."""
        if not self._settled and time.time() - self.since >= _SETTLED:
            self._settled = True
            dated = (b"last-modified", formatdate(int(self.since), usegmt=True).encode())
            self._start = {**self._start, "headers": [*self.headers, dated]}
        if (b"if-none-match" in asked or b"if-modified-since" in asked) and self._is_held(asked):
            headers = [pair for pair in self._start["headers"] if pair[0] not in _OF_BODIES]
            return {"type": "http.response.start", "status": 304, "headers": headers}, _NOTHING
        return self._start, self._content

    def _is_held(self, asked: Mapping[bytes, bytes]) -> bool:
        tags = asked.get(b"if-none-match")
        if tags is not None:
            held = {part.strip().removeprefix(b"W/") for part in tags.split(b",")}
            return b"*" in held or self.tag.removeprefix(b"W/") in held
        if not self._settled:
            return False
        try:
            return int(self.since) <= parsedate_to_datetime(asked[b"if-modified-since"].decode("latin-1")).timestamp()
        except (ValueError, TypeError, OverflowError):
            return False


class Hot:
    """Keeps answers to GET on some paths.

    It works at two places: `ready` looks for an answer before any layer does anything, `Layer` keeps what the layers
    within it made. What they are kept under is what came over the wire, so that finding one costs next to nothing.
    """

    def __init__(
        self,
        pulse: Pulse,
        covers: Callable[[str], bool],
        believes: Callable[[str], bool],
        edition: Callable[[], object],
        *,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        """Keep nothing yet.

        Args:
            pulse: says what is still good.
            covers: whether answers at a path may be kept.
            believes: whether the word of a peer's address counts on who asks for which host.
            edition: what pages for people follow from besides the stream: the configuration, and the time of day.
            most_bytes: of all bodies together.
        """
        self._pulse = pulse
        self._edition = edition
        self._covers = covers
        self._believes = lru_cache(maxsize=1024)(believes)
        self._most = most_bytes
        self._held = 0
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self.making: dict[Key, asyncio.Future[None]] = {}

    def ready(self, scope: Scope) -> Answer | None:
        """Return the answer to a request if it is there and good, else note in the scope under which key to keep it."""
        if scope["method"] != "GET":
            return None
        asked = dict(scope["headers"])
        key = self._key(scope, asked)
        kept = self._kept.get(key)
        if kept is not None:
            if b"origin" not in asked and self._is_good(kept, key):
                return kept.answer(asked)
        elif not self._pulse.is_watching or not self._covers(scope["path"]):
            return None
        scope[_KEY] = key
        return None

    def _key(self, scope: Scope, asked: dict[bytes, bytes]) -> Key:
        get = asked.get
        proxied = self._believes(scope["client"][0]) if scope["client"] else False
        return (
            scope["path"],
            scope["query_string"],
            get(b"accept-encoding"),
            get(b"authorization"),
            get(b"accept"),
            get(b"host"),
            (get(b"x-forwarded-host"), get(b"x-forwarded-proto")) if proxied else None,
        )

    def good(self, key: Key) -> Kept | None:
        """Return the answer that is kept under a key, if it is still good."""
        kept = self._kept.get(key)
        return kept if kept is not None and self._is_good(kept, key) else None

    def last(self, key: Key) -> Kept | None:
        """Return the answer that was last kept under a key, good or not."""
        return self._kept.get(key)

    def edition(self, scope: Scope) -> object:
        """Return the edition of what is about to be made; None where it follows from the stream alone."""
        return self._edition() if scope["path"].endswith("/") else None  # the front page

    @property
    def beat(self) -> Beat | None:
        """How the stream stands, for what is about to be made."""
        return self._pulse.sure

    def _is_good(self, kept: Kept, key: Key) -> bool:
        beat = self._pulse.sure
        by_token = key[_TOKEN] is not None
        if beat is None:
            return self._pulse.away and (not by_token or time.monotonic() - kept.made < _TOKEN_GOOD_AWAY)
        if kept.edition is not None and kept.edition != self._edition():
            return False
        if by_token and time.monotonic() - kept.made > _TOKEN_GOOD_FOR:
            return False
        # The pulse keeps its beat as long as nothing changes, so that a glance nearly always tells.
        return kept.beat is beat or (
            kept.beat is not None and kept.beat.revision >= beat.revision and kept.beat.health == beat.health
        )

    def keep(self, key: Key, kept: Kept) -> None:
        """Keep an answer, without what it says of the one who asked; let the oldest ones go."""
        if len(repr(key)) > _LONGEST_KEY or len(kept.body) > self._most // 8:
            return
        before = self._kept.pop(key, None)
        mine = [pair for pair in kept.headers if not pair[0].startswith(_ABOUT_THE_CALLER)]
        self._kept[key] = Kept(kept.beat, mine, kept.body, kept.tag, kept.made, kept.since, kept.edition)
        self._held += len(kept.body) - (len(before.body) if before else 0)
        while self._held > self._most:
            _, oldest = self._kept.popitem(last=False)
            self._held -= len(oldest.body)


class Layer:
    """Has answers made by the layers within, one at a time for each key, and keeps them."""

    def __init__(self, app: ASGIApp, *, hot: Hot) -> None:
        self._app = app
        self._hot = hot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give what is kept, or have it made."""
        key: Key | None = scope.get(_KEY)
        if key is None:
            await self._app(scope, receive, send)
            return
        asked = dict(scope["headers"])
        under_way = self._hot.making.get(key)
        if under_way is not None:
            await asyncio.shield(under_way)
        kept = self._hot.good(key) or await self._made(scope, receive, send, key)
        if kept is not None:
            start, body = kept.answer(asked)
            await send({**start})  # its own: outer layers add headers in place
            await send(body)

    async def _made(self, scope: Scope, receive: Receive, send: Send, key: Key) -> Kept | None:
        """Have an answer made, and keep it; what can't be kept is sent at once."""
        # Before anything is read: what comes meanwhile makes it old, never wrongly new.
        beat, edition = self._hot.beat, self._hot.edition(scope)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hot.making[key] = done
        messages: list[Message] = []

        async def hold(message: Message) -> None:
            messages.append(message)

        try:
            headers = [pair for pair in scope["headers"] if pair[0] not in _CONDITIONS]
            await self._app({**scope, "headers": headers}, receive, hold)
        finally:
            if self._hot.making.get(key) is done:
                del self._hot.making[key]
            done.set_result(None)
        start = messages[0]
        answer = {name.lower(): value for name, value in start["headers"]}
        before = self._hot.last(key)
        if start["status"] == _UNAVAILABLE and before is not None and key[_TOKEN] is None:
            return before
        if start["status"] != _OK or b"etag" not in answer:
            for message in messages:
                await send(message)
            return None
        tag = answer[b"etag"]
        since = before.since if before is not None and before.tag == tag else time.time()
        body = b"".join(message.get("body", b"") for message in messages[1:])
        kept = Kept(beat, start["headers"], body, tag, time.monotonic(), since, edition)
        if beat is not None and b"no-store" not in answer[b"cache-control"]:
            self._hot.keep(key, kept)
        return kept
