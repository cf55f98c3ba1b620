"""Sanitize external text, URLs, languages and media types for feeds. Pure."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from aggregator.web.addresses import web_address

# All but the characters of XML 1.0 (production 2), and the control characters it discourages, which some readers decode
# as Windows-1252. Lone surrogates are in neither XML nor UTF-8.
_ILLEGIBLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAK = re.compile("[\x85\u2028\u2029]")  # a line break in some readers, ignored in others
_LONE_PERCENT = re.compile("%(?![0-9a-fA-F]{2})")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
_IN_HOST = "!$&'()*+,;=~%:@[]"
_IN_PATH = "!$&'()*+,;=~%:@/"
_IN_QUERY = _IN_PATH + "?"


def legible(text: str) -> str:
    """Return a text without the characters that XML 1.0 forbids or that readers treat differently."""
    return _ILLEGIBLE.sub("", _BREAK.sub("\n", text))


def legible_json(value: Any) -> Any:  # noqa: ANN401  # any JSON value
    """Return a value without such characters in its texts, so that all formats are equal."""
    if isinstance(value, str):
        return legible(value)
    if isinstance(value, dict):
        return {legible(key): legible_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [legible_json(item) for item in value]
    return value


def address(url: str | None) -> str | None:
    """Return a web URL in the spelling of RFC 3986, or None if it must not become a link."""
    if not url or not (found := web_address(legible(url).strip())):
        return None
    try:
        parts = urlsplit(_LONE_PERCENT.sub("%25", found))
        if not parts.hostname:
            return None
    except ValueError:  # a bracket that isn't an IPv6 address
        return None
    return urlunsplit(
        (
            parts.scheme,
            quote(parts.netloc, safe=_IN_HOST),
            quote(parts.path, safe=_IN_PATH),
            quote(parts.query, safe=_IN_QUERY),
            quote(parts.fragment, safe=_IN_QUERY),
        )
    )


def language(tag: str | None) -> str | None:
    """Return a language in the syntax of BCP 47, or None."""
    return tag if tag and _LANGUAGE.fullmatch(tag) else None


def media_type(mime: str | None) -> str | None:
    """Return a media type in lower case without parameters, or None if it is invalid."""
    bare = (mime or "").partition(";")[0].strip().lower()
    return bare if _MEDIA_TYPE.fullmatch(bare) else None
