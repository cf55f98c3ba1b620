"""Lead from embedded players to the pages that they show: nothing loads from other sites before a click. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

_ID = r"([A-Za-z0-9_-]{1,64})"
# Pattern of the player's URL, URL of the page, and its name.
_PLAYERS = tuple(
    (re.compile(rf"(?:https?:)?//(?:www\.)?{pattern}(?:[/?#&].*)?", re.IGNORECASE), page, name)
    for pattern, page, name in (
        (rf"youtube(?:-nocookie)?\.com/embed/{_ID}", "https://www.youtube.com/watch?v={}", "Video on YouTube"),
        (rf"youtube(?:-nocookie)?\.com/v/{_ID}", "https://www.youtube.com/watch?v={}", "Video on YouTube"),
        (r"player\.vimeo\.com/video/([0-9]{1,20})", "https://vimeo.com/{}", "Video on Vimeo"),
        (
            rf"(?:geo\.)?dailymotion\.com/embed/video/{_ID}",
            "https://www.dailymotion.com/video/{}",
            "Video on Dailymotion",
        ),
        (rf"embed\.ted\.com/talks/(?:lang/[a-z-]+/)?{_ID}", "https://www.ted.com/talks/{}", "Video on TED"),
        (rf"archive\.org/embed/{_ID}", "https://archive.org/details/{}", "Video on the Internet Archive"),
        (
            r"open\.spotify\.com/embed(?:-podcast)?/((?:track|album|artist|playlist|episode|show)/[A-Za-z0-9]{1,40})",
            "https://open.spotify.com/{}",
            "Audio on Spotify",
        ),
        (r"odysee\.com/\$/embed/([^?#\s]{1,300})", "https://odysee.com/{}", "Video on Odysee"),
        (rf"streamable\.com/(?:e|o)/{_ID}", "https://streamable.com/{}", "Video on Streamable"),
        (rf"loom\.com/embed/{_ID}", "https://www.loom.com/share/{}", "Video on Loom"),
        (rf"rumble\.com/embed/{_ID}", "https://rumble.com/embed/{}", "Video on Rumble"),
        (rf"tiktok\.com/embed/(?:v[0-9]/)?{_ID}", "https://www.tiktok.com/embed/{}", "Video on TikTok"),
        (r"embed\.podcasts\.apple\.com/([^?#\s]{1,300})", "https://podcasts.apple.com/{}", "Audio on Apple Podcasts"),
        (rf"instagram\.com/(?:p|reel|tv)/{_ID}/embed", "https://www.instagram.com/p/{}/", "Post on Instagram"),
        (
            r"mixcloud\.com/widget/iframe/\?(?:[^#]*&)?feed=(?:https?%3A%2F%2Fwww\.mixcloud\.com)?%2F([^&#]{1,300})",
            "https://www.mixcloud.com/{}",
            "Audio on Mixcloud",
        ),
    )
)
_PEERTUBE = re.compile(rf"(?:https?:)?//([^/\s?#]{{1,200}})/videos/embed/{_ID}(?:[/?#].*)?", re.IGNORECASE)
# Wrappers that name the page in a parameter.
_WRAPPERS = (
    (re.compile(r"(?:https?:)?//(?:cdn\.)?embedly\.com/widgets/", re.IGNORECASE), ("url", "src")),
    (re.compile(r"(?:https?:)?//(?:i|if-cdn)\.embed\.ly/|(?:https?:)?//cdn\.iframe\.ly/", re.IGNORECASE), ("url",)),
    (re.compile(r"(?:https?:)?//w\.soundcloud\.com/player", re.IGNORECASE), ("url",)),
    (re.compile(r"(?:https?:)?//www\.facebook\.com/plugins/(?:video|post)\.php", re.IGNORECASE), ("href",)),
    (re.compile(r"(?:https?:)?//(?:www\.)?mixcloud\.com/widget/iframe", re.IGNORECASE), ("feed",)),
    (re.compile(r"(?:https?:)?//docs\.google\.com/(?:viewer|gview)", re.IGNORECASE), ("url",)),
)
# Frames that show nothing that somebody reads.
_NO_CONTENT = re.compile(
    r"(?i)(?:https?:)?//(?:[^/?#]*\.)?(?:doubleclick\.net|googlesyndication\.com|googletagmanager\.com|"
    r"google-analytics\.com|amazon-adsystem\.com|adservice\.google\.[a-z.]+|criteo\.(?:com|net)|taboola\.com|"
    r"outbrain\.com|feedburner\.com|feedsportal\.com|addthis\.com|sharethis\.com)(?:[/?#:]|$)|"
    r"(?:https?:)?//(?:www\.)?facebook\.com/(?:plugins/(?:like|share|page|follow)|tr\b)|"
    r"(?:https?:)?//platform\.twitter\.com/widgets/(?:follow|tweet_button)"
)
_NO_ADDRESS = re.compile(r"[\s\"'<>\\]")
_LONGEST = 2_000  # characters of an address


class Page(NamedTuple):
    """What a player shows."""

    url: str
    name: str


def page_of(source: str, title: str = "") -> Page | None:
    """Return the page behind the address of a frame or plug-in; None: there is nothing to read or play.

    Args:
        source: the address as written, decoded.
        title: what the publisher calls it.
    """
    source = source.strip()
    if len(source) > _LONGEST or _NO_CONTENT.match(source):
        return None
    known = _known(source)
    if known is not None:
        return known
    for wrapper, names in _WRAPPERS:
        if wrapper.match(source):
            return _wrapped(source, names) or _other(source, title)
    return _other(source, title)


def _known(source: str) -> Page | None:
    for player, page, name in _PLAYERS:
        found = player.fullmatch(source)
        # Playlists have no page under that name.
        if found and found[1].lower() != "videoseries":
            return Page(page.format(found[1]), name)
    found = _PEERTUBE.fullmatch(source)
    return Page(f"https://{found[1]}/videos/watch/{found[2]}", f"Video on {found[1]}") if found else None


def _wrapped(source: str, names: tuple[str, ...]) -> Page | None:
    try:
        values = parse_qs(urlsplit(source).query, max_num_fields=50)
    except ValueError:
        return None
    for name in names:
        for value in values.get(name, ()):
            if value.startswith(("https://", "http://", "//")):
                return _known(value) or _other(value, "")
    return None


def _other(source: str, title: str) -> Page | None:
    if _NO_ADDRESS.search(source):
        return None
    try:
        parts = urlsplit(source if not source.startswith("//") else f"https:{source}")
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not host:
        return None
    words = " ".join(title.split())[:100]
    return Page(parts.geturl(), words or f"Embedded content on {host.removeprefix('www.')}")
