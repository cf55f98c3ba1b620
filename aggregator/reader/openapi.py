"""Build the OpenAPI document, including error responses."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi.openapi.utils import get_openapi

from aggregator.reader import examples, schemas
from aggregator.reader.errors import PROBLEMS
from aggregator.web.problems import KINDS, MEDIA_TYPE, Problem
from aggregator.web.responses import JSON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI
    from msgspec import Struct

VERSION = "1.0"
_REFERENCE = "#/components/schemas/{name}"
TITLE = "Activity Stream"
_DESCRIPTION = """\
One stream of posts, reposts, news, events and videos, collected from many sources, merged and reviewed.

Times are RFC 3339 in UTC. Ids are strings. Follow `next` for more pages: no item is skipped or repeated when new ones
arrive. Responses have an `ETag`; send it in `If-None-Match` to get 304 for unchanged content. Errors are problem
details (RFC 9457) with a stable `code`.
"""
_PORTAL_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "For a portal's server: responses include content that networks keep out of public output.",
}
_TAGS = [
    {"name": "stream", "description": "Published activities, newest first."},
    {"name": "feeds", "description": "The stream for feed readers."},
    {"name": "sources", "description": "Sources and their status."},
    {"name": "operation", "description": "For operators."},
]

# Codes of the problems that a route with the stream's filters may answer with.
REFUSED_FILTERS = (
    "bad-search",
    "unknown-kind",
    "unknown-source",
    "unknown-topic",
    "unknown-parameter",
    "repeated-parameter",
    "bad-request",
    "bad-token",
)


def json_response(shape: type[Struct], description: str | None = None) -> dict[str, Any]:
    """Return the OpenAPI response of a type in `schemas`."""
    content = {JSON: {"schema": {"$ref": _REFERENCE.format(name=shape.__name__)}}}
    return {"content": content, **({"description": description} if description else {})}


def responses_of(shape: type[Struct], *codes: str) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of an endpoint: its JSON, and its problems by code."""
    return {HTTPStatus.OK: json_response(shape), **problem_responses(*codes)}


def problem_responses(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI responses for the errors with these codes, by status, and a default."""
    kinds = {**KINDS, **PROBLEMS}
    statuses = sorted({kinds[code].status for code in codes})
    named: dict[int | str, dict[str, Any]] = {
        int(status): _response([code for code in codes if kinds[code].status == status]) for status in statuses
    }
    return {**named, "default": _response(["internal-error", "store-unavailable"])}


def document(app: FastAPI, public_url: str | None) -> dict[str, Any]:
    """Return the OpenAPI document of the app's documented routes."""
    made = get_openapi(
        title=TITLE,
        version=VERSION,
        description=_DESCRIPTION,
        routes=app.routes,
        tags=_TAGS,
        servers=[{"url": public_url or "/"}],
    )
    _, shapes = msgspec.json.schema_components(schemas.RESPONSES, ref_template=_REFERENCE)
    components = made.setdefault("components", {})
    components["schemas"] = {**components.get("schemas", {}), **shapes, "Problem": Problem.model_json_schema()}
    made["components"]["securitySchemes"] = {"portalToken": _PORTAL_TOKEN}
    for path, methods in made["paths"].items():
        takes_token = str(int(HTTPStatus.UNAUTHORIZED)) in methods["get"]["responses"]
        methods["get"]["security"] = [{}, {"portalToken": []}] if takes_token else []
        for parameter in methods["get"].get("parameters", ()):
            if parameter["in"] == "path":
                parameter["description"] = "The id of the activity."
        command = examples.command(public_url or examples.EXAMPLE_BASE, path)
        methods["get"]["x-codeSamples"] = [{"lang": "Shell", "label": "curl", "source": command}]
    # Not passed to the routes: FastAPI would drop every null in them.
    for path, example in examples.BY_PATH.items():
        made["paths"][path]["get"]["responses"]["200"]["content"][JSON]["example"] = msgspec.to_builtins(example)
    return made


def _response(codes: Sequence[str]) -> dict[str, Any]:
    kinds = {**KINDS, **PROBLEMS}
    return {
        "description": "; ".join(f"{kinds[code].title} (`{code}`)" for code in codes),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
