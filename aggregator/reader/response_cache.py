"""The response cache: answers that were rendered once are given again as ready bytes, before any layer does anything.

While the database answers, an answer is current as long as neither the stream's revision nor the health of its sources
changes. In trouble, older answers are given as well, as long as nothing was changed or taken out since: they lack what
came later, and show nothing that this process knows to be hidden.
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

_MOST_BYTES = 64 * 2**20  # of all answers, with their headers and keys
_MOST_ENTRIES = 5000
_LONGEST_KEY = 4000  # bytes; longer ones are answered, but not kept
_OVERHEAD = 2000  # bytes of Python objects for each answer, roughly
_SETTLED = 2.0  # seconds after which a change in the same second can no longer be
_IDLE = 20  # refreshes without a request in between, after which an answer is refreshed no more
_OK = 200
KEY = "aggregator.reader.key"  # in the scope, on the way from `Hot.ready` to the layer that makes answers
_ABOUT_THE_CALLER = (b"ratelimit", b"retry-after")
_OF_BODIES = frozenset({b"content-length", b"content-type", b"content-encoding"})

Answer = tuple["MutableMapping[str, Any]", "MutableMapping[str, Any]"]  # the two messages of ASGI
_NOTHING = {"type": "http.response.body", "body": b""}


# RFC 9211. Always sent, since a 304 without it would leave "stale" in what a browser has stored.
_CURRENT = (b"cache-status", b"activity-stream; detail=current")
_STALE = (b"cache-status", b"activity-stream; detail=stale")


@dataclass(slots=True)
class CachedResponse:
    """One answer, ready to be sent."""

    beat: StreamSnapshot | None  # as of which it was made; None: it is given once and not kept
    headers: list[tuple[bytes, bytes]]
    body: bytes
    tag: bytes
    edition: datetime | None = None  # since when the part of it that depends on the time is what it is
    stamp: object = None  # of what it follows from besides stream and time
    idle: int = 0  # refreshes since it was last asked for
    size: int = 0
    _start: Message = field(init=False)
    _content: Message = field(init=False)
    _dated: datetime | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Make the messages once."""
        self.headers = [*self.headers, _CURRENT]
        self._start = {"type": "http.response.start", "status": _OK, "headers": self.headers}
        self._content = {"type": "http.response.body", "body": self.body}

    def answer(self, asked: Mapping[bytes, bytes], changed: datetime | None, method: str = "GET") -> Answer:
        """Return what is sent to a client with these request headers: all of it, or 304 where the client has it.

        Args:
            asked: the request headers.
            changed: when the stream last changed; None where that is not known, or does not say when this did.
            method: GET, or HEAD, which gets no body.
        """
        if changed is not self._dated:
            self._date(changed)
        if (b"if-none-match" in asked or b"if-modified-since" in asked) and self._is_held(asked):
            headers = [pair for pair in self._start["headers"] if pair[0] not in _OF_BODIES]
            return {"type": "http.response.start", "status": 304, "headers": headers}, _NOTHING
        return self._start, self._content if method == "GET" else _NOTHING

    def _date(self, changed: datetime | None) -> None:
        """Say in `Last-Modified` when the stream last changed, once nothing can follow within the same second."""
        since = changed if self.edition is None or changed is None else max(changed, self.edition)
        if since is not None and time.time() - since.timestamp() < _SETTLED:
            return
        self._dated = changed
        dated = [] if since is None else [(b"last-modified", _http_date(since))]
        self._start = {**self._start, "headers": [*self.headers, *dated]}

    def _is_held(self, asked: Mapping[bytes, bytes]) -> bool:
        tags = asked.get(b"if-none-match")
        if tags is not None:
            held = {part.strip().removeprefix(b"W/") for part in tags.split(b",")}
            return b"*" in held or self.tag.removeprefix(b"W/") in held
        dated = dict(self._start["headers"]).get(b"last-modified")
        try:
            return dated is not None and _moment(dated) <= _moment(asked[b"if-modified-since"])
        except (ValueError, TypeError, OverflowError):
            return False


