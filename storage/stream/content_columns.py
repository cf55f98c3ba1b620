"""Content to columns and back: what is filtered or sorted has a column, the rest is one JSON value."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from aggregator.domain.activity import (
    Activity,
    Actor,
    Content,
    Original,
    Review,
    SourceRef,
    Upstream,
)

if TYPE_CHECKING:
    from sqlalchemy import Row, RowMapping

ACTOR = ("network", "native_id", "name", "handle", "url", "avatar")
COLUMNS = ("kind", "network", "url", "title", "text", "html", "lang", "published", "updated")

_content: TypeAdapter[Content] = TypeAdapter(Content)
_original: TypeAdapter[Original] = TypeAdapter(Original)


def columns_of(content: Content) -> dict[str, Any]:
    """Return the column values of a content; its actor is a row of its own."""
    values: dict[str, Any] = {name: getattr(content, name) for name in COLUMNS}
    values["kind"] = content.kind.value
    values["detail"] = _content.dump_python(content, mode="json", exclude_defaults=True, exclude={*COLUMNS, "actor"})
    return values


def json_of(original: Original | None) -> dict[str, Any] | None:
    """Return the JSON value of an embedded object; its actor is a row of its own."""
    if original is None:
        return None
    value: dict[str, Any] = _original.dump_python(
        original, mode="json", exclude_defaults=True, exclude={"content": {"actor"}}
    )
    return value


def activity_of(row: Row[Any]) -> Activity:
    """Build the activity of a row that joins activity, source and actor."""
    values = row._mapping  # noqa: SLF001  # SQLAlchemy's documented name for a row as a mapping
    detail = values["detail"] or {}
    content = _content.validate_python(
        {
            **detail,
            **{name: values[name] for name in COLUMNS},
            "text": values["text"] or "",
            "html": values["html"] or "",
            "actor": _actor_of(values, "actor"),
        }
    )
    return Activity(
        id=values["id"],
        source=SourceRef(values["source_slug"], values["source_name"]),
        native_id=values["native_id"],
        key=values["key"],
        content=content,
        object=_original_of(values),
        object_key=values["object_key"],
        first_seen=values["first_seen"],
        position=values["position"],
        revision=values["revision"],
        fingerprint=values["fingerprint"],
        upstream=Upstream(values["upstream"]),
        review=Review(values["review"]),
        review_by=values["review_by"],
        review_reason=values["review_reason"],
        visible=values["visible"],
        reviewed=values["reviewed"],
        reviewer=values["reviewer"],
        review_rule=values["review_rule"],
        headline=values["headline"],
        note=values["note"],
        pinned_until=values["pinned_until"],
        gone=values["gone"],
        gone_reason=values["gone_reason"],
        topics=tuple(values["topics"] or ()),
        countries=tuple(values["countries"] or ()),
        reasons=values["reasons"] or {},
        story=values["story"],
    )


def _original_of(values: RowMapping) -> Original | None:
    if not values["object"]:
        return None
    original = _original.validate_python(values["object"])
    actor = _actor_of(values, "object_actor")
    return replace(original, content=replace(original.content, actor=actor)) if actor else original


def _actor_of(values: RowMapping, prefix: str) -> Actor | None:
    if values[f"{prefix}_native_id"] is None:
        return None
    return Actor(**{name: values[f"{prefix}_{name}"] for name in ACTOR})
