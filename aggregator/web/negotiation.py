"""Content negotiation: which coding and which representation a request's headers choose.

Each function is idempotent: a header that holds its result chooses the same again.
"""

from __future__ import annotations

from typing import NamedTuple

CODINGS = ("zstd", "br", "gzip")  # the best first
IDENTITY = "identity"
HTML = "text/html"
ACTIVITY = "application/activity+json"
ANY = "*/*"
_OFFERS = {HTML: HTML, "application/xhtml+xml": HTML, ACTIVITY: ACTIVITY, "application/ld+json": ACTIVITY}
_MOST_PARTS = 50  # of one header; browsers send fewer than ten


class _Part(NamedTuple):
    value: str
    quality: float


def coding_of(accept_encoding: str) -> str:
    """Return the coding for an answer: the best that is accepted, whatever the qualities among them."""
    qualities = {part.value: part.quality for part in _parts(accept_encoding)}
    other = qualities.get("*", 0.0)
    return next((name for name in CODINGS if qualities.get(name, other) > 0), IDENTITY)


def media_of(accept: str) -> str:
    """Return the representation that is named and preferred: a page, ActivityStreams, or neither (`ANY`).

    Of equal ones it is ActivityStreams, which no browser names.
    """
    named = [part for part in _parts(accept) if part.value in _OFFERS and part.quality > 0]
    return (
        max((part.quality, _OFFERS[part.value] == ACTIVITY, _OFFERS[part.value]) for part in named)[2] if named else ANY
    )


def _parts(header: str) -> list[_Part]:
    parts = []
    for text in header.split(",", _MOST_PARTS)[:_MOST_PARTS]:
        value, *parameters = (piece.strip().lower() for piece in text.split(";"))
        if value:
            parts.append(_Part(value, _quality(parameters)))
    return parts


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                return 0.0
            return quality if 0 <= quality <= 1 else 0.0
    return 1.0
