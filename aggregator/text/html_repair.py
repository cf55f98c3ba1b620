"""Rewrite HTML that shows its pictures, films and players only in a browser with scripts. Pure.

The result is as untrusted as the input: sanitize it. What needs no repair is unchanged, character by character.
"""

from __future__ import annotations

import html as entities
import re
from typing import TYPE_CHECKING, NamedTuple

from aggregator.text.html_rewriter import DEEPEST, HIDING_TEXTS, HtmlRewriter
from aggregator.text.html_tokens import RAW_TEXT
from aggregator.text.mathml import formula_at
from aggregator.text.player_repair import PlayerRepair

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ClassVar

    from aggregator.text.embedded_media import EmbeddedMedia
    from aggregator.text.html_tokens import Tag

_MOST_MEDIA = 50

# The beginnings of all below, as a first test that takes a twentieth of the sanitizer's time.
_PERHAPS_ODD = re.compile(r"<(?:if|fr|ob|emb|ap|vi|au|pi|so|no|pl|im|am|lit|a-|mat|te|tit|sel|sv|xm|sc|sty|!)")
# One of these, in lower case, makes a text worth a look tag by tag. Most texts have none.
_ODD_TEXTS = (
    *("<iframe", "<frame", "<object", "<embed", "<applet", "<video", "<audio", "<picture", "<source", "<noscript"),
    *("<noembed", "<noframes", "<plaintext", "<image", "<amp-", "<lite-", "<a-", "<math", ":math", "-img", "-image"),
    *("<title", "<textarea", "<select", "<template", "<svg", "<xmp", "</br", "<![cdata["),
)
_ODD_CODE = re.compile(r"<s(?:cript|tyle)\b[^>]{0,4000}/>|<script\b(?![^>]{0,4000}>[^<]*+</)")
_ODD_IMAGE = re.compile(
    r"<img\b(?:[^>]{0,4000}?(?:data-|srcset|style|hidden|lazy)|(?![^>]{0,4000}?\ssrc\s*=\s*[\"']?[^\s\"'>]))"
)
_MATH = re.compile(r"<(?:[a-z]{1,8}:)?math\b", re.IGNORECASE)
_NEEDS_SCRIPTS = re.compile(r"(?i)java\s?-?script|enable scripts")
_IMAGE = re.compile(r"(?i)<img\b[^>]{0,4000}>")
_WITHOUT_END = frozenset({"select", "template", "svg"})
_UNWRAPPED = frozenset({"object", "applet", "video", "audio", "noscript"})


class Repaired(NamedTuple):
    """HTML in which pictures have an address and players are links, with the films and sounds that were in it."""

    html: str
    media: tuple[EmbeddedMedia, ...] = ()


def repaired(html: str) -> Repaired:
    """Return HTML with what browsers show, most of which sanitizing would remove.

    - Pictures that scripts load (`data-src`, `srcset`, `<picture>`, `<noscript>`, `<amp-img>`) get their address in
      `src`; hidden ones go.
    - `<video>` and `<audio>` become media; other players become links to the page of the film or sound.
    - Text that browsers take for the content of an unclosed or self-closed element stays.
    - Formulas become text.
    """
    if not _is_odd(html):
        return Repaired(html)
    if "<![CDATA[" in html:  # feeds that were escaped twice
        html = html.replace("<![CDATA[", "").replace("]]>", "")
    repair = _Repair(html)
    return Repaired(repair.run(), tuple(repair.media[:_MOST_MEDIA]))


def with_plain_formulas(html: str) -> str:
    """Return HTML with formulas in MathML as text."""
    return _Formulas(html).run() if _MATH.search(html) else html


def _is_odd(html: str) -> bool:
    low = html.lower()
    if not _PERHAPS_ODD.search(low) and not any(text in low for text in ("</br", ":math", "-im", "-anim")):
        return False
    if any(text in low for text in _ODD_TEXTS):
        return True
    if ("<script" in low or "<style" in low) and _ODD_CODE.search(low):
        return True
    if "<img" in low and (_ODD_IMAGE.search(low) or any(text in low for text in HIDING_TEXTS)):
        return True
    return "<!--" in low and low.rfind("<!--") > low.rfind("-->")


