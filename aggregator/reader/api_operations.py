"""Describe the operations of the JSON API in OpenAPI, as options of FastAPI's routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.reader import health_schemas, schemas
from aggregator.reader.openapi import REFUSED_FILTERS, json_response, problem_responses, responses_of
from aggregator.reader.query_params import CHANGES, FILTERS, LIVE, STREAM
from aggregator.reader.source_params import SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.reader.query_params import Parameter

_REFUSED = ("bad-limit", "bad-cursor", *REFUSED_FILTERS)


def _documented(parameters: Sequence[Parameter]) -> Mapping[str, Any]:
    return {"parameters": [parameter.documented() for parameter in parameters]}


LIST_ACTIVITIES: Mapping[str, Any] = {
    "operation_id": "listActivities",
    "summary": "List activities",
    "description": "Newest first. Follow `next` for older items and `prev` for newer ones; both are also in the "
    "`Link` header. Filters can be combined.",
    "tags": ["stream"],
    "response_description": "One page",
    "responses": responses_of(schemas.ActivityPage, *_REFUSED, "too-many-requests"),
    "openapi_extra": _documented(STREAM),
}
GET_ACTIVITY: Mapping[str, Any] = {
    "operation_id": "getActivity",
    "summary": "Get an activity",
    "tags": ["stream"],
    "response_description": "The activity",
    "responses": responses_of(schemas.ActivityItem, "unknown-parameter", "not-found", "gone", "bad-token"),
}
LIST_FACETS: Mapping[str, Any] = {
    "operation_id": "listFacets",
    "summary": "Facet counts",
    "description": "Counts kinds, networks, sources, topics, countries, cohorts and languages among the newest "
    "activities that match the filters.",
    "tags": ["stream"],
    "response_description": "The facets",
    "responses": responses_of(schemas.FacetList, *REFUSED_FILTERS, "too-many-requests"),
    "openapi_extra": _documented(FILTERS),
}
LIST_CHANGES: Mapping[str, Any] = {
    "operation_id": "listChanges",
    "summary": "List changes since a revision",
    "description": "For mirrors. Start with `after=0`, store the changes, and repeat with `after` set to `next`. "
    "Each item appears once, in its current state.",
    "tags": ["stream"],
    "response_description": "The changes",
    "responses": responses_of(
        schemas.ChangeList,
        "unknown-revision",
        "unknown-parameter",
        "repeated-parameter",
        "bad-request",
        "bad-limit",
        "bad-token",
    ),
    "openapi_extra": _documented(CHANGES),
}
LISTEN: Mapping[str, Any] = {
    "operation_id": "listen",
    "summary": "Stream changes (server-sent events)",
    "description": "Events: `activity` (data: a new or changed activity), `gone` (data: its id) and `reset` "
    "(too many changes were missed: reload). An event's id is its revision; browsers return the last "
    "one in `Last-Event-ID`.",
    "tags": ["stream"],
    "status_code": 200,
    "response_description": "A stream without an end",
    "responses": problem_responses(*_REFUSED),
    "openapi_extra": _documented(LIVE),
}
LIST_SOURCES: Mapping[str, Any] = {
    "operation_id": "listSources",
    "summary": "Sources and their status",
    "tags": ["sources"],
    "response_description": "A page of the sources, by slug",
    "description": "Addresses and error messages need a token.",
    "responses": responses_of(
        schemas.SourceList,
        "unknown-parameter",
        "repeated-parameter",
        "bad-limit",
        "bad-cursor",
        "bad-token",
        "too-many-requests",
    ),
    "openapi_extra": _documented(SOURCES),
}
GET_LIVENESS: Mapping[str, Any] = {
    "operation_id": "getLiveness",
    "summary": "Liveness probe",
    "description": "Does not use the database.",
    "tags": ["operation"],
    "responses": {200: json_response(health_schemas.Liveness)},
}
GET_READINESS: Mapping[str, Any] = {
    "operation_id": "getReadiness",
    "summary": "Readiness probe",
    "description": "`worker` contains a warning if polling seems to have stopped; requests are still served.",
    "tags": ["operation"],
    "responses": {
        200: json_response(health_schemas.Readiness),
        503: json_response(health_schemas.Readiness, "The database is unavailable or needs a migration"),
    },
}
