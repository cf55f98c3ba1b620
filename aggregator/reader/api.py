"""The API: endpoints that return bytes made by `serialise`, and what the OpenAPI document says of them."""

# Annotations are evaluated: FastAPI reads them when the routes are added.
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from aggregator.errors import SetupError
from aggregator.reader import models, serialise
from aggregator.reader.health import worker_warning
from aggregator.reader.openapi import problem_responses
from aggregator.reader.parameters import STREAM, given, query_of, refuse_unknown_sources
from aggregator.reader.shown import shown
from aggregator.web.answers import FRESH, JSON, answer
from aggregator.web.dates import machine_time

if TYPE_CHECKING:
    from aggregator.reader.audience import Audience
    from aggregator.source import Clock
    from storage.store import Store

_NEVER_KEPT = {"Cache-Control": "no-store"}


class Api:
    """The endpoints over one store."""

    def __init__(self, store: "Store", clock: "Clock", audience: "Audience") -> None:
        self._store = store
        self._clock = clock
        self._audience = audience

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        app.add_api_route(
            "/api/v1/activities",
            self.activities,
            operation_id="listActivities",
            summary="A page of the merged stream",
            description="Newest first. Follow `next` for older ones.",
            tags=["stream"],
            response_model=models.ActivityPage,
            response_description="One page",
            responses=problem_responses(
                "bad-limit",
                "bad-cursor",
                "unknown-kind",
                "unknown-source",
                "unknown-parameter",
                "repeated-parameter",
                "bad-request",
            ),
            openapi_extra={"parameters": [parameter.documented() for parameter in STREAM]},
        )
        app.add_api_route(
            "/api/v1/activities/{activity_id}",
            self.activity,
            operation_id="getActivity",
            summary="One activity",
            tags=["stream"],
            response_model=models.ActivityItem,
            response_description="The activity",
            responses=problem_responses("unknown-parameter", "not-found", "gone"),
        )
        app.add_api_route(
            "/api/v1/sources",
            self.sources,
            operation_id="listSources",
            summary="All sources and how they are",
            tags=["sources"],
            response_model=models.SourceList,
            response_description="All sources",
            responses=problem_responses("unknown-parameter"),
        )
        app.add_api_route(
            "/healthz",
            self.alive,
            operation_id="getLiveness",
            summary="Is the process alive?",
            description="Does not touch the database.",
            tags=["operation"],
            response_model=models.Liveness,
        )
        app.add_api_route(
            "/readyz",
            self.ready,
            operation_id="getReadiness",
            summary="Can this reader answer?",
            description="`worker` holds a warning where nothing seems to be polled; readers get answers all the same.",
            tags=["operation"],
            response_model=models.Readiness,
            responses={503: {"model": models.Readiness, "description": "The database is away or needs migrating"}},
        )

    def activities(self, request: Request) -> Response:
        """Answer with a page of the stream."""
        query = query_of(given(request.scope["query_string"], STREAM))
        with self._store.reading() as tx:
            refuse_unknown_sources(query.sources, tx.sources.slug_taken)
            found = tx.activities.page(query)
        return answer(request, serialise.encode(serialise.page(found, self._audience)), JSON, cache=FRESH)

    def activity(self, request: Request, activity_id: str) -> Response:
        """Answer with one activity."""
        given(request.scope["query_string"], ())
        item = shown(self._store, activity_id)
        return answer(request, serialise.encode(serialise.activity(item, self._audience)), JSON, cache=FRESH)

    def sources(self, request: Request) -> Response:
        """Answer with all sources."""
        given(request.scope["query_string"], ())
        now = self._clock()
        with self._store.reading() as tx:
            items = [serialise.source(source, now) for source in tx.sources.all()]
        return answer(request, serialise.encode({"items": items}), JSON)

    async def alive(self) -> Response:
        """Answer that the process is alive, whatever the database does."""
        return Response(b'{"status":"alive"}', headers=_NEVER_KEPT, media_type=JSON)

    def ready(self) -> Response:
        """Answer whether the database is there and fits, and how long ago a tick ran."""
        try:
            self._store.check_schema()
            with self._store.reading() as tx:
                tick = tx.stream.last_tick()
        except SetupError as problem:
            body = {"status": "unavailable", "database": problem.code, "last_tick_at": None, "last_tick_age": None}
            return _report({**body, "worker": None}, 503)
        now = self._clock()
        return _report(
            {
                "status": "ready",
                "database": "ok",
                "last_tick_at": machine_time(tick) if tick else None,
                "last_tick_age": (now - tick).total_seconds() if tick else None,
                "worker": worker_warning(tick, now),
            },
            200,
        )


def _report(body: dict[str, Any], status: int) -> Response:
    return Response(serialise.encode(body), status, _NEVER_KEPT, JSON)
