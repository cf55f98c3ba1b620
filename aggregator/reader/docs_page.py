"""Flatten the OpenAPI document for the documentation page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Field:
    """A property or a parameter."""

    name: str
    type: str  # "string or null", "list of MediaItem"
    refers_to: str | None  # the schema named by the type
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the API."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    tag: str
    parameters: Sequence[Field]
    answer: str | None  # the schema of the 200 response
    example: str | None  # JSON
    problems: Sequence[tuple[str, str]]  # status and description


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema."""

    name: str
    description: str
    fields: Sequence[Field]


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """Return the operations in the order of the document."""
    return [
        _operation(path, method, facts)
        for path, methods in document["paths"].items()
        for method, facts in methods.items()
    ]


def schemas(document: Mapping[str, Any]) -> list[Schema]:
    """Return the object schemas, sorted by name."""
    return [
        Schema(
            name,
            facts.get("description", ""),
            [_field(key, value, value.get("description", "")) for key, value in facts["properties"].items()],
        )
        for name, facts in sorted(document["components"]["schemas"].items())
        if "properties" in facts
    ]


def _operation(path: str, method: str, facts: Mapping[str, Any]) -> Operation:
    good = facts["responses"]["200"].get("content", {}).get("application/json", {})
    refers_to = _type(good.get("schema", {}))[1]
    example = good.get("example")
    return Operation(
        id=facts["operationId"],
        method=method.upper(),
        path=path,
        summary=facts.get("summary", ""),
        description=facts.get("description", ""),
        tag=facts["tags"][0],
        parameters=[
            _field(parameter["name"], parameter["schema"], parameter.get("description", "In the path."))
            for parameter in facts.get("parameters", ())
        ],
        answer=refers_to,
        example=json.dumps(example, indent=2, ensure_ascii=False) if example else None,
        problems=[
            (status if status != "default" else "other", answer["description"])
            for status, answer in facts["responses"].items()
            if status != "200"
        ],
    )


def _field(name: str, schema: Mapping[str, Any], description: str) -> Field:
    words, refers_to = _type(schema)
    return Field(name, words, refers_to, description)


def _type(schema: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return a type in words and the schema it names."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return name, name
    if "anyOf" in schema:
        parts = [_type(part) for part in schema["anyOf"]]
        return " or ".join(words for words, _ in parts), next((ref for _, ref in parts if ref), None)
    if schema.get("type") == "array":
        words, refers_to = _type(schema["items"])
        return f"list of {words}", refers_to
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"]), None
    words = "date-time" if schema.get("format") == "date-time" else str(schema.get("type", "any"))
    if "minimum" in schema and "maximum" in schema:
        words += f" {schema['minimum']} to {schema['maximum']}"
    return words, None
