"""Serve the JSON API, whose responses `serialization` encodes and `api_operations` documents."""

# Annotations are evaluated: FastAPI reads them when the routes are added.
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from aggregator.domain.errors import NewerSchemaError, SchemaError, SetupError
from aggregator.domain.stream import SourceCursor
from aggregator.reader import api_operations as operations
from aggregator.reader import health_schemas, schemas, serialization
from aggregator.reader.errors import UnknownRevisionError
from aggregator.reader.facets import named
from aggregator.reader.health import read_health, worker_warning
from aggregator.reader.known_filters import refuse_unknown
from aggregator.reader.lookup import shown_with_story
from aggregator.reader.query_params import (
    CHANGES,
    FILTERS,
    LIVE,
    STREAM,
    fields_of,
    given,
    query_of,
    query_string,
    whole_number,
)
from aggregator.reader.source_params import MOST_SOURCES, SOURCES
from aggregator.web.cache_control import ALWAYS_ASK, FRESH, NO_STORE, headers_for
from aggregator.web.database_threads import PATIENCE, DatabaseThreads
from aggregator.web.responses import JSON, answer
from aggregator.web.translation import current_language

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from starlette.types import Receive, Scope, Send

    from aggregator.config.portal_folder import Configuration
    from aggregator.domain.clock import Clock
    from aggregator.domain.stream import Page, Query
    from aggregator.reader.authentication import Authenticator
    from aggregator.reader.change_watcher import ChangeWatcher
    from aggregator.reader.health import Stale
    from aggregator.reader.rate_limits import Admission
    from aggregator.reader.sse import LiveStream
    from aggregator.reader.visibility import Audience
    from storage.store import Store

_MOST_CHANGES = 1000
_LONGEST_WAIT = 60  # seconds


