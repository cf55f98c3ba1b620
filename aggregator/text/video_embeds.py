"""Turn embedded players into links, so that nothing loads from other sites before a click. Pure."""

from __future__ import annotations

import html as entities
import re

_FRAME = re.compile(r"(?i)<iframe\b([^<>]*+)")
_SOURCE = re.compile(r"""(?is)\bsrc\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""")
_ID = r"([A-Za-z0-9_-]{1,64})"
# Pattern of the player's URL, URL of the watch page, and name of the site.
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
    """Add a link to the video's page before each player of a known video site.

    The frames stay and the result is as untrusted as the input: sanitize it.
    """
    return _FRAME.sub(_link, html) if "<iframe" in html.lower() else html


def _link(frame: re.Match[str]) -> str:
    # Both attributes: lazy players keep their URL in `data-src`.
    for found in _SOURCE.finditer(frame[1]):
        source = entities.unescape(next(filter(None, found.groups()), "")).strip()
        for player, page, name in _PLAYERS:
            match = player.fullmatch(source)
            # Playlists have no watch page under that name.
            if match and match[1].lower() != "videoseries":
                return f'<p><a href="{page.format(match[1])}">Video on {name}</a></p>{frame[0]}'
    return frame[0]