def as_stale(start: Message) -> Message:
    """Mark a response that lacks the newest items as stale (RFC 9211)."""
    return {**start, "headers": [_STALE if header == _CURRENT else header for header in start["headers"]]}


class ResponseCache:
    """Keeps answers to GET on some paths, within a bound.

    It works at two places: `ready` looks for an answer before any layer does anything, and `making.Layer` keeps what
    the layers within it made.
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
        """Keep nothing yet.

        Args:
            pulse: says what is still good.
            canon: says what may change an answer.
            covers: whether answers at a path may be kept.
            edition: what an answer at a path follows from besides the stream: since when the time of day counts as the
                same, and the state of the configuration. None: nothing.
            shows_health: whether answers at a path say which sources are stale.
            most_bytes: of all answers together.
            most_entries: of them.
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

    def ready(self, scope: Scope, asked: Mapping[bytes, bytes]) -> Answer | None:
        """Return the answer to a request if it is there and good, else note in the scope under which key to keep it.

        Args:
            scope: the request's.
            asked: its headers, as `canonical.headers_of` returns them.
        """
        method = scope["method"]
        path = self._canon.path(scope)
        if (method != "GET" and method != "HEAD") or not self._pulse.is_watching or not self._covers(path):  # noqa: PLR1714  # this is the hot path
            return None
        key = self._canon.key(scope, path, asked)
        if key is None:
            return None
        scope[KEY] = key
        if b"origin" in asked:  # the layer for other origins has something to add
            return None
        kept = self.current(key)
        if kept is not None:
            return kept.answer(asked, self.changed(key, kept), method)
        kept = self.fallback(key) if self.in_trouble else None
        if kept is None:
            return None
        start, body = kept.answer(asked, self.changed(key, kept), method)
        return as_stale(start), body

    def current(self, key: Key) -> CachedResponse | None:
        """Return the answer that is kept under a key, if it says how things are now, as far as this process knows."""
        kept = self._kept.get(key)
        beat = self._pulse.beat
        if kept is None or beat is None or kept.beat is None:
            return None
        # The pulse keeps its beat as long as nothing changes, so that a glance nearly always tells.
        was = kept.beat
        if was is not beat and (was.revision < beat.revision or was.health != beat.health or was.epoch != beat.epoch):
            return None
        if kept.stamp is not None and (kept.edition, kept.stamp) != self._edition(key.path):
            return None
        return self._used(key, kept)

    def fallback(self, key: Key) -> CachedResponse | None:
        """Return the answer that is kept under a key, if nothing was changed or taken out since it was made."""
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
        """Return since when an answer can be what it is.

        None where that can't be said, for two readers must say the same: which sources are stale is not stored with a
        time, and an answer of an older revision misses what came since.
        """
        beat = self._pulse.beat
        if beat is None or kept.beat is None or kept.beat.revision < beat.revision:
            return None
        return None if beat.health.stale and self._shows_health(key.path) else beat.changed

    def edition(self, key: Key) -> tuple[datetime, object] | None:
        """Return what an answer that is about to be made follows from besides the stream."""
        return self._edition(key.path)

    @property
    def beat(self) -> StreamSnapshot | None:
        """How the stream stands, for what is about to be made; None: it can't be kept."""
        return self._pulse.sure

    @property
    def in_trouble(self) -> bool:
        """Whether an answer had better not wait for the database."""
        return self._pulse.is_stuck or self._pulse.sure is None

    def hottest(self, most: int) -> Iterator[Key]:
        """Give keys of the answers that were asked for last, and are current no longer, each counted as idle."""
        beat = self._pulse.beat
        asked = [(key, kept) for key, kept in reversed(self._kept.items()) if kept.idle < _IDLE][:most]
        for key, kept in asked:
            if kept.beat is None or beat is None or kept.beat.revision < beat.revision:
                kept.idle += 1
                yield key

    def keep(self, key: Key, kept: CachedResponse) -> None:
        """Keep an answer, without what it says of the client; let the ones go that were not asked for longest."""
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
