"""Cache rendered responses and serve them before any middleware runs.

While the database answers, a response is current until the stream's revision or the health of its sources changes. If
the database is in trouble, older responses are served, too, unless an item was edited or removed since: they lack newer
items, but show nothing known to be hidden.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping

    from starlette.types import Message, Scope

    from aggregator.reader.cache_key import CacheKeyBuilder, Key
    from aggregator.reader.change_watcher import ChangeWatcher, StreamSnapshot

_MOST_BYTES = 64 * 2**20  # of all responses with headers and keys
_MOST_ENTRIES = 5000
_LONGEST_KEY = 4000  # longer keys are not cached
_OVERHEAD = 2000  # approximate bytes of Python objects per response
_SETTLED = 2.0  # seconds after which no other change can have the same second
_IDLE = 20  # refreshes without a request after which a response is no longer refreshed
_OK = 200
KEY = "aggregator.reader.key"  # key in the scope, passed to the caching middleware
_ABOUT_THE_CALLER = (b"ratelimit", b"retry-after")
_OF_BODIES = frozenset({b"content-length", b"content-type", b"content-encoding"})

Answer = tuple["MutableMapping[str, Any]", "MutableMapping[str, Any]"]  # the two messages of ASGI
_NOTHING = {"type": "http.response.body", "body": b""}


# RFC 9211. Always sent, since a 304 without it would leave "stale" in the browser's cache.
_CURRENT = (b"cache-status", b"activity-stream; detail=current")
_STALE = (b"cache-status", b"activity-stream; detail=stale")


@dataclass(slots=True)
class CachedResponse:
    """A cached response, ready to send."""

    beat: StreamSnapshot | None  # the stream's state when it was rendered; None: served once, not cached
    headers: list[tuple[bytes, bytes]]
    body: bytes
    tag: bytes
    edition: datetime | None = None  # start of the validity of its time-dependent parts
    stamp: object = None  # identifies its inputs besides stream and time
    idle: int = 0  # refreshes since the last request
    size: int = 0
    _start: Message = field(init=False)
    _content: Message = field(init=False)
    _dated: datetime | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Build the ASGI messages once."""
        self.headers = [*self.headers, _CURRENT]
        self._start = {"type": "http.response.start", "status": _OK, "headers": self.headers}
        self._content = {"type": "http.response.body", "body": self.body}

    def answer(self, headers: Mapping[bytes, bytes], changed: datetime | None, method: str = "GET") -> Answer:
        """Return the messages for a request: the full response, or 304 if the client has it.

        Args:
            headers: the request headers.
            changed: the last change of the stream; None: unknown, or not relevant.
            method: GET, or HEAD, which has no body.
        """
        if changed is not self._dated:
            self._date(changed)
        if (b"if-none-match" in headers or b"if-modified-since" in headers) and self._is_held(headers):
            kept = [pair for pair in self._start["headers"] if pair[0] not in _OF_BODIES]
            return {"type": "http.response.start", "status": 304, "headers": kept}, _NOTHING
        return self._start, self._content if method == "GET" else _NOTHING

    def _date(self, changed: datetime | None) -> None:
        """Set `Last-Modified` to the last change of the stream, once no other change can have the same second."""
        since = changed if self.edition is None or changed is None else max(changed, self.edition)
        if since is not None and time.time() - since.timestamp() < _SETTLED:
            return
        self._dated = changed
        dated = [] if since is None else [(b"last-modified", _http_date(since))]
        self._start = {**self._start, "headers": [*self.headers, *dated]}

    def _is_held(self, headers: Mapping[bytes, bytes]) -> bool:
        tags = headers.get(b"if-none-match")
        if tags is not None:
            etags = {part.strip().removeprefix(b"W/") for part in tags.split(b",")}
            return b"*" in etags or self.tag.removeprefix(b"W/") in etags
        dated = dict(self._start["headers"]).get(b"last-modified")
        try:
            return dated is not None and _moment(dated) <= _moment(headers[b"if-modified-since"])
        except (ValueError, TypeError, OverflowError):
            return False


def as_stale(start: Message) -> Message:
    """Mark a response that lacks the newest items as stale (RFC 9211)."""
    return {**start, "headers": [_STALE if header == _CURRENT else header for header in start["headers"]]}


