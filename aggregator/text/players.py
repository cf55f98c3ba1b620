"""Find the page behind an embedded player, so that nothing loads from other sites before a click. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

_LONGEST = 4096
_LONGEST_LABEL = 100
_MOST_WRAPPERS = 3  # players within players, such as embedly
_ID = r"([A-Za-z0-9_-]{1,64})"
_UUID = r"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[1-9A-HJ-NP-Za-km-z]{20,22})"
_VIDEO, _AUDIO, _POST, _MODEL = "Video on", "Audio on", "Post on", "Content on"

# Pattern of the player's host and path, URL of the page with the pattern's groups, kind of content, name of the site.
_BY_PATH = tuple(
    (re.compile(rf"(?:www\.)?{pattern}(?:[/&;].*)?", re.IGNORECASE), page, f"{kind} {site}")
    for pattern, page, kind, site in (
        (
            rf"(?:m\.)?youtube(?:-nocookie)?\.com/(?:embed|v|shorts|live)/{_ID}",
            "https://www.youtube.com/watch?v={}",
            _VIDEO,
            "YouTube",
        ),
        (rf"youtu\.be/{_ID}", "https://www.youtube.com/watch?v={}", _VIDEO, "YouTube"),
        (r"player\.vimeo\.com/video/([0-9]{1,20})", "https://vimeo.com/{}", _VIDEO, "Vimeo"),
        (r"vimeo\.com/event/([0-9]{1,20})/embed", "https://vimeo.com/event/{}", _VIDEO, "Vimeo"),
        (r"(?:player\.)?vimeo\.com/showcase/([0-9]{1,20})", "https://vimeo.com/showcase/{}", _VIDEO, "Vimeo"),
        (
            rf"(?:geo\.)?dailymotion\.com/(?:embed|swf)/video/{_ID}",
            "https://www.dailymotion.com/video/{}",
            _VIDEO,
            "Dailymotion",
        ),
        (rf"dailymotion\.com/embed/playlist/{_ID}", "https://www.dailymotion.com/playlist/{}", _VIDEO, "Dailymotion"),
        (rf"embed\.ted\.com/talks/(?:lang/[a-z-]+/)?{_ID}", "https://www.ted.com/talks/{}", _VIDEO, "TED"),
        (rf"archive\.org/embed/{_ID}", "https://archive.org/details/{}", _VIDEO, "the Internet Archive"),
        (
            r"(?:odysee\.com|lbry\.tv)/(?:\$|%24)/embed/((?:@|%40)[^/?#]{1,200}/[^/?#]{1,200})",
            "https://odysee.com/{}",
            _VIDEO,
            "Odysee",
        ),
        (
            r"(?:odysee\.com|lbry\.tv)/(?:\$|%24)/embed/([^/?#:]{1,200})/([0-9a-f]{1,64})",
            "https://odysee.com/{}:{}",
            _VIDEO,
            "Odysee",
        ),
        (r"(?:odysee\.com|lbry\.tv)/(?:\$|%24)/embed/([^/?#]{1,200})", "https://odysee.com/{}", _VIDEO, "Odysee"),
        (rf"clips\.twitch\.tv/{_ID}", "https://clips.twitch.tv/{}", _VIDEO, "Twitch"),
        (rf"streamable\.com/[eos]/{_ID}", "https://streamable.com/{}", _VIDEO, "Streamable"),
        (rf"loom\.com/embed/{_ID}", "https://www.loom.com/share/{}", _VIDEO, "Loom"),
        (rf"giphy\.com/embed/{_ID}", "https://giphy.com/gifs/{}", _VIDEO, "Giphy"),
        (r"rutube\.ru/play/embed/([0-9a-f]{1,40})", "https://rutube.ru/video/{}/", _VIDEO, "Rutube"),
        (rf"bitchute\.com/embed/{_ID}", "https://www.bitchute.com/video/{}/", _VIDEO, "BitChute"),
        (
            r"open\.spotify\.com/embed(?:-podcast)?/(episode|show|track|album|playlist|artist)/([A-Za-z0-9]{1,64})",
            "https://open.spotify.com/{}/{}",
            _AUDIO,
            "Spotify",
        ),
        (r"embed\.podcasts\.apple\.com/([^?#]{1,300})", "https://podcasts.apple.com/{}", _AUDIO, "Apple Podcasts"),
        (r"embed\.music\.apple\.com/([^?#]{1,300})", "https://music.apple.com/{}", _AUDIO, "Apple Music"),
        (
            r"widget\.deezer\.com/widget/[a-z]{1,10}/([a-z]{1,20})/([0-9]{1,20})",
            "https://www.deezer.com/{}/{}",
            _AUDIO,
            "Deezer",
        ),
        (r"embed\.tidal\.com/([a-z]{1,20})s/([0-9a-f-]{1,40})", "https://tidal.com/browse/{}/{}", _AUDIO, "Tidal"),
        (rf"instagram\.com/(p|reel|tv)/{_ID}", "https://www.instagram.com/{}/{}/", _POST, "Instagram"),
        (
            r"tiktok\.com/(?:embed(?:/v[23])?|player/v1)/([0-9]{1,25})",
            "https://www.tiktok.com/embed/v2/{}",
            _VIDEO,
            "TikTok",
        ),
        (rf"codepen\.io/{_ID}/embed/(?:preview/)?{_ID}", "https://codepen.io/{}/pen/{}", _MODEL, "CodePen"),
        (rf"sketchfab\.com/models/{_ID}/embed", "https://sketchfab.com/models/{}", _MODEL, "Sketchfab"),
    )
)
# Host and beginning of the path of a player whose content is in its query: names of the parameter, and the page.
_BY_PARAMETER = (
    ("youtube.com/watch", ("v",), "https://www.youtube.com/watch?v={}", "Video on YouTube"),
    ("youtube.com/embed", ("list",), "https://www.youtube.com/playlist?list={}", "Videos on YouTube"),
    ("youtube.com/embed", ("channel",), "https://www.youtube.com/channel/{}/live", "Video on YouTube"),
    ("geo.dailymotion.com/player", ("video",), "https://www.dailymotion.com/video/{}", "Video on Dailymotion"),
    ("player.twitch.tv", ("video",), "https://www.twitch.tv/videos/{}", "Video on Twitch"),
    ("player.twitch.tv", ("channel",), "https://www.twitch.tv/{}", "Video on Twitch"),
    ("clips.twitch.tv/embed", ("clip",), "https://clips.twitch.tv/{}", "Video on Twitch"),
    ("player.bilibili.com/player.html", ("bvid",), "https://www.bilibili.com/video/{}", "Video on Bilibili"),
    ("player.bilibili.com/player.html", ("aid",), "https://www.bilibili.com/video/av{}", "Video on Bilibili"),
    ("platform.twitter.com/embed", ("id",), "https://twitter.com/i/status/{}", "Post on X"),
    ("w.soundcloud.com/player", ("url",), None, "Audio on SoundCloud"),
    ("mixcloud.com/widget/iframe", ("feed",), "https://www.mixcloud.com/{}", "Audio on Mixcloud"),
    ("facebook.com/plugins/video.php", ("href",), None, "Video on Facebook"),
    ("facebook.com/plugins/post.php", ("href",), None, "Post on Facebook"),
    ("open.spotify.com/embed", ("uri",), None, "Audio on Spotify"),
    ("embed.spotify.com", ("uri",), None, "Audio on Spotify"),
    ("docs.google.com/viewer", ("url",), None, "Document"),
    ("docs.google.com/gview", ("url",), None, "Document"),
    ("drive.google.com/viewer", ("url",), None, "Document"),
    ("view.officeapps.live.com/op/", ("src",), None, "Document"),
)
_WRAPPERS = ("cdn.embedly.com/", "embedly.com/", "cdn.iframe.ly/", "iframe.ly/", "if-cdn.com/", "embed.ly/")
# Frames with advertising, counters, buttons and forms.
_NOT_CONTENT = re.compile(
    r"(?:[^/]+\.)?(?:googletagmanager\.com|doubleclick\.net|googlesyndication\.com|google-analytics\.com|"
    r"amazon-adsystem\.com|rcm(?:-[a-z]+)?\.amazon\.[a-z.]+|adnxs\.com|criteo\.(?:com|net)|taboola\.com|outbrain\.com|"
    r"addthis\.com|sharethis\.com|disqus\.com|recaptcha\.net|adform\.net|rubiconproject\.com|pubmatic\.com|"
    r"feedburner\.com|zedo\.com|buysellads\.com|carbonads\.com|flattr\.com|apis\.google\.com|"
    r"accounts\.google\.com)/.*|"
    r"(?:www\.)?facebook\.com/(?:plugins/(?!video|post)|tr/?$|v[0-9.]+/plugins/).*|"
    r"platform\.twitter\.com/widgets/.*|(?:www\.)?google\.com/recaptcha/.*|ad[sv]?[0-9]*\.[^/]+/.*|"
    r"(?:[^/]+/)(?:ads?|adserver|banner)/.*",
    re.IGNORECASE,
)
_SPOTIFY_URI = re.compile(r"spotify:(episode|show|track|album|playlist|artist):([A-Za-z0-9]{1,64})")
_SOUNDCLOUD_PAGE = re.compile(r"https?://(?:www\.|m\.)?soundcloud\.com/.+")
_NOT_IN_ADDRESS = re.compile(r"""[\s"<>\\^`{|}]""")
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_./%-]{1,200}")
_PEERTUBE = re.compile(rf"(/video-playlists|/videos)/embed/{_UUID}/?")


