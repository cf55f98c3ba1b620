"""Parse types, sizes and durations of enclosures. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_BY_MEDIUM = {"image": "image", "video": "video", "audio": "audio"}
_BY_ENDING = {
    "image": {"jpg", "jpeg", "png", "gif", "webp", "avif", "svg"},
    "video": {"mp4", "m4v", "mov", "webm", "ogv", "mkv", "avi", "flv", "mpg", "mpeg", "wmv", "3gp", "m3u8"},
    "audio": {"mp3", "m4a", "m4b", "aac", "ogg", "oga", "opus", "flac", "wav", "wma"},
}
PLAYED_IN_BROWSERS = frozenset({"video/mp4", "video/webm", "video/ogg", "audio/mpeg", "audio/mp4", "audio/ogg"})
_LARGEST = 2**53  # the largest integer that every JSON parser supports


def media_type(mime: str | None, medium: str | None, url: str) -> str:
    """Return "image", "video", "audio" or "file", by the declared type or else by the address's file extension."""
    head = (mime or "").partition("/")[0].lower()
    if head in _BY_MEDIUM:
        return head
    if (medium or "").lower() in _BY_MEDIUM:
        return _BY_MEDIUM[(medium or "").lower()]
    if "flash" in (mime or ""):  # still the type of players on video sites
        return "video"
    try:
        ending = urlsplit(url).path.rpartition(".")[2].lower()
    except ValueError:
        return "file"
    return next((kind for kind, endings in _BY_ENDING.items() if ending in endings), "file")


def whole(text: str | None) -> int | None:
    """Parse a size in bytes or pixels; return None for missing, zero and invalid values, which mean "unknown"."""
    if text is None or not re.fullmatch(r"[0-9]{1,16}", text):
        return None
    number = int(text)
    return number if 0 < number <= _LARGEST else None


def seconds(text: str | None) -> float | None:
    """Parse a duration in seconds, M:SS or H:MM:SS."""
    if text is None or not re.fullmatch(r"(?:[0-9]{1,6}:){0,2}[0-9]{1,8}(?:\.[0-9]{1,6})?", text):
        return None
    length = 0.0
    for part in text.split(":"):
        length = length * 60 + float(part)
    return length or None
