"""Kinds, sizes and lengths of enclosures as feeds write them. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_BY_MEDIUM = {"image": "image", "video": "video", "audio": "audio"}
_BY_ENDING = {
    "image": {"jpg", "jpeg", "png", "gif", "webp", "avif", "svg"},
    "video": {"mp4", "m4v", "mov", "webm", "ogv", "mkv"},
    "audio": {"mp3", "m4a", "aac", "ogg", "oga", "opus", "flac", "wav"},
}
_LARGEST = 2**53  # what every reader's JSON can hold


def media_type(mime: str | None, medium: str | None, url: str) -> str:
    """Return "image", "video", "audio" or "file": as the feed says, else by the address' ending."""
    head = (mime or "").partition("/")[0].lower()
    if head in _BY_MEDIUM:
        return head
    if (medium or "").lower() in _BY_MEDIUM:
        return _BY_MEDIUM[(medium or "").lower()]
    if "flash" in (mime or ""):  # how video sites still announce their player
        return "video"
    try:
        ending = urlsplit(url).path.rpartition(".")[2].lower()
    except ValueError:
        return "file"
    return next((kind for kind, endings in _BY_ENDING.items() if ending in endings), "file")


def whole(text: str | None) -> int | None:
    """Return a size in bytes or pixels; None for nothing, zero and nonsense, which feeds write for "unknown"."""
    if text is None or not re.fullmatch(r"[0-9]{1,16}", text):
        return None
    number = int(text)
    return number if 0 < number <= _LARGEST else None


def seconds(text: str | None) -> float | None:
    """Return a length written as seconds, M:SS or H:MM:SS."""
    if text is None or not re.fullmatch(r"(?:[0-9]{1,6}:){0,2}[0-9]{1,8}(?:\.[0-9]{1,6})?", text):
        return None
    length = 0.0
    for part in text.split(":"):
        length = length * 60 + float(part)
    return length or None
