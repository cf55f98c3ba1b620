"""Replace films, sounds and players by media and links. Pure."""

from __future__ import annotations

import html as entities
import re
from typing import TYPE_CHECKING

from aggregator.text.embedded_media import EmbeddedMedia, film_of, mime_of, parameter_in, poster_of
from aggregator.text.html_rewriter import DEEPEST
from aggregator.text.html_tokens import Scanner
from aggregator.text.image_tags import img_tag, is_hidden, is_tiny
from aggregator.text.picture_repair import PictureRepair
from aggregator.text.pictures import address_in
from aggregator.text.players import player_of

if TYPE_CHECKING:
    from aggregator.text.html_tokens import Tag
    from aggregator.text.players import Player

_MOST_PLAYERS = 50
_MOST_ADDRESSES = 5  # of one frame
_LONGEST_FALLBACK = 5000  # characters
_TAG = re.compile(r"<[^>]*>")
_NOTICE = re.compile(r"(?i)browser|flash|plug-?in|java\s?-?script|html\s?5|embed|frame|navigateur|navegador|support")
_ANCHOR = re.compile(r"(?is)<a\s[^>]{0,2000}href[^>]{0,2000}>.{0,2000}?</a>")
_LINK = re.compile(r"(?i)<a\s[^>]{0,2000}href")
_SHOWS = re.compile(r"(?i)<(?:a\s[^>]{0,2000}href|img|video|audio|embed|iframe|object|amp-|picture)")
_FLASH = re.compile(r"(?i)\.(?:swf|class|dcr)(?:[?#]|$)")
_FRAME_ADDRESSES_NAMES = (
    "data-src data-lazy-src data-original data-litespeed-src data-rocket-src data-cmp-src data-consent-src data-"
    "cookieblock-src data-cookie-src data-src-cmplz data-suppressedsrc data-embed-src data-url src"
)
_FRAME_ADDRESSES = tuple(_FRAME_ADDRESSES_NAMES.split())
_PLAYER_ELEMENTS = {
    "amp-youtube": ("data-videoid", "https://www.youtube.com/embed/{}"),
    "lite-youtube": ("videoid", "https://www.youtube.com/embed/{}"),
    "amp-vimeo": ("data-videoid", "https://player.vimeo.com/video/{}"),
    "lite-vimeo": ("videoid", "https://player.vimeo.com/video/{}"),
    "amp-dailymotion": ("data-videoid", "https://www.dailymotion.com/embed/video/{}"),
    "amp-instagram": ("data-shortcode", "https://www.instagram.com/p/{}/embed"),
    "amp-twitter": ("data-tweetid", "https://platform.twitter.com/embed/Tweet.html?id={}"),
    "amp-soundcloud": ("data-trackid", "https://w.soundcloud.com/player/?url=https://api.soundcloud.com/tracks/{}"),
}


