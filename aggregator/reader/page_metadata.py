"""Build the metadata of pages for search engines and link previews."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from aggregator.domain.activity import ActivityKind
from aggregator.reader.languages import spoken_portal
from aggregator.reader.structured_data import embedded_json, structured_data, title_of
from aggregator.text.html import excerpt
from aggregator.web.dates import machine_time
from aggregator.web.labels import label
from aggregator.web.picture_addresses import PictureSize, picture_path
from aggregator.web.pictures import lead, still
from aggregator.web.translation import current_language, gettext, translatable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from aggregator.config.portal_folder import Configuration
    from aggregator.domain.activity import Activity, Content, Media
    from aggregator.reader.languages import Languages
    from aggregator.reader.sharing import SharingTerms
    from aggregator.web.pages import Pages

_ICON = "icon-512.png"
_ICON_ALT = translatable("Logo")
_INTRO = translatable("Posts, news and events from all sources of this portal, newest first.")


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
    alternates: Sequence[tuple[str, str]] = ()  # the addresses in other languages
    data: str | None = None  # JSON-LD, safe within a script element


class MetadataBuilder:
    """Builds the metadata of pages of one portal."""

    def __init__(self, pages: Pages, configuration: Configuration, terms: SharingTerms, languages: Languages) -> None:
        """Set what all pages share.

        Args:
            pages: the portal's pages.
            configuration: has the portal's name.
            terms: what other sites may show.
            languages: the languages of its pages.
        """
        self._languages = languages
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
        base, name = self._pages.base(request), spoken_portal(self._configuration).title
        home = base + current_language().path
        about = {"@context": "https://schema.org", "@type": "WebSite", "name": name, "url": f"{home}/"}
        return PageMetadata(
            title=title or name,
            address=home + path,
            alternates=self._alternates(base, path),
            site=name,
            description=description or self._intro(),
            image=self._icon(base),
            image_alt=gettext(_ICON_ALT),
            data=embedded_json(about) if path == "/" else None,
        )

    def of_item(self, request: Request, item: Activity) -> PageMetadata:
        """Return the metadata of an item's page, without words and pictures that other sites may not show."""
        base = self._pages.base(request)
        path, site = f"/activities/{item.id}", spoken_portal(self._configuration).title
        page, alternates = base + current_language().path + path, self._alternates(base, path)
        oembed = f"{base}/oembed?url={quote(page, safe='')}"
        if not self._terms.allow_all(item):
            icon, title = self._icon(base), label(item.content)
            hidden = PageMetadata(title, page, site, self._intro(), icon, gettext(_ICON_ALT), type="article")
            return replace(hidden, alternates=alternates, oembed=oembed)
        shown = _shown(item)
        picture = None if shown.sensitive else lead(shown)
        image = self._picture(base, item, picture) if picture else None
        return PageMetadata(
            title=title_of(shown),
            address=page,
            site=site,
            description=excerpt(shown.text, 155) or self._intro(),
            image=image or self._icon(base),
            image_alt=((picture.alt if picture else "") or gettext("Image without description"))
            if image
            else gettext(_ICON_ALT),
            type="video.other" if item.content.kind is ActivityKind.VIDEO else "article",
            locale=_locale(shown.lang),
            has_picture=image is not None,
            more=_times(item.content),
            oembed=oembed,
            alternates=alternates,
            data=self._data(base, item, page),
        )

    def _intro(self) -> str:
        """Return a sentence about all pages."""
        return excerpt(spoken_portal(self._configuration).intro or gettext(_INTRO), 155)

    def _data(self, base: str, item: Activity, page: str) -> str:
        def picture(media: Media) -> str | None:
            return self._picture(base, item, media)

        return embedded_json(structured_data(item, page, picture, self._configuration.organizations))

    def _alternates(self, base: str, path: str) -> list[tuple[str, str]]:
        """Return the addresses of a page by language; "x-default" is in the language that a visitor prefers."""
        several = self._languages.several
        found = [(tag, base + language.path + path) for tag, language in several.items()]
        return [*found, ("x-default", base + path)] if found else []

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
