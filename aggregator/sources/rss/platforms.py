"""Know where the feeds of well-known platforms are, and where feeds usually are on other sites. Pure.

Addresses of YouTube and Bluesky belong to kinds of their own, which are asked before this one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_GUESSES = 5

_USUAL_PLACES = ("/feed", "/rss.xml", "/atom.xml", "/feed.xml", "/index.xml")
_HANDLE = re.compile(r"@([\w.-]{1,100})@([\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.[A-Za-z][\w-]{1,62}(?::\d{1,5})?)")
_FEED = re.compile(r"\.(?:rss|atom|xml|json|rdf)$|/(?:rss|feed|atom)/?$")


def feeds_at(url: str) -> tuple[str, ...]:
    """Return the feeds of a page of a well-known platform, the likeliest first; () for other pages and for feeds."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower().removeprefix("www.").removeprefix("m.")
    path = [part for part in parts.path.split("/") if part]
    if _FEED.search(parts.path):
        return ()
    platform = _PLATFORMS.get(host)
    if platform is not None:
        return platform(path)
    if host.endswith((".substack.com", ".medium.com")):
        return (f"https://{host}/feed",)
    return ()


def usual_places(url: str) -> tuple[str, ...]:
    """Return where the feed of a page may be that announces none; each costs a request."""
    parts = urlsplit(url)
    site = f"{parts.scheme}://{parts.netloc}"
    path = parts.path.rstrip("/")
    last = path.rpartition("/")[2]
    if last.startswith("@") or re.fullmatch(r"/users/[\w.-]+", path):  # a profile of Mastodon, Misskey or Pleroma
        return (f"{site}{path}.rss", f"{site}{path}.atom", f"{site}{path}/feed")
    near = (f"{site}{path}/feed", f"{site}{path}/rss.xml") if path and "." not in last else ()
    places = (*near, *(site + place for place in _USUAL_PLACES))
    return tuple(dict.fromkeys(place for place in places if place != url))[:MOST_GUESSES]


def address_of_handle(text: str) -> str | None:
    """Return the profile of a handle of the fediverse (@name@host), or None."""
    found = _HANDLE.fullmatch(text)
    return f"https://{found[2].lower()}/@{found[1]}" if found else None


def _github(path: Sequence[str]) -> tuple[str, ...]:
    """Return a repository's releases, else its commits; or what a page within it lists."""
    if len(path) < 2 or path[0] in {"orgs", "features", "topics", "sponsors", "settings", "marketplace", "about"}:  # noqa: PLR2004
        return ()
    repository = f"https://github.com/{path[0]}/{path[1].removesuffix('.git')}"
    kind, rest = (path[2] if len(path) > 2 else ""), "/".join(path[3:])  # noqa: PLR2004
    if kind in {"tags", "discussions", "wiki"} and not rest:
        return (f"{repository}/{kind}.atom",)
    if kind in {"commits", "tree"} and rest:
        return (f"{repository}/commits/{rest}.atom",)
    if kind == "commits":
        return (f"{repository}/commits.atom",)
    return (f"{repository}/releases.atom", f"{repository}/commits.atom") if kind in {"", "releases"} else ()


def _reddit(path: Sequence[str]) -> tuple[str, ...]:
    if len(path) < 2 or path[0] not in {"r", "u", "user"}:  # noqa: PLR2004
        return ()
    return (f"https://www.reddit.com/{'/'.join(path)}/.rss",)


def _substack(path: Sequence[str]) -> tuple[str, ...]:
    is_publication = len(path) > 1 and path[0] == "pub" and re.fullmatch(r"[\w-]{1,63}", path[1])
    return (f"https://{path[1]}.substack.com/feed",) if is_publication else ()


def _medium(path: Sequence[str]) -> tuple[str, ...]:
    return (f"https://medium.com/feed/{path[0]}",) if path and path[0] not in {"feed", "m", "tag"} else ()


_PLATFORMS: dict[str, Callable[[Sequence[str]], tuple[str, ...]]] = {
    "github.com": _github,
    **dict.fromkeys(("reddit.com", "old.reddit.com", "new.reddit.com", "np.reddit.com"), _reddit),
    **dict.fromkeys(("open.substack.com", "substack.com"), _substack),
    "medium.com": _medium,
}
