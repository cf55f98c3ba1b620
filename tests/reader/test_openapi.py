"""Test the OpenAPI document: that it is valid and matches real responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from aggregator.reader.query_params import STREAM
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader import specimens

if TYPE_CHECKING:
    from storage.store import Store
    from tests.reader.serving import Answer, Reader


FEEDS = ("atom", "rss", "json", "as2")


@pytest.fixture
def document(empty_reader: Reader) -> dict[str, Any]:
    found: dict[str, Any] = empty_reader.ask("/openapi.json").json
    return found


def errors(document: dict[str, Any], path: str, answer: Answer) -> list[str]:
    """Return how a response differs from the document, including undocumented keys."""
    responses = document["paths"][path]["get"]["responses"]
    content = responses[str(answer.status) if str(answer.status) in responses else "default"]
    media_type = answer.headers["content-type"]
    schema = {**content["content"][media_type]["schema"], "components": closed(document["components"])}
    checker = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [error.message for error in checker.iter_errors(answer.json)]


def closed(components: dict[str, Any]) -> dict[str, Any]:
    schemas = components["schemas"].items()
    return {"schemas": {name: {**schema, "unevaluatedProperties": False} for name, schema in schemas}}


def test_real_answers_are_as_documented(sqlite_store: Store, sqlite_reader: Reader, document: dict[str, Any]) -> None:
    specimens.fill(sqlite_store, "https://pictures.example")
    with sqlite_store.writing() as tx:
        tx.stream.state.beat(NOON)
    requests = {
        "/api/v1/activities": [
            *("/api/v1/activities", "/api/v1/activities?limit=2", "/api/v1/activities?limit=0"),
            *("/api/v1/activities?cursor=x", "/api/v1/activities?kind=x", "/api/v1/activities?x=x"),
        ],
        "/api/v1/activities/{activity_id}": [
            *(f"/api/v1/activities/{item['id']}" for item in sqlite_reader.items()),
            *("/api/v1/activities/99", "/api/v1/activities/1?x=1"),
        ],
        "/api/v1/facets": ["/api/v1/facets", "/api/v1/facets?kind=article", "/api/v1/facets?cohort=1"],
        "/api/v1/changes": [
            *("/api/v1/changes", "/api/v1/changes?after=3&limit=2", "/api/v1/changes?after=-1"),
            *("/api/v1/changes?limit=0", "/api/v1/changes?after=999999", "/api/v1/changes?x=1"),
        ],
        "/api/v1/live": ["/api/v1/live?x=1", "/api/v1/live?after=x", "/api/v1/live?source=nobody"],
        **{f"/feed.{name}": [f"/feed.{name}?x=1", f"/feed.{name}?cursor=x"] for name in FEEDS},
        "/events.ics": ["/events.ics?kind=x", "/events.ics?x=1"],
        "/api/v1/sources": ["/api/v1/sources", "/api/v1/sources?x=1"],
        "/stats.json": ["/stats.json", "/stats.json?days=3", "/stats.json?days=0", "/stats.json?x=1"],
        "/healthz": ["/healthz"],
        "/readyz": ["/readyz"],
    }

    found = {
        address: errors(document, path, sqlite_reader.ask(address))
        for path, addresses in requests.items()
        for address in addresses
    }

    assert set(requests) == set(document["paths"])
    assert {address: content for address, content in found.items() if content} == {}


def test_the_check_itself_can_fail(sqlite_store: Store, sqlite_reader: Reader, document: dict[str, Any]) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity()])
    page = document["components"]["schemas"]["ActivityItem"]
    page["properties"]["id"] = {"type": "integer"}
    del page["properties"]["title"]

    assert len(errors(document, "/api/v1/activities", sqlite_reader.ask("/api/v1/activities"))) >= 2


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    operations = [facts for methods in document["paths"].values() for facts in methods.values()]

    assert document["openapi"].startswith("3.1")
    assert [facts["operationId"] for facts in operations] == [
        "listActivities", "getActivity", "listFacets", "listChanges", "listen", "listSources", "getLiveness",
        "getReadiness", "feedAtom", "feedRss", "feedJson", "feedAs2", "calendar", "getStatistics",
    ]  # fmt: skip
    assert all(facts["summary"] and facts["tags"] for facts in operations)
    for schema in document["components"]["schemas"].values():
        assert schema["description"]
        Draft202012Validator.check_schema(schema)


def test_parameters_are_those_that_are_read(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/api/v1/activities"]["get"]["parameters"]

    assert [parameter["name"] for parameter in parameters] == [parameter.name for parameter in STREAM]
    for parameter in parameters:
        assert parameter["description"]
        if "example" in parameter:
            Draft202012Validator(parameter["schema"]).validate(parameter["example"])


def test_refusals_are_documented_as_problems(document: dict[str, Any]) -> None:
    responses = document["paths"]["/api/v1/activities/{activity_id}"]["get"]["responses"]

    assert set(responses) == {"200", "400", "401", "404", "410", "default"}
    for status in ("400", "401", "404", "410", "default"):
        assert list(responses[status]["content"]) == ["application/problem+json"]


def test_examples_are_valid(document: dict[str, Any]) -> None:
    checked = 0
    for methods in document["paths"].values():
        good = methods["get"]["responses"]["200"]["content"].get("application/json", {})
        if "example" in good:
            schema = {**good["schema"], "components": closed(document["components"])}
            Draft202012Validator(schema).validate(good["example"])
            checked += 1
    assert checked == 4


def test_the_documentation_page_shows_it_all(empty_reader: Reader, document: dict[str, Any]) -> None:
    page = empty_reader.ask("/docs").text

    for path in document["paths"]:
        assert f"<code>{path}</code>" in page
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in page or "properties" not in document["components"]["schemas"][name]
    for code in ("bad-limit", "gone", "unknown-source", "store-unavailable"):
        assert f'id="{code}"' in page
    assert "<script" not in page
