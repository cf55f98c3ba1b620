"""Determine a document's encoding as feedparser does: by header, declaration or guess. Pure."""

from __future__ import annotations

import codecs
import re

_UTF16 = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
_DECLARED = re.compile(r"^<\?xml[^>]*?\?>")
_NAMED = re.compile(rb"^<\?.*encoding=['\"](.*?)['\"].*\?>")
UTF8 = "application/xml; charset=utf-8"
_UTF8_MARK = b"\xef\xbb\xbf"
_LAST_RESORTS = ("utf-8", "windows-1252")
# Other codecs of Python are not text encodings (rot13), or can't be distinguished byte by byte.
_KNOWN = frozenset({"utf-8", "ascii", "cp1252", "iso8859-1", "iso8859-2", "iso8859-15", "cp1250", "cp1251", "koi8-r"})


def ascii_compatible(body: bytes, content_type: str) -> tuple[bytes, str]:
    """Return the body in an encoding whose tags can be searched as bytes, and the matching content type."""
    if body.startswith(_UTF8_MARK):
        return body, UTF8  # a byte order mark takes precedence over a header
    for mark, encoding in _UTF16:
        if body.startswith(mark):
            text = _DECLARED.sub("", body.decode(encoding, "replace").removeprefix("\ufeff").lstrip())
            return text.encode(), UTF8
    return body, content_type or "application/xml"


def as_utf8(body: bytes, content_type: str) -> bytes | None:
    """Convert an ASCII-compatible document to UTF-8 with a matching declaration; return None for a rare encoding."""
    body = body.removeprefix(_UTF8_MARK)
    named = _NAMED.match(body)
    declared = named[1].decode("ascii", "replace").lower() if named else ""
    for name in (_by_header(content_type, declared), declared, *_LAST_RESORTS):
        if not name:
            continue
        try:
            codec = codecs.lookup(name).name
        except (LookupError, ValueError):  # feedparser then tries the next one
            continue
        if codec not in _KNOWN:
            return None
        try:
            text = body.decode(codec)
        except UnicodeDecodeError:
            continue
        if codec in {"utf-8", "ascii"} and declared in {"", "utf-8", "us-ascii"}:
            return body
        return _DECLARED.sub('<?xml version="1.0"?>', text).encode()
    return None


def _by_header(content_type: str, declared: str) -> str:
    """Return the encoding of the header by RFC 3023, the first step of feedparser."""
    mime, *parameters = content_type.split(";")
    mime, charset = mime.strip(), ""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip("\"'")
    if charset and (mime.startswith("text/") or _is_xml(mime)):
        return charset
    return "us-ascii" if mime.startswith("text/") else declared or "utf-8"


def _is_xml(mime: str) -> bool:
    known = ("application/xml", "application/xml-dtd", "application/xml-external-parsed-entity")
    return mime in known or (mime.startswith("application/") and mime.endswith("+xml"))
