"""Read the embeds of a post: images, video, link cards and quoted posts. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aggregator.domain.activity import Link, Media
from aggregator.source_api.untrusted_json import Record, address, record, records, text, whole
from aggregator.sources.bluesky.addresses import GENERATORS, LISTS, POSTS, STARTER_PACKS, page_of, uri_of
from aggregator.sources.bluesky.lexicon import type_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_EMBED = "app.bsky.embed."
_UNAVAILABLE = frozenset({"viewNotFound", "viewBlocked", "viewDetached"})  # deleted, blocked, or detached by its author
_HLS = "application/vnd.apple.mpegurl"
_MOST_MEDIA = 40


@dataclass(slots=True)
class Embedded:
    """The embeds of a post. `quoted` is the view of the quoted post, if it may be shown."""

    media: list[Media] = field(default_factory=list)
    cards: list[Link] = field(default_factory=list)
    quoted: Record | None = None
    quotes: bool = False  # even if the quoted post is not available


def embedded(views: Sequence[Record]) -> Embedded:
    """Return what the views of a post's embeds contain; unknown ones are left out."""
    found = Embedded()
    for view in views:
        match type_of(view).removeprefix(_EMBED):
            case "recordWithMedia#view":
                _read_record(record(record(view.get("record")).get("record")), found)
                _read_media(record(view.get("media")), found)
            case "record#view":
                _read_record(record(view.get("record")), found)
            case _:
                _read_media(view, found)
    return found


def _read_media(view: Record, found: Embedded) -> None:
    match type_of(view).removeprefix(_EMBED):
        case "images#view":
            images = records(view.get("images"))
        case "gallery#view":
            images = records(view.get("media")) or records(view.get("items"))
        case "video#view":
            found.media += _video(view)
            return
        case "external#view":
            found.cards += _card(record(view.get("external")))
            return
        case _:
            return
    found.media += [image for item in images[:_MOST_MEDIA] if (image := _image(item))]


def _image(item: Record) -> Media | None:
    url = address(item.get("fullsize"))
    if url is None:
        return None
    width, height = _size(item)
    return Media("image", url, alt=_alt(item), width=width, height=height)


def _video(view: Record) -> list[Media]:
    url = address(view.get("playlist"))
    if url is None:
        return []
    width, height = _size(view)
    preview = address(view.get("thumbnail"))
    kind = "animation" if view.get("presentation") == "gif" else "video"
    return [Media(kind, url, alt=_alt(view), mime=_HLS, width=width, height=height, preview=preview)]


def _size(view: Record) -> tuple[int | None, int | None]:
    ratio = record(view.get("aspectRatio"))
    return whole(ratio.get("width")), whole(ratio.get("height"))


def _alt(view: Record) -> str | None:
    return text(view.get("alt")).strip() or None


def _card(card: Record) -> list[Link]:
    url = address(card.get("uri"))
    if url is None:
        return []
    title, description = text(card.get("title"), 500).strip(), text(card.get("description"), 2000).strip()
    return [Link(url, title=title or None, description=description or None, image=address(card.get("thumb")))]


def _read_record(view: Record, found: Embedded) -> None:
    kind = type_of(view).removeprefix(f"{_EMBED}record#")
    uri = uri_of(view.get("uri"))
    if kind in _UNAVAILABLE:
        found.quotes = True
    elif kind == "viewRecord" and uri is not None and uri.collection == POSTS:
        found.quoted, found.quotes = view, True
    elif uri is not None and uri.collection in {GENERATORS, LISTS, STARTER_PACKS}:
        described = record(view.get("record")) or view  # of a starter pack
        title = text(view.get("displayName"), 500) or text(described.get("name"), 500)
        description = text(described.get("description"), 2000).strip()
        found.cards.append(
            Link(page_of(uri), title=title or None, description=description or None, image=address(view.get("avatar")))
        )
