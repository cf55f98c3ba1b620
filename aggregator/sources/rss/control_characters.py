"""Remove characters that no text needs and no output may contain: controls, lone surrogates, noncharacters. Pure."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from aggregator.domain.activity import Content

_T = TypeVar("_T")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,1000}>")
_SURROGATES = re.compile("[\ud800-\udfff]")
_UNWANTED = re.compile(f"{_CONTROLS.pattern}|{_SURROGATES.pattern}")


def without_controls(text: str) -> str:
    """Return a text without control characters; U+FFFD replaces half an emoji."""
    if text.isascii() and text.isprintable():
        return text
    text = _CONTROLS.sub("", text)
    return _SURROGATES.sub("\ufffd", text) if _SURROGATES.search(text) else text


def plain_id(name: str | None) -> str:
    """Return an entry's id without control characters and HTML markup, which some publishers put around it."""
    text = without_controls(name or "").strip()
    if "<" not in text:
        return text
    return " ".join(_TAG.sub(" ", text).split())


def clean_content(content: Content) -> Content:
    """Return a content without control characters; one search detects the usual case without any."""
    words = [content.title, content.text, content.html, *content.hashtags, *(link.text for link in content.links)]
    words += [media.alt for media in content.media]
    words += [content.actor.name if content.actor else None, content.event.place if content.event else None]
    return cleaned(content) if _UNWANTED.search("".join(filter(None, words))) else content


def cleaned(value: _T) -> _T:
    """Return a value without control characters in its texts, also within tuples, lists, dicts and dataclasses."""
    found: Any = value
    if isinstance(found, str):
        found = without_controls(found)
    elif isinstance(found, tuple | list):
        items = [cleaned(item) for item in found]
        if any(new is not old for new, old in zip(items, found, strict=True)):
            found = tuple(items) if isinstance(found, tuple) else items
    elif isinstance(found, dict):
        found = {name: cleaned(item) for name, item in found.items()}
    elif is_dataclass(found) and not isinstance(found, type):
        changed = {}
        for field in fields(found):
            old = getattr(found, field.name)
            new = cleaned(old)
            if new is not old:
                changed[field.name] = new
        found = replace(found, **changed) if changed else found
    result: _T = found
    return result