class Player(NamedTuple):
    """The page of an embedded player."""

    page: str  # http or https, or relative
    label: str  # of a link to it
    known: bool = True  # it is the page of a known site, and not just the frame


def player_of(address: str, title: str = "") -> Player | None:
    """Return the page that shows the content of a frame; the frame itself where no better page is known.

    Returns None for anything but content: advertising, counters, buttons, scripts and empty frames.

    Args:
        address: of the frame, as written, decoded.
        title: the publisher's name for it, which names a frame of an unknown site.
    """
    for _ in range(_MOST_WRAPPERS):
        address = address.strip()
        if not address or len(address) > _LONGEST or _NOT_IN_ADDRESS.search(address):
            return None
        inner = _unwrapped(address)
        if inner is None:
            break
        address = inner
    place = _place(address)
    if place is None or _NOT_CONTENT.fullmatch(place[0]):
        return None
    path, query = place
    return (
        _by_parameter(path, query, address)
        or _by_path(path)
        or _peertube(address, path)
        or _itself(address, path, title)
    )


def _place(address: str) -> tuple[str, dict[str, list[str]]] | None:
    """Return the host with the path, and the query; None if it isn't an address on the web."""
    try:
        parts = urlsplit(f"https:{address}" if address.startswith("//") else address)
        if parts.scheme not in {"http", "https", ""} or (parts.scheme and not parts.hostname):
            return None
        query = parse_qs(parts.query, max_num_fields=100)
    except ValueError:
        return None
    host = (parts.hostname or "").lower()
    return f"{host}{parts.path}", query