class Api:
    """The API endpoints of one store."""

    def __init__(
        self,
        store: "Store",
        clock: "Clock",
        callers: "Authenticator",
        admission: "Admission",
        *,
        pulse: "ChangeWatcher",
        threads: "DatabaseThreads",
        live: "LiveStream",
        link: "Callable[[str], str]",
        configuration: "Configuration",
    ) -> None:
        self._store = store
        self._clock = clock
        self._callers = callers
        self._admission = admission
        self._pulse = pulse
        self._threads = threads
        self._probing = DatabaseThreads(most=2, longest=PATIENCE)  # dedicated: other requests can't delay the probe
        self._live = live
        self._link = link
        self._configuration = configuration

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        stream = {**operations.LISTEN, "response_class": _EventStream}
        routes: Sequence[tuple[str, Callable[..., Any], Mapping[str, Any]]] = (
            ("/api/v1/activities", self.activities, operations.LIST_ACTIVITIES),
            ("/api/v1/activities/{activity_id}", self.activity, operations.GET_ACTIVITY),
            ("/api/v1/facets", self.facets, operations.LIST_FACETS),
            ("/api/v1/changes", self.changes, operations.LIST_CHANGES),
            ("/api/v1/live", self.live, stream),
            ("/api/v1/sources", self.sources, operations.LIST_SOURCES),
            ("/healthz", self.alive, operations.GET_LIVENESS),
            ("/readyz", self.ready, operations.GET_READINESS),
        )
        for path, endpoint, operation in routes:
            app.add_api_route(path, endpoint, **operation)

    def activities(self, request: Request) -> Response:
        """Return a page of the stream."""
        values = given(request.scope["query_string"], STREAM)
        query, fields = query_of(values, self._cohorts), fields_of(values)
        caller, counted = self._admission.admit(request, values)
        found, stale = self.page(query)
        page = serialization.page(found, caller.audience, stale)
        body = serialization.encode(serialization.selected(page, fields) if fields else page)
        made = answer(request, body, JSON)
        made.headers["Link"] = self._links(request.url.path, values, found)
        made.headers.update({**headers_for(caller.token, FRESH), **counted})
        return made

    @property
    def _cohorts(self) -> "Mapping[str, frozenset[str]]":
        return self._configuration.vocabulary.cohorts

    def facets(self, request: Request) -> Response:
        """Return facet counts."""
        values = given(request.scope["query_string"], FILTERS)
        vocabulary = self._configuration.vocabulary
        query = query_of(values, vocabulary.cohorts)
        caller, counted = self._admission.admit(request, values)
        with self._store.reading() as tx:
            refuse_unknown(query, tx, self._configuration.vocabulary)
            found = tx.stream.activities.facets(query, vocabulary.cohorts)
            names = tx.polling.sources.names(found.counts["source"].keys())
        values_of = named(found, vocabulary, names, current_language().locale)
        made = answer(
            request, serialization.encode(serialization.facets(values_of, found.examined, partial=found.partial)), JSON
        )
        made.headers.update({**headers_for(caller.token, FRESH), **counted})
        return made

    def page(self, query: "Query") -> "tuple[Page, Sequence[Stale]]":
        """Return a page and the stale sources that it may be about."""
        beat = self._pulse.sure
        with self._store.reading() as tx:
            refuse_unknown(query, tx, self._configuration.vocabulary)
            health = beat.health if beat else read_health(tx, self._clock())
            return tx.stream.activities.page(query), health.of(query.sources)

    def _links(self, path: str, values: "Mapping[str, list[str]]", found: "Page") -> str:
        """Return the `Link` header (RFC 8288)."""
        here = self._link(path)
        links = [f'<{here}{query_string(values, cursor=None)}>; rel="first"']
        for rel, cursor in (("next", found.next), ("prev", found.prev)):
            if cursor:
                links.append(f'<{here}{query_string(values, cursor=str(cursor))}>; rel="{rel}"')
        return ", ".join(links)

    def activity(self, request: Request, activity_id: str) -> Response:
        """Return one activity."""
        given(request.scope["query_string"], ())
        caller = self._callers.caller_of(request)
        item, others = shown_with_story(self._store, activity_id)
        made = answer(request, serialization.encode(serialization.activity(item, caller.audience, others)), JSON)
        made.headers.update(headers_for(caller.token, FRESH))
        return made

    async def changes(self, request: Request) -> Response:
        """Return the changes after a revision; wait for a change if requested."""
        values = given(request.scope["query_string"], CHANGES)
        after = whole_number("after", values, default=0, most=2**63 - 1)
        limit = whole_number("limit", values, default=100, least=1, most=_MOST_CHANGES)
        wait = whole_number("wait", values, default=0, most=_LONGEST_WAIT)
        caller = await self._callers.waiting_for(request)
        body = await self._threads.run(self._changes, request, after, limit)
        if wait and body is None and await self._pulse.wait(after, wait):
            body = await self._threads.run(self._changes, request, after, limit)
        if body is None:
            body = await self._threads.run(partial(self._changes, request, after, limit, even_none=True))
        made = answer(request, body or b"", JSON)
        made.headers.update(headers_for(caller.token, ALWAYS_ASK))
        return made

    def _changes(self, request: Request, after: int, limit: int, *, even_none: bool = False) -> bytes | None:
        """Return the response body, or None if nothing changed and an empty one isn't requested."""
        audience = self._callers.audience_of(request)  # again: the token may have been revoked during the wait
        with self._store.reading() as tx:
            newest = tx.stream.state.revision()
            if after > newest:
                raise UnknownRevisionError(
                    f"after is {after}, but the newest revision is {newest}: this is another database, "
                    "or an older copy of it. Mirror it again from after=0."
                )
            if after == newest and not even_none:
                return None
            found, instance = tx.stream.activities.changes(after, limit), tx.stream.state.instance()
        return serialization.encode(serialization.changes(found, instance, audience, self._clock()))

    async def live(self, request: Request) -> Response:
        """Stream changes as they happen."""
        values = given(request.scope["query_string"], LIVE)
        filters = {name: value for name, value in values.items() if name != "after"}
        query = query_of(filters, self._cohorts)
        if query.sources or query.topics:
            await self._threads.run(self._refuse_unknown, query)
        last = request.headers.get("last-event-id")
        begin = {"after": [last]} if last is not None and last.isascii() and last.isdigit() else values
        after = whole_number("after", begin, default=-1, most=2**63 - 1)
        caller = await self._callers.waiting_for(request)  # rejected before the stream starts

        async def audience_now() -> "Audience":
            return caller.audience if caller.token is None else (await self._callers.waiting_for(request)).audience

        return _EventStream(self._live, query, audience_now, None if after < 0 else after)

    def _refuse_unknown(self, query: "Query") -> None:
        with self._store.reading() as tx:
            refuse_unknown(query, tx, self._configuration.vocabulary)

    def sources(self, request: Request) -> Response:
        """Return a page of the sources."""
        values = given(request.scope["query_string"], SOURCES)
        limit = whole_number("limit", values, default=MOST_SOURCES, least=1, most=MOST_SOURCES)
        caller, counted = self._admission.admit(request, values)
        after = SourceCursor.parse(values["cursor"][0]).slug if "cursor" in values else ""
        now = self._clock()
        with self._store.reading() as tx:
            found = tx.polling.sources.page(limit + 1, after)
        items = tuple(serialization.source(source, now, caller.audience) for source in found[:limit])
        following = str(SourceCursor(found[limit - 1].slug)) if len(found) > limit else None
        made = answer(request, serialization.encode(schemas.SourceList(items, following)), JSON)
        made.headers.update({**headers_for(caller.token, ALWAYS_ASK), **counted})
        if following:
            address = self._link(request.url.path) + query_string(values, cursor=following)
            made.headers["Link"] = f'<{address}>; rel="next"'
        return made

    async def alive(self) -> Response:
        """Return that the process is alive, without using the database."""
        return _report(health_schemas.Liveness("alive"), 200)

    async def ready(self) -> Response:
        """Return the state of the database and the age of the last tick."""
        try:
            tick, lag = await self._probing.run(self._last_tick)
        except SetupError as problem:
            reason = str(problem) if isinstance(problem, NewerSchemaError) else None  # others name files and addresses
            code = SchemaError.code if isinstance(problem, SchemaError) else problem.code
            return _report(health_schemas.Readiness("unavailable", code, None, None, None, reason), 503)
        now = self._clock()
        age = (now - tick).total_seconds() if tick else None
        warning = worker_warning(tick, now)
        return _report(health_schemas.Readiness("ready", "ok", tick, age, warning, replica_lag=lag), 200)

    def _last_tick(self) -> "tuple[datetime | None, float | None]":
        self._store.check_schema()
        with self._store.reading() as tx:
            tick = tx.stream.state.last_tick()
        replica = self._store.replica()
        return tick, None if replica is None else replica.lag


class _EventStream(Response):
    """A response that lasts until the client disconnects."""

    media_type = "text/event-stream"

    def __init__(
        self, live: "LiveStream", query: "Query", audience: "Callable[[], Awaitable[Audience]]", after: int | None
    ) -> None:
        super().__init__()
        self._live, self._query, self._audience_now, self._after = live, query, audience, after

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Send events."""
        del scope
        await self._live.listen(receive, send, self._query, self._audience_now, self._after)


def _report(body: health_schemas.Liveness | health_schemas.Readiness, status: int) -> Response:
    return Response(serialization.encode(body), status, {"Cache-Control": NO_STORE}, JSON)
