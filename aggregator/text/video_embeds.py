"""Players that articles embed, turned into links: nothing is loaded from elsewhere until somebody clicks. Pure."""

from __future__ import annotations

import html as entities
import re

_FRAME = re.compile(r"(?i)<iframe\b([^<>]*+)")
_SOURCE = re.compile(r"""(?is)\bsrc\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""")
_ID = r"([A-Za-z0-9_-]{1,64})"
# Address of a player, the address of the page to watch at, and how the site is called.
_PLAYERS = tuple(
    (re.compile(rf"(?:https?:)?//(?:www\.)?{pattern}(?:[/?#&].*)?", re.IGNORECASE), page, name)
    for pattern, page, name in (
        (rf"youtube(?:-nocookie)?\.com/embed/{_ID}", "https://www.youtube.com/watch?v={}", "YouTube"),
        (r"player\.vimeo\.com/video/([0-9]{1,20})", "https://vimeo.com/{}", "Vimeo"),
        (rf"(?:geo\.)?dailymotion\.com/embed/video/{_ID}", "https://www.dailymotion.com/video/{}", "Dailymotion"),
        (rf"embed\.ted\.com/talks/(?:lang/[a-z-]+/)?{_ID}", "https://www.ted.com/talks/{}", "TED"),
        (rf"archive\.org/embed/{_ID}", "https://archive.org/details/{}", "the Internet Archive"),
    )
)


def with_links_for_players(html: str) -> str:
    """Return HTML in which the players of known video sites have a link to the video's page before them.

    The frames themselves and what is in them stay, and the result is as untrusted as the input was: sanitise it.
    """
    return _FRAME.sub(_link, html) if "<iframe" in html.lower() else html


def _link(frame: re.Match[str]) -> str:
    # All of them: a player that loads when seen keeps its address in `data-src`.
    for found in _SOURCE.finditer(frame[1]):
        source = entities.unescape(next(filter(None, found.groups()), "")).strip()
        for player, page, name in _PLAYERS:
            match = player.fullmatch(source)
            # A list of videos has no page to watch under that name.
            if match and match[1].lower() != "videoseries":
                return f'<p><a href="{page.format(match[1])}">Video on {name}</a></p>{frame[0]}'
    return frame[0]
