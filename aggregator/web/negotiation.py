"""Negotiate the content coding and media type of a response.

Each function is idempotent: its result, used as the header, gives the same result.
"""

from __future__ import annotations

from typing import NamedTuple

CODINGS = ("zstd", "br", "gzip")  # best first
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
    """Return the best accepted content coding; the order of qualities is ignored."""
    qualities = {part.value: part.quality for part in _parts(accept_encoding)}
    other = qualities.get("*", 0.0)
    return next((name for name in CODINGS if qualities.get(name, other) > 0), IDENTITY)


def media_of(accept: str) -> str:
    """Return the preferred media type: a page, ActivityStreams, or neither (`ANY`).

    On a tie ActivityStreams wins: browsers never name it.
    """
    named = [part for part in _parts(accept) if part.value in _OFFERS and part.quality > 0]
    return (
        max((part.quality, _OFFERS[part.value] == ACTIVITY, _OFFERS[part.value]) for part in named)[2] if named else ANY
    )


def tags_of(accept_language: str) -> list[tuple[str, float]]:
    """Return the accepted language tags in lower case with their qualities."""
    return [(part.value, part.quality) for part in _parts(accept_language)]


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