class _Formulas(HtmlRewriter):
    """Rewrites formulas."""

    def open(self, tag: Tag) -> None:
        if tag.name.rpartition(":")[2] == "math":
            self.math(tag)

    def math(self, tag: Tag) -> None:
        end = self.scanner.end_tag(tag.name, tag.end)
        end = tag.end if tag.self_closed else len(self.html) if end == -1 else end
        text, end = formula_at(self.html, tag.end, end)
        self.edit(tag.start, end, text or entities.escape(tag.attributes().get("alttext", ""), quote=False))


class _Repair(PlayerRepair, _Formulas):
    """Rewrites everything that needs it."""

    def __init__(self, html: str, depth: int = 0) -> None:
        super().__init__(html, depth)
        self._break_end = -1  # of the last <br>

    def open(self, tag: Tag) -> None:
        name = "math" if tag.name.endswith(":math") else tag.name
        handle = self._handlers.get(name)
        if handle is not None:
            handle(self, tag)
        elif self.is_player(name):
            self.player_element(tag)
        elif self.is_picture(name):
            self.image(tag)
        elif name in RAW_TEXT:
            self._raw_text(tag)
        elif name in _WITHOUT_END:
            self._foreign(tag)
        else:
            self.follow_hidden(tag)

    def close(self, tag: Tag) -> None:
        if tag.name == "br":
            self._end_break(tag)
        elif tag.name == "picture":
            self.end_picture(tag)
        elif tag.name in _UNWRAPPED or self.is_picture(tag.name):
            self.drop(tag)
        else:
            self.follow_hidden(tag)

    def _noscript(self, tag: Tag) -> None:
        """Show the content for browsers without scripts, unless it only asks to enable them."""
        end = self.scanner.end_tag(tag.name, tag.end)
        if end == -1 or tag.self_closed or self.depth >= DEEPEST:
            self.drop(tag)
            return
        content = self.html[tag.end : end]
        if "<" not in content and "&lt;" in content:  # a writer with scripts took it for text
            content = entities.unescape(content)
        inner = self.nested(content)
        html = inner.run()
        if _NEEDS_SCRIPTS.search(content):
            html = "".join(_IMAGE.findall(html))
        if self.without_scripts(tag.start, end, html, inner.pictures):
            self.media += inner.media

    def _raw_text(self, tag: Tag) -> None:
        """Pass over text that is no markup, and remove a start tag that would turn the rest of the article into it."""
        end = self.scanner.raw_text_end(tag)
        if end == tag.end:
            self.drop(tag)
        elif tag.name in {"noembed", "noframes"}:
            self._noscript(tag)
        self.scanner.at = max(self.scanner.at, end)

    def _foreign(self, tag: Tag) -> None:
        """Leave an element to the sanitizer, which removes it with its content, or only its tag if it has no end."""
        end = self.scanner.end_tag(tag.name, tag.end)
        if tag.self_closed or end == -1:
            self.drop(tag)
        else:
            self.scanner.at = end

    def _start_break(self, tag: Tag) -> None:
        self._break_end = tag.end

    def _end_break(self, tag: Tag) -> None:
        """Remove the end of XML writers' `<br></br>`, which is one break to them, but two to browsers."""
        if self._break_end != -1 and not self.html[self._break_end : tag.start].strip():
            self.drop(tag)
        self._break_end = -1

    _handlers: ClassVar[dict[str, Callable[[_Repair, Tag], None]]] = {
        "img": PlayerRepair.image,
        "picture": PlayerRepair.start_picture,
        "source": PlayerRepair.source,
        "noscript": _noscript,
        **dict.fromkeys(("video", "audio", "amp-video", "amp-audio"), PlayerRepair.film),
        **dict.fromkeys(("iframe", "frame", "amp-iframe"), PlayerRepair.frame),
        **dict.fromkeys(("object", "applet"), PlayerRepair.object),
        "embed": PlayerRepair.embed,
        "math": _Formulas.math,
        "br": _start_break,
        **dict.fromkeys(("plaintext", "!--"), HtmlRewriter.drop),
    }
