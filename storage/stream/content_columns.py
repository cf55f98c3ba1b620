"""Convert content to columns and back: fields for filters and sorting have columns, the rest is one JSON value."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aggregator.domain.activity import (
    Activity,
    Actor,
    Content,
    Original,
    Review,
    SourceRef,
    Upstream,
)
from aggregator.domain.adapters import adapter
from aggregator.domain.compliance.ids_only import reduced_item
from aggregator.domain.descriptions import with_descriptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Row

IDS_ONLY = "ids_only"  # execution option of a connection: networks whose content is neither stored nor read
ORGANIZATIONS = "organizations"  # another: a function that returns the organizations
_SAME = (  # columns with the same names as an activity's fields
    "id",
    "native_id",
    "key",
    "object_key",
    "first_seen",
    "position",
    "revision",
    "fingerprint",
    "review_by",
    "review_reason",
    "visible",
    "reviewed",
    "reviewer",
    "review_rule",
    "headline",
    "note",
    "pinned_until",
    "gone",
    "gone_reason",
    "story",
    "thread",
)
ACTOR = ("network", "native_id", "name", "handle", "url", "avatar")
COLUMNS = ("kind", "network", "url", "title", "text", "html", "lang", "published", "updated")
ACTORS = ("actor", "object_actor", "quoted_actor")
OWN = (*_SAME, *COLUMNS, "detail", "object", "upstream", "review", "topics", "countries", "reasons", "descriptions")
_ACTOR_COLUMNS = {prefix: tuple(f"{prefix}_{name}" for name in ACTOR) for prefix in ACTORS}
WHOLE = (*OWN, "source_slug", "source_name", *(name for prefix in ACTORS for name in _ACTOR_COLUMNS[prefix]))
_UPSTREAM = {state.value: state for state in Upstream}
_REVIEW = {state.value: state for state in Review}


def columns_of(content: Content) -> dict[str, Any]:
    """Return the column values of a content; its actor has a row of its own."""
    values: dict[str, Any] = {name: getattr(content, name) for name in COLUMNS}
    values["kind"] = content.kind.value
    excluded = {*COLUMNS, "actor"}
    values["detail"] = adapter(Content).dump_python(content, mode="json", exclude_defaults=True, exclude=excluded)
    return values


def json_of(original: Original | None) -> dict[str, Any] | None:
    """Return the JSON value of an embedded object; its actor has a row of its own, also that of a quoted post in it."""
    if original is None:
        return None
    value: dict[str, Any] = adapter(Original).dump_python(
        original, mode="json", exclude_defaults=True, exclude={"content": {"actor"}, "object": {"content": {"actor"}}}
    )
    return value


def ids_only_of(connection: Connection) -> frozenset[str]:
    """Return the networks whose content a connection neither stores nor reads."""
    networks: frozenset[str] = connection.get_execution_options().get(IDS_ONLY, frozenset())
    return networks


def activity_of(row: Row[Any], connection: Connection) -> Activity:
    """Build the activity of a row of `pages.whole`, whose first columns are `WHOLE`."""
    item = _whole_activity(row)
    return reduced_item(item) if item.content.network in ids_only_of(connection) else item


def _whole_activity(row: Row[Any]) -> Activity:
    values = dict(zip(WHOLE, row, strict=False))
    content = adapter(Content).validate_python(
        {
            **(values["detail"] or {}),
            **{name: values[name] for name in COLUMNS},
            "text": values["text"] or "",
            "html": values["html"] or "",
            "actor": _actor_of(values, "actor"),
        }
    )
    original = _original_of(values) if values["object"] else None
    if descriptions := values["descriptions"]:
        content = with_descriptions(content, descriptions)
        original = original and replace(original, content=with_descriptions(original.content, descriptions))
    return Activity(
        **{name: values[name] for name in _SAME},
        source=SourceRef(values["source_slug"], values["source_name"]),
        content=content,
        object=original,
        upstream=_UPSTREAM[values["upstream"]],
        review=_REVIEW[values["review"]],
        topics=tuple(values["topics"] or ()),
        countries=tuple(values["countries"] or ()),
        reasons=values["reasons"] or {},
        descriptions=values["descriptions"] or {},
    )


def _original_of(values: Mapping[str, Any]) -> Original:
    original = adapter(Original).validate_python(values["object"])
    quoted = original.object
    return replace(
        original,
        content=replace(original.content, actor=_actor_of(values, "object_actor")),
        object=replace(quoted, content=replace(quoted.content, actor=_actor_of(values, "quoted_actor")))
        if quoted
        else None,
    )


def _actor_of(values: Mapping[str, Any], prefix: str) -> Actor | None:
    network, native_id, *rest = [values[name] for name in _ACTOR_COLUMNS[prefix]]
    return None if native_id is None else Actor(network, native_id, *rest)