def _unwrapped(address: str) -> str | None:
    """Return what a service for embedding has embedded."""
    place = _place(address)
    if place is None or not place[0].startswith(_WRAPPERS):
        return None
    for name in ("url", "src"):
        found = next(iter(place[1].get(name, ())), "")
        if found.startswith(("http://", "https://", "//")):
            return found
    return None


def _by_path(path: str) -> Player | None:
    for pattern, page, label in _BY_PATH:
        match = pattern.fullmatch(path)
        if match and match[1].lower() not in {"videoseries", "live_stream", "embed"}:
            return Player(page.format(*match.groups()), label)
    return None


def _by_parameter(path: str, query: dict[str, list[str]], address: str) -> Player | None:
    path = path.removeprefix("www.").replace("youtube-nocookie.com", "youtube.com")
    for beginning, names, page, label in _BY_PARAMETER:
        value = next((query[name][0].strip() for name in names if name in query), "")
        if not value or not path.startswith(beginning) or _names_a_video(path):
            continue
        if page is not None and _PLAIN_VALUE.fullmatch(value):
            return Player(page.format(value.lstrip("/")), label)
        spotify = _SPOTIFY_URI.fullmatch(value)
        if spotify:
            return Player(f"https://open.spotify.com/{spotify[1]}/{spotify[2]}", label)
        if value.startswith(("http://", "https://")):
            hidden = "soundcloud" in beginning and not _SOUNDCLOUD_PAGE.fullmatch(value)  # an address for programs
            return Player(address if hidden else value, label)
    return None


def _names_a_video(path: str) -> bool:
    """Return whether a player of a list starts with a video of its own."""
    if not path.startswith("youtube.com/embed/"):
        return False
    return path.removeprefix("youtube.com/embed/").strip("/") not in {"", "videoseries", "live_stream"}


def _peertube(address: str, path: str) -> Player | None:
    """Return a video's page on any server with PeerTube."""
    host, slash, rest = path.partition("/")
    match = _PEERTUBE.fullmatch(slash + rest)
    if not host or match is None:
        return None
    scheme = "http" if address.startswith("http:") else "https"
    place = address.partition("://")[2] if "://" in address else address.removeprefix("//")
    authority = re.split(r"[/?#]", place, maxsplit=1)[0]
    page = f"/w/p/{match[2]}" if "playlists" in match[1] else f"/videos/watch/{match[2]}"
    return Player(f"{scheme}://{authority}{page}", f"Video on {host}")


def _itself(address: str, path: str, title: str) -> Player | None:
    host = path.partition("/")[0]
    words = " ".join(title.split())[:_LONGEST_LABEL]
    if not host:  # relative: of the publisher's own site
        words = words or "Embedded content"
        return Player(address, words, known=False) if re.match(r"\.{0,2}/|\w", address) else None
    if path.endswith("/embed/") and "#?secret=" in address:  # a WordPress post
        return Player(address.partition("#")[0].removesuffix("embed/"), words or f"Post on {host}")
    name = unquote(path.rpartition("/")[2])[:_LONGEST_LABEL]
    words = words or (name if name.lower().endswith(".pdf") else f"Embedded content on {host.removeprefix('www.')}")
    return Player(f"https:{address}" if address.startswith("//") else address, words, known=False)
