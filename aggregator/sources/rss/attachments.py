"""Read enclosures and Media RSS of an entry: fields in, media out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aggregator.domain.activity import Media
from aggregator.sources.rss.media_types import PLAYED_IN_BROWSERS, media_type, seconds, whole
from aggregator.text.pictures import address_in, sensible, width_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

GROUP = "in-group"  # attribute that readers give to each media:content of a media:group
_SENSIBLE_HEIGHT = 1080  # pixels of a film
_OF_ALL = ("alt", "caption", "preview", "duration")  # details that the versions of a medium share


@dataclass(frozen=True, slots=True)
class RawMedia:
    """The elements of an entry that may be media, each with its attributes."""

    links: Iterable[Mapping[str, Any]] = ()
    contents: Iterable[Mapping[str, Any]] = ()
    thumbnails: Iterable[Mapping[str, Any]] = ()


def media_in(raw: RawMedia, image: str | None, duration: str | None) -> Iterator[Media]:
    """Return the media of an entry; still images without a purpose of their own have the type "thumbnail".

    Args:
        raw: the entry's elements.
        image: the picture of the entry, which stands for sounds and films.
        duration: of the entry's sound or film.
    """
    for link in raw.links:
        url = _text(link, "href")
        if url and link.get("rel") == "enclosure":
            mime = _text(link, "type")
            kind = media_type(mime, None, url)
            plays = kind in {"audio", "video"}
            yield Media(
                kind,
                url,
                mime=mime,
                bytes=whole(_text(link, "length")),
                duration=seconds(duration) if plays else None,
                preview=image if plays else None,
            )
    for content in best_of_groups(raw.contents):
        yield _content(content)
    for thumbnail in raw.thumbnails:
        url = _text(thumbnail, "url")
        if url:
            width, height = whole(_text(thumbnail, "width")), whole(_text(thumbnail, "height"))
            yield Media("thumbnail", url, width=width, height=height)


def best_of_groups(contents: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return each media:content with an address, but of a group only the best version of each type.

    A group is one picture or film in several qualities (Media RSS). Publishers also group different pictures, each
    with a text of its own; those stay.
    """
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for number, content in enumerate(contents):
        if _text(content, "url"):
            group = _text(content, GROUP)
            found.setdefault((group or f"alone {number}", _kind(content)), []).append(content)
    chosen: list[Mapping[str, Any]] = []
    for versions in found.values():
        words = {_text(version, "alt") or _text(version, "caption") for version in versions} - {None}
        chosen += versions if len(words) > 1 else [_best(versions)]
    # Only a group has a default. The default is also the first of the types in it.
    defaults = {_text(content, GROUP) for content in chosen if _is_default(content)} - {None}
    return sorted(chosen, key=lambda content: _text(content, GROUP) in defaults and not _is_default(content))


def _best(versions: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the default version, or else the largest sensible one, with the details that others have."""
    web = [version for version in versions if address_in(_text(version, "url"))] or versions
    best = max(web, key=lambda version: (_is_default(version), *_rank(version)))
    details = {
        name: value for version in reversed(versions) for name in _OF_ALL if (value := _text(version, name)) is not None
    }
    return {**details, **best}


def _rank(content: Mapping[str, Any]) -> tuple[int, float, float]:
    mime = (_text(content, "type") or "").lower()
    width, height = whole(_text(content, "width")), whole(_text(content, "height"))
    if _kind(content) == "image":
        return 0, sensible(width or (height or 0) * 1.5 or width_in(_text(content, "url") or "")), 0
    height = height or (width or 0) * 9 // 16
    fits = height if height <= _SENSIBLE_HEIGHT else _SENSIBLE_HEIGHT**2 / height
    return int(mime in PLAYED_IN_BROWSERS), fits, seconds(_text(content, "bitrate")) or 0


def _content(content: Mapping[str, Any]) -> Media:
    return Media(
        _kind(content),
        _text(content, "url") or "",
        alt=_text(content, "alt") or _text(content, "caption"),
        mime=_text(content, "type"),
        bytes=whole(_text(content, "filesize")),
        width=whole(_text(content, "width")),
        height=whole(_text(content, "height")),
        duration=seconds(_text(content, "duration")),
        preview=_text(content, "preview"),
    )


def _kind(content: Mapping[str, Any]) -> str:
    return media_type(_text(content, "type"), _text(content, "medium"), _text(content, "url") or "")


def _is_default(content: Mapping[str, Any]) -> bool:
    return (_text(content, "isdefault") or "").lower() == "true"


def _text(values: Mapping[str, Any], name: str) -> str | None:
    value = dict.get(values, name) if isinstance(values, dict) else None  # without feedparser's aliases
    return value.strip() or None if isinstance(value, str) else None