class ResponseCache:
    """Caches GET responses of some paths within a size limit.

    `ready` looks up a response before any middleware runs, and `CacheMiddleware` stores the ones that the inner layers
    render.
    """

    def __init__(
        self,
        pulse: ChangeWatcher,
        canon: CacheKeyBuilder,
        covers: Callable[[str], bool],
        edition: Callable[[str], tuple[datetime, object] | None],
        shows_health: Callable[[str], bool],
        *,
        most_bytes: int = _MOST_BYTES,
        most_entries: int = _MOST_ENTRIES,
    ) -> None:
        """Start with an empty cache.

        Args:
            pulse: reports which responses are still valid.
            canon: builds cache keys.
            covers: whether responses at a path can be cached.
            edition: the inputs of a path besides the stream: the start of the current time period and the state of
                the configuration. None: none.
            shows_health: whether responses at a path contain the stale sources.
            most_bytes: of all responses together.
            most_entries: maximum number of responses.
        """
        self._pulse = pulse
        self._canon = canon
        self._covers = covers
        self._edition = edition
        self._shows_health = shows_health
        self._most_bytes = most_bytes
        self._most_entries = most_entries
        self._held = 0
        self._kept: OrderedDict[Key, CachedResponse] = OrderedDict()

    def ready(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Answer | None:
        """Return a valid cached response, else store the key for it in the scope.

        Args:
            scope: of the request.
            headers: as returned by `cache_key.headers_of`.
        """
        method = scope["method"]
        if (method != "GET" and method != "HEAD") or not self._pulse.is_watching:  # noqa: PLR1714  # this is the hot path
            return None
        place = self._canon.place(scope, headers)
        key = self._canon.key(scope, place, headers) if self._covers(place.path) else None
        if key is None:
            return None
        scope[KEY] = key
        if b"origin" in headers:  # the CORS middleware has to add headers
            return None
        kept = self.current(key)
        if kept is not None:
            return kept.answer(headers, self.changed(key, kept), method)
        kept = self.fallback(key) if self.in_trouble else None
        if kept is None:
            return None
        start, body = kept.answer(headers, self.changed(key, kept), method)
        return as_stale(start), body

    def current(self, key: Key) -> CachedResponse | None:
        """Return the cached response for a key if it is current."""
        kept = self._kept.get(key)
        beat = self._pulse.beat
        if kept is None or beat is None or kept.beat is None:
            return None
        # The watcher keeps the same snapshot while nothing changes, so comparing identities is usually enough.
        was = kept.beat
        if was is not beat and (was.revision < beat.revision or was.health != beat.health or was.epoch != beat.epoch):
            return None
        if kept.stamp is not None and (kept.edition, kept.stamp) != self._edition(key.path):
            return None
        return self._used(key, kept)

    def fallback(self, key: Key) -> CachedResponse | None:
        """Return the cached response for a key if no item was edited or removed since."""
        kept = self._kept.get(key)
        beat = self._pulse.beat
        if kept is None or beat is None or kept.beat is None or kept.beat.epoch != beat.epoch:
            return None
        return self._used(key, kept) if kept.beat.revision >= self._pulse.unaltered_since else None

    def _used(self, key: Key, kept: CachedResponse) -> CachedResponse:
        kept.idle = 0
        self._kept.move_to_end(key)
        return kept

    def changed(self, key: Key, kept: CachedResponse) -> datetime | None:
        """Return since when a response is valid.

        None if unknown, since all readers must agree: the set of stale sources has no stored time, and a response of an
        older revision lacks later changes.
        """
        beat = self._pulse.beat
        if beat is None or kept.beat is None or kept.beat.revision < beat.revision:
            return None
        return None if beat.health.stale and self._shows_health(key.path) else beat.changed

    def edition(self, key: Key) -> tuple[datetime, object] | None:
        """Return the inputs of a new response besides the stream."""
        return self._edition(key.path)

    @property
    def beat(self) -> StreamSnapshot | None:
        """The stream's state for a new response; None: it can't be cached."""
        return self._pulse.sure

    @property
    def in_trouble(self) -> bool:
        """Whether a response should not wait for the database."""
        return self._pulse.is_stuck or self._pulse.sure is None

    def hottest(self, most: int) -> Iterator[Key]:
        """Yield keys of recently requested responses that are outdated, and count them as idle."""
        beat = self._pulse.beat
        recent = [(key, kept) for key, kept in reversed(self._kept.items()) if kept.idle < _IDLE][:most]
        for key, kept in recent:
            if kept.beat is None or beat is None or kept.beat.revision < beat.revision:
                kept.idle += 1
                yield key

    def keep(self, key: Key, kept: CachedResponse) -> None:
        """Cache a response without client-specific headers; evict the least recently used ones."""
        before = self._kept.pop(key, None)
        if before is not None:
            self._held -= before.size
        headers = [pair for pair in kept.headers if not pair[0].startswith(_ABOUT_THE_CALLER)]
        size = len(kept.body) + key.size + sum(len(name) + len(value) for name, value in headers) + _OVERHEAD
        if key.size > _LONGEST_KEY or size > self._most_bytes // 8:
            return
        idle = before.idle if before is not None else 0
        self._kept[key] = CachedResponse(kept.beat, headers, kept.body, kept.tag, kept.edition, kept.stamp, idle, size)
        self._held += size
        while self._held > self._most_bytes or len(self._kept) > self._most_entries:
            _, oldest = self._kept.popitem(last=False)
            self._held -= oldest.size


def _http_date(moment: datetime) -> bytes:
    return format_datetime(moment.astimezone(UTC), usegmt=True).encode()


def _moment(header: bytes) -> float:
    return parsedate_to_datetime(header.decode("latin-1")).timestamp()