class PlayerRepair(PictureRepair):
    """Rewrites players."""

    def __init__(self, html: str, depth: int = 0) -> None:
        super().__init__(html, depth)
        self.media: list[EmbeddedMedia] = []
        self.linked: set[str] = set()  # pages of players, and files

    def nested(self, html: str) -> PlayerRepair:
        """Return the rewriter for the content of an element that is shown in place of the element."""
        inner = type(self)(html, self.depth + 1)
        inner.linked = self.linked
        return inner

    def film(self, tag: Tag) -> None:
        """Turn a `<video>` or `<audio>` into media; its content is for browsers that can't play it."""
        end = self.scanner.end_tag(tag.name, tag.end)
        if end == -1 or tag.self_closed:
            end = self._end_of_sources(tag.end)
        film = film_of(tag, self.html, end)
        shown = ""
        if film is not None:
            self.media.append(film._replace(after_picture=self.has_picture))
        else:
            poster = poster_of(tag)
            shown = img_tag(poster, {}) if poster else ""
            if self.depth < DEEPEST and _SHOWS.search(self.html, tag.end, end):
                inner = self.nested(self.html[tag.end : end])
                shown += inner.run()
                self.media += inner.media
        self.edit(tag.start, end, shown)

    def _end_of_sources(self, at: int) -> int:
        """Return where the tags end that only an unclosed film may contain."""
        scanner = Scanner(self.html, at)
        while (tag := scanner.next_tag()) is not None and tag.name in {"source", "track"}:
            if self.html[at : tag.start].strip():
                break
            at = tag.end
        return at

    def frame(self, tag: Tag) -> None:
        """Replace an `<iframe>` by a link to its page, and by the links in it, which old browsers show."""
        end = self.scanner.raw_text_end(tag) if tag.name == "iframe" else tag.end
        attributes = tag.attributes()
        unseen = is_tiny(attributes) or is_hidden(attributes)
        player = None if unseen else self._player(_frame_addresses(attributes), attributes.get("title", ""))
        inner = self.html[tag.end : min(end, tag.end + _LONGEST_FALLBACK)]
        if "&lt;a " in inner and "<" not in inner:
            inner = entities.unescape(inner)
        links = _ANCHOR.findall(inner) if self.depth < DEEPEST and "<" in inner else []
        if links and (player is None or not player.known):  # the publisher's own link is better
            player = None
        shown = self._link(player)
        if links:
            shown += self.nested(f"<p>{' '.join(links)}</p>").run()
        self.edit(tag.start, end, shown)

    def is_player(self, name: str) -> bool:
        """Return whether an element plays a film of a known site."""
        return name in _PLAYER_ELEMENTS

    def player_element(self, tag: Tag) -> None:
        """Replace an element such as `<amp-youtube>` by a link."""
        name, address = _PLAYER_ELEMENTS[tag.name]
        value = tag.attributes().get(name, "")
        player = self._player([address.format(value)]) if re.fullmatch(r"[\w-]{1,64}", value) else None
        self.edit(tag.start, tag.end, self._link(player))

    def object(self, tag: Tag) -> None:
        """Show an object's content in place of the object, or its file if the content only asks for a plug-in."""
        end = self.scanner.end_tag(tag.name, tag.end)
        closed = end != -1 and not tag.self_closed
        inner = self.html[tag.end : min(end, tag.end + _LONGEST_FALLBACK)] if closed else ""
        attributes = tag.attributes()
        address = attributes.get("data") or attributes.get("code") or parameter_in(inner)
        shown = self._file(address, attributes, inner)
        short = closed and end - tag.end < _LONGEST_FALLBACK
        notice = short and not _SHOWS.search(inner) and _NOTICE.search(_TAG.sub("", inner))
        self.edit(tag.start, end if notice else tag.end, shown)

    def embed(self, tag: Tag) -> None:
        """Replace an `<embed>` by its file."""
        attributes = tag.attributes()
        address = attributes.get("src") or attributes.get("data-src") or ""
        self.edit(tag.start, tag.end, self._file(address, attributes, ""))

    def _file(self, address: str, attributes: dict[str, str], inner: str) -> str:
        """Return what shows the file of an object: a picture, or a link. Films become media."""
        usable = address_in(address)
        if usable is None or usable in self.linked:
            return ""
        mime = attributes.get("type", "").partition(";")[0].strip().lower()
        mime = mime if "/" in mime and "flash" not in mime else mime_of(usable) or mime
        kind = mime.partition("/")[0]
        if kind in {"video", "audio"}:
            self.linked.add(usable)
            width, height = attributes.get("width"), attributes.get("height")
            self.media.append(EmbeddedMedia(kind, usable, mime, width=width, height=height))
            return ""
        if kind == "image":
            self.linked.add(usable)
            return "" if "<img" in inner else img_tag(usable, attributes)
        player = self._player([usable], attributes.get("title", ""))
        dead = "flash" in mime or _FLASH.search(usable)
        if player is not None and not player.known and (dead or _LINK.search(inner)):
            return ""
        return self._link(player)

    def _player(self, addresses: list[str], title: str = "") -> Player | None:
        if len(self.linked) >= _MOST_PLAYERS:
            return None
        return next((found for address in addresses[:_MOST_ADDRESSES] if (found := player_of(address, title))), None)

    def _link(self, player: Player | None) -> str:
        """Return a link to the page of a player, unless the text has one."""
        if player is None or player.page in self.linked:
            return ""
        page = entities.escape(player.page)
        if f'href="{page}"' in self.html or f'href="{player.page}"' in self.html:
            return ""
        self.linked.add(player.page)
        return f'<p><a href="{page}">{entities.escape(player.label)}</a></p>'


def _frame_addresses(attributes: dict[str, str]) -> list[str]:
    """Return the addresses of a frame, first those that scripts load after consent or when it is seen."""
    named = [attributes[name] for name in _FRAME_ADDRESSES if attributes.get(name)]
    others = [
        value
        for name, value in attributes.items()
        if name not in _FRAME_ADDRESSES and name.startswith("data-") and value.startswith(("https://", "http://", "//"))
    ]
    return named + others
