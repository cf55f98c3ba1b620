"""Count requests and measure their latency, by route template and status."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.routing import Route

from aggregator.reader.languages import without_language

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from starlette.routing import BaseRoute
    from starlette.types import Message, Scope, Send

OTHER = "other"  # the route of requests that no route serves: paths of clients are unbounded
_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds


class RequestMetrics:
    """The request counters of this process."""

    def __init__(self, registry: CollectorRegistry, prefix: str = "") -> None:
        self._prefix = prefix
        self._plain: frozenset[str] = frozenset()
        self._patterns: Sequence[tuple[re.Pattern[str], str]] = ()
        self._answers = Counter(
            "aggregator_reader_requests",
            "Responses by route and status.",
            ["route", "status"],
            registry=registry,
        )
        self._cached = Counter(
            "aggregator_reader_cached_responses", "Responses from the cache, without any work.", registry=registry
        )
        self._seconds = Histogram(
            "aggregator_reader_response_seconds",
            "Seconds until a response begins.",
            ["route"],
            buckets=_BOUNDS,
            registry=registry,
        )

    def know(self, routes: Sequence[BaseRoute]) -> None:
        """Set the routes whose templates are labels."""
        known = [route for route in routes if isinstance(route, Route)]
        self._plain = frozenset(route.path for route in known if "{" not in route.path)
        self._patterns = [(route.path_regex, route.path) for route in known if "{" in route.path]

    def observing(self, scope: Scope, send: Send, began: float) -> Send:
        """Return a `send` that counts the response when it begins."""

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.observe(scope["path"], message["status"], began)
            await send(message)

        return observed

    def observe(self, path: str, status: int, began: float, *, cached: bool = False) -> None:
        """Count a response; `began` is when its request arrived (`time.perf_counter`)."""
        route = self.template(path)
        self._answers.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(time.perf_counter() - began)
        if cached:
            self._cached.inc()

    def template(self, path: str) -> str:
        """Return the template of the route that serves a path."""
        if path in self._plain:
            return path
        if self._prefix and path.startswith(self._prefix + "/"):  # a proxy may keep the prefix of the public URL
            path = path[len(self._prefix) :]
        path = without_language(path)
        if path in self._plain:
            return path
        return next((template for pattern, template in self._patterns if pattern.match(path)), OTHER)
