"""Mark what feedparser would lose before it reads a document, so that all readers see the same. Pure.

feedparser splits authors at mail addresses, which it finds by a wrong pattern, assigns a podcast's private owner to its
author, and keeps either the text or the attributes of elements that it does not know. The marks are removed from its
fields in `fields`.
"""

from __future__ import annotations

import re

AT = "~at-sign~"  # in place of "@" in authors, so that feedparser leaves their texts alone
FALLBACK = "~fallback~"  # before the author of a podcast's show
OWN = "own"  # an attribute of links that are RSS's own
PLAIN_GUID = "plain-guid"  # an element before ids that are no addresses

_PLAIN_GUID = re.compile(rb"<guid(?=\s[^<>]{0,200}\bispermalink\s*=\s*[\"']?\s*false)", re.IGNORECASE)
_PERSON = re.compile(
    rb"<((?:[\w.-]{1,40}:)?(?:author|creator|managingeditor)|[\w.-]{1,40}:owner)(?:\s[^<>]{0,500})?>", re.IGNORECASE
)
_LONGEST = 3000  # bytes of an author
_OWN_LINK = re.compile(rb"<link\s*>")
_EVENT = re.compile(
    rb"<([\w.-]{1,40}:(?:dtstart|dtend|startdate|enddate|location))\s([^<>]{0,500}[^<>/])>", re.IGNORECASE
)
_ZONE = re.compile(rb"tzid\s*=\s*[\"']([^\"'<>&]{1,60})[\"']", re.IGNORECASE)
_SIGN = re.compile(rb"@|&#64;|&#x40;|&commat;", re.IGNORECASE)
_SHOW = re.compile(rb"(?i)(?:itunes|googleplay)[\w.-]*:")


def marked(body: bytes) -> bytes:
    """Return a document with the marks."""
    body = _with_people(body)
    body = _OWN_LINK.sub(b'<link %b="1">' % OWN.encode(), body)
    body = _PLAIN_GUID.sub(lambda found: b"<%b>1</%b>%b" % (PLAIN_GUID.encode(), PLAIN_GUID.encode(), found[0]), body)
    return _EVENT.sub(_event, body)


def unmarked(text: str) -> str:
    """Return the text of an author without marks."""
    return text.replace(AT, "@").removeprefix(FALLBACK)


def _with_people(body: bytes) -> bytes:
    """Mark the authors of a document, and remove the private owners of podcasts."""
    pieces, at = [], 0
    unclosed: dict[bytes, int] = {}  # by name: no closing tag before this place, so that it is not looked for again
    for opening in _PERSON.finditer(body):
        start, name = opening.end(), opening[1]
        if opening.start() < at or opening[0].endswith(b"/>"):
            continue
        first = max(start, unclosed.get(name, 0) - len(name) - 1)
        end = body.find(b"</" + name, first, start + _LONGEST)
        if end < 0:
            unclosed[name] = start + _LONGEST
            continue
        if name.lower().endswith(b":owner"):
            closing = body.find(b">", end, end + _LONGEST)
            pieces.append(body[at : opening.start()])
            at = closing + 1 if closing >= 0 else end
        else:
            mark = FALLBACK.encode() if _SHOW.match(name) else b""
            pieces += [body[at:start], mark, _SIGN.sub(AT.encode(), body[start:end])]
            at = end
    return b"".join([*pieces, body[at:]])


def _event(found: re.Match[bytes]) -> bytes:
    zone = _ZONE.search(found[2])
    return b"<%b>" % found[1] + (b"TZID=%b:" % zone[1] if zone else b"")
