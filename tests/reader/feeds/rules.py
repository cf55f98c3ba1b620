"""Check the rules of JSON Feed 1.1, one function each."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.reader.feeds.looking import is_rfc3339, is_web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_TYPE = re.compile(r"[^\s/;]+/[^\s/;]+")
_BCP47 = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
_EXTENSION = re.compile(r"_[A-Za-z][A-Za-z0-9_]*")
_TOP = {
    "version",
    "title",
    "home_page_url",
    "feed_url",
    "description",
    "user_comment",
    "next_url",
    "icon",
    "favicon",
    "author",
    "authors",
    "language",
    "expired",
    "hubs",
    "items",
}
_ITEM = {
    "id",
    "url",
    "external_url",
    "title",
    "content_html",
    "content_text",
    "summary",
    "image",
    "banner_image",
    "date_published",
    "date_modified",
    "author",
    "authors",
    "tags",
    "language",
    "attachments",
}
_ATTACHMENT = {"url", "mime_type", "title", "size_in_bytes", "duration_in_seconds"}
_AUTHOR = {"name", "url", "avatar"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    where: str  # part of the specification
    what: str
    kept: Callable[[dict[str, Any]], bool]


def _items(feed: dict[str, Any]) -> list[dict[str, Any]]:
    found = feed["items"]
    assert isinstance(found, list)
    return found


def _within(feed: dict[str, Any], name: str) -> list[Any]:
    return [item[name] for item in _items(feed) if name in item]


def _listed(feed: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [item for many in _within(feed, name) for item in many]


def _known(values: Iterable[dict[str, Any]], names: set[str]) -> bool:
    return all(name in names or _EXTENSION.fullmatch(name) for value in values for name in value)


def _leaves(value: Any) -> Iterator[Any]:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        yield part
        yield from _leaves(part)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _unique_ids(feed: dict[str, Any]) -> bool:
    ids = [item["id"] for item in _items(feed)]
    return all(_is_text(item) and item for item in ids) and len(ids) == len(set(ids))


RULES = [
    Rule("Top-level", "version is that of 1.1", lambda f: f["version"] == "https://jsonfeed.org/version/1.1"),
    Rule("Top-level", "title is a text", lambda f: _is_text(f["title"]) and bool(f["title"])),
    Rule("Top-level", "addresses are absolute", lambda f: all(is_web(f[n]) for n in ("home_page_url", "feed_url"))),
    Rule("Top-level", "next_url is another than feed_url", lambda f: f.get("next_url") != f["feed_url"]),
    Rule("Top-level", "next_url is absolute", lambda f: "next_url" not in f or is_web(f["next_url"])),
    Rule("Top-level", "language is a tag", lambda f: "language" not in f or bool(_BCP47.fullmatch(f["language"]))),
    Rule("Top-level", "items is a list", lambda f: isinstance(f["items"], list)),
    Rule("Top-level", "no name that is not known", lambda f: _known([f], _TOP)),
    Rule("Items", "id is a text, and unique", _unique_ids),
    Rule(
        "Items",
        "url and external_url are absolute",
        lambda f: all(map(is_web, _within(f, "url") + _within(f, "external_url"))),
    ),
    Rule(
        "Items",
        "title and summary are texts",
        lambda f: all(map(_is_text, _within(f, "title") + _within(f, "summary"))),
    ),
    Rule("Items", "content is there", lambda f: all(i.get("content_html") or i.get("content_text") for i in _items(f))),
    Rule(
        "Items",
        "content is text",
        lambda f: all(map(_is_text, _within(f, "content_html") + _within(f, "content_text"))),
    ),
    Rule("Items", "image is absolute", lambda f: all(map(is_web, _within(f, "image")))),
    Rule(
        "Items",
        "dates are of RFC 3339",
        lambda f: all(map(is_rfc3339, _within(f, "date_published") + _within(f, "date_modified"))),
    ),
    Rule(
        "Items",
        "tags are texts",
        lambda f: all(isinstance(tags, list) and all(map(_is_text, tags)) for tags in _within(f, "tags")),
    ),
    Rule("Items", "language is a tag", lambda f: all(_BCP47.fullmatch(lang) for lang in _within(f, "language"))),
    Rule("Items", "no name that is not known", lambda f: _known(_items(f), _ITEM)),
    Rule(
        "Authors",
        "at least one of name, url and avatar",
        lambda f: all(_AUTHOR & set(a) for a in _listed(f, "authors")),
    ),
    Rule(
        "Authors",
        "addresses are absolute",
        lambda f: all(is_web(a[n]) for a in _listed(f, "authors") for n in ("url", "avatar") if n in a),
    ),
    Rule("Authors", "no name that is not known", lambda f: _known(_listed(f, "authors"), _AUTHOR)),
    Rule("Attachments", "url is absolute", lambda f: all(is_web(a["url"]) for a in _listed(f, "attachments"))),
    Rule(
        "Attachments",
        "mime_type is there",
        lambda f: all(_TYPE.fullmatch(a["mime_type"]) for a in _listed(f, "attachments")),
    ),
    Rule(
        "Attachments",
        "sizes and durations are numbers",
        lambda f: all(
            a[n] > 0 for a in _listed(f, "attachments") for n in ("size_in_bytes", "duration_in_seconds") if n in a
        ),
    ),
    Rule("Attachments", "no name that is not known", lambda f: _known(_listed(f, "attachments"), _ATTACHMENT)),
    Rule(
        "Extensions",
        "are objects",
        lambda f: all(isinstance(i[n], dict) for i in _items(f) for n in i if n.startswith("_")),
    ),
    Rule(
        "Unknown values",
        "are left out, never null or empty lists",
        lambda f: all(v is not None for v in _leaves(f)) and all(v != [] for i in _items(f) for v in i.values()),
    ),
]


def broken(document: bytes, rules: Iterable[Rule] = RULES) -> list[str]:
    """Return the rules that a document violates."""
    feed = json.loads(document.decode("utf-8"))
    return [f"{rule.where}: {rule.what}" for rule in rules if not rule.kept(feed)]
