"""Build the metadata of pages for search engines and link previews."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from aggregator.domain.activity import ActivityKind
from aggregator.reader.structured_data import embedded_json, structured_data, title_of
from aggregator.text.html import excerpt
from aggregator.web.dates import machine_time
from aggregator.web.labels import label
from aggregator.web.picture_addresses import PictureSize, picture_path
from aggregator.web.pictures import lead, still

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from aggregator.config.portal_folder import Configuration
    from aggregator.domain.activity import Activity, Content, Media
    from aggregator.reader.sharing import SharingTerms
    from aggregator.web.pages import Pages

_ICON = "icon-512.png"
_ICON_ALT = "Logo"
_INTRO = "Posts, news and events from all sources of this portal, newest first."


@dataclass(frozen=True, slots=True)
class PageMetadata:
    """The metadata of one page, see `head_meta.html`. All addresses are absolute."""

    title: str
    address: str
    site: str
    description: str
    image: str
    image_alt: str
    type: str = "website"
    locale: str = ""
    has_picture: bool = False  # the image belongs to the item
    more: Sequence[tuple[str, str]] = ()  # further OpenGraph properties
    oembed: str | None = None
    data: str | None = None  # JSON-LD, safe within a script element


class MetadataBuilder:
    """Builds the metadata of pages of one portal."""

    def __init__(self, pages: Pages, configuration: Configuration, terms: SharingTerms) -> None:
        """Set what all pages share.

        Args:
            pages: the portal's pages.
            configuration: has the portal's name.
            terms: what other sites may show.
        """
        self._pages = pages
        self._configuration = configuration
        self._terms = terms

    def of_page(self, request: Request, path: str, title: str = "", description: str = "") -> PageMetadata:
        """Return the metadata of a page that is no item's.

        Args:
            request: the request for it.
            path: its canonical path with its query.
            title: its title; "": the portal's name.
            description: a sentence about it; "": the portal's introduction.
        """
        portal, base = self._configuration.portal, self._pages.base(request)
        name = portal.name or "Activity Stream"
        about = {"@context": "https://schema.org", "@type": "WebSite", "name": name, "url": f"{base}/"}
        return PageMetadata(
            title=title or name,
            address=base + path,
            site=name,
            description=description or excerpt(portal.intro or _INTRO, 155),
            image=self._icon(base),
            image_alt=_ICON_ALT,
            data=embedded_json(about) if path == "/" else None,
        )

    def of_item(self, request: Request, item: Activity) -> PageMetadata:
        """Return the metadata of an item's page, without words and pictures that other sites may not show."""
        base = self._pages.base(request)
        page, site = f"{base}/activities/{item.id}", self._configuration.portal.name or "Activity Stream"
        oembed = f"{base}/oembed?url={quote(page, safe='')}"
        if not self._terms.allow_all(item):
            icon, title = self._icon(base), label(item.content)
            return PageMetadata(title, page, site, "", icon, _ICON_ALT, type="article", oembed=oembed)
        shown = _shown(item)
        picture = None if shown.sensitive else lead(shown)
        image = self._picture(base, item, picture) if picture else None
        return PageMetadata(
            title=title_of(shown),
            address=page,
            site=site,
            description=excerpt(shown.text, 155),
            image=image or self._icon(base),
            image_alt=((picture.alt if picture else "") or "Image without description") if image else _ICON_ALT,
            type="video.other" if item.content.kind is ActivityKind.VIDEO else "article",
            locale=_locale(shown.lang),
            has_picture=image is not None,
            more=_times(item.content),
            oembed=oembed,
            data=self._data(base, item, page),
        )

    def _data(self, base: str, item: Activity, page: str) -> str:
        def picture(media: Media) -> str | None:
            return self._picture(base, item, media)

        return embedded_json(structured_data(item, page, picture, self._configuration.organizations))

    def _picture(self, base: str, item: Activity, media: Media) -> str | None:
        address = still(media)
        if address is None:
            return None
        return base + picture_path(item.id, address, PictureSize.LARGE)

    def _icon(self, base: str) -> str:
        return base + self._pages.assets[_ICON].path


def _shown(item: Activity) -> Content:
    is_repost = item.content.kind is ActivityKind.REPOST
    return item.object.content if item.object and is_repost else item.content


def _locale(language: str | None) -> str:
    """Return a language in OpenGraph's form, "en_GB", if it has a territory."""
    name, _, territory = (language or "").partition("-")
    return f"{name.lower()}_{territory.upper()}" if len(territory) == len("GB") else ""


def _times(content: Content) -> list[tuple[str, str]]:
    if content.kind is not ActivityKind.ARTICLE:
        return []
    named = (("article:published_time", content.published), ("article:modified_time", content.updated))
    return [(name, machine_time(moment)) for name, moment in named if moment]
