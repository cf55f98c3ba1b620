"""Flatten the OpenAPI document for the documentation page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aggregator.reader.query_params import FILTERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FILTERS = tuple(parameter.name for parameter in FILTERS)
_ENDS = {"or": " or ", "list": "list of "}


@dataclass(frozen=True, slots=True)
class TypePart:
    """A part of a type in words: "string", " or ", or the name of a schema."""

    words: str
    is_schema: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """A property or a parameter."""

    name: str
    type: Sequence[TypePart]
    description: str
    default: str | None = None
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the API."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    tag: str
    parameters: Sequence[Field]  # besides the filters
    has_filters: bool  # accepts all of them
    answer: str | None  # the schema of the 200 response
    media_type: str | None  # of the 200 response
    example: str | None  # JSON
    problems: Sequence[tuple[str, str]]  # status and description
    command: str  # calls it with curl
    takes_token: bool


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema."""

    name: str
    description: str
    fields: Sequence[Field]
    values: Sequence[str]  # of an enumeration
    used_by: Sequence[str]  # schemas that contain it


@dataclass(frozen=True, slots=True)
class ChangeType:
    """A type of change, or of a server-sent event, and its schema."""

    type: str
    schema: str
    description: str


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """Return the operations in the order of the document."""
    return [
        _operation(path, method, facts)
        for path, methods in document["paths"].items()
        for method, facts in methods.items()
    ]


def filters(document: Mapping[str, Any]) -> list[Field]:
    """Return the parameters that all operations on the stream share."""
    parameters = document["paths"]["/api/v1/activities"]["get"]["parameters"]
    return [_parameter(parameter) for parameter in parameters if parameter["name"] in _FILTERS]


def schemas(document: Mapping[str, Any]) -> list[Schema]:
    """Return the schemas, sorted by name."""
    found = document["components"]["schemas"]
    fields = {name: _fields(facts) for name, facts in found.items()}
    return [
        Schema(
            name,
            facts.get("description", ""),
            fields[name],
            [str(value) for value in facts.get("enum", ())],
            sorted(user for user, users in fields.items() if any(_names(field, name) for field in users)),
        )
        for name, facts in sorted(found.items())
    ]


def change_types(document: Mapping[str, Any]) -> list[ChangeType]:
    """Return the types of changes in the list of changes."""
    shapes = document["components"]["schemas"]
    mapping = shapes["ChangeList"]["properties"]["changes"]["items"]["discriminator"]["mapping"]
    names = {type_: reference.rpartition("/")[2] for type_, reference in mapping.items()}
    return [ChangeType(type_, name, shapes[name].get("description", "")) for type_, name in names.items()]


def _operation(path: str, method: str, facts: Mapping[str, Any]) -> Operation:
    content = facts["responses"]["200"].get("content", {})
    media_type = next(iter(content), None)
    good = content.get(media_type, {})
    parts = _type(good.get("schema", {}))
    example = good.get("example")
    parameters = facts.get("parameters", ())
    has_filters = {parameter["name"] for parameter in parameters} >= set(_FILTERS)
    own = [parameter for parameter in parameters if not has_filters or parameter["name"] not in _FILTERS]
    return Operation(
        id=facts["operationId"],
        method=method.upper(),
        path=path,
        summary=facts.get("summary", ""),
        description=facts.get("description", ""),
        tag=facts["tags"][0],
        parameters=[_parameter(parameter) for parameter in own],
        has_filters=has_filters,
        answer=next((part.words for part in parts if part.is_schema), None),
        media_type=media_type,
        example=json.dumps(example, indent=2, ensure_ascii=False) if example else None,
        problems=[
            (status if status != "default" else "other", answer["description"])
            for status, answer in facts["responses"].items()
            if status != "200"
        ],
        command=facts["x-codeSamples"][0]["source"],
        takes_token={"portalToken": []} in facts.get("security", ()),
    )


def _parameter(parameter: Mapping[str, Any]) -> Field:
    schema = parameter["schema"]
    return Field(
        parameter["name"],
        _type(schema),
        parameter.get("description", ""),
        str(schema["default"]) if "default" in schema else None,
        is_required=parameter.get("required", False),
    )


def _fields(facts: Mapping[str, Any]) -> list[Field]:
    return [
        Field(name, _type(value), value.get("description", ""), is_required=name in facts.get("required", ()))
        for name, value in facts.get("properties", {}).items()
    ]


def _names(field: Field, schema: str) -> bool:
    return any(part.is_schema and part.words == schema for part in field.type)


def _type(schema: Mapping[str, Any]) -> list[TypePart]:
    """Return a type in words and names of schemas."""
    if "$ref" in schema:
        return [TypePart(schema["$ref"].rpartition("/")[2], is_schema=True)]
    if "anyOf" in schema:
        first, *others = (_type(part) for part in schema["anyOf"])
        return first + [part for other in others for part in (TypePart(_ENDS["or"]), *other)]
    if schema.get("type") == "array":
        return [TypePart(_ENDS["list"]), *_type(schema["items"])]
    if "enum" in schema:
        return [TypePart(" | ".join(str(value) for value in schema["enum"]))]
    words = "date-time" if schema.get("format") == "date-time" else str(schema.get("type", "any"))
    if "minimum" in schema and "maximum" in schema:
        words += f" {schema['minimum']} to {schema['maximum']}"
    return [TypePart(words)]
