"""Find the address of a picture in the many ways that pages write it, and compare pictures by address. Pure."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SENSIBLE_WIDTH = 2000  # pixels; of larger pictures the smallest is best
_LONGEST = 4096
_LONGEST_SET = 20_000
_MOST_CANDIDATES = 50
_SMALL = 640  # pixels; a smaller `src` is replaced by a larger candidate of its `srcset`

# Attributes in which scripts for lazy loading keep the address, the most definite first.
_LAZY_NAMES = (
    "data-src data-lazy-src data-original data-lazy data-lazyload data-original-src data-real-src data-actualsrc "
    "data-ll-src data-cfsrc data-defer-src data-deferred-src data-delayed-url data-echo data-srclazy data-src-"
    "lazy data-nitro-lazy-src nitro-lazy-src data-ezsrc data-breeze data-wpfc-original-src data-opt-src data-"
    "runner-src data-li-src data-flickity-lazyload data-flickity-lazyload-src data-src-retina data-full-src data-"
    "hi-res-src data-hires data-image-src data-img-src data-srcurl data-lazysrc lazy-src lazysrc lazyload "
    "original-src data-a-src data-large-src data-desktop-src data-bg-src"
)
_LAZY = tuple(_LAZY_NAMES.split())
_LAZY_SETS_NAMES = (
    "data-srcset data-lazy-srcset data-original-set data-ll-srcset data-nitro-lazy-srcset nitro-lazy-srcset data-"
    "ezsrcset data-src-set data-lazyset data-original-srcset data-cfsrcset data-bgset data-opt-srcset"
)
_LAZY_SETS = tuple(_LAZY_SETS_NAMES.split())
_ALL_LAZY = frozenset({*_LAZY, *_LAZY_SETS})
# These don't name the picture, or name another one.
_OTHER_NAMES = "src srcset alt title id class style href cite longdesc usemap data-permalink data-link"
_OTHER = frozenset(_OTHER_NAMES.split())
_ENDING = re.compile(r"(?i)\.(?:jpe?g|png|gif|webp|avif|svg|bmp|jfif)(?:[?#:!@&]|$)")
_NO_ADDRESS = re.compile(r"(?i)(?!https?:)[a-z][a-z0-9+.-]*:|[{\[#<]|%7b|undefined$|null$|none$|true$|false$|\d*$")
_SPACE = re.compile(r"\s")
_CANDIDATE = re.compile(r"[\s,]*+(\S++)")
_DESCRIPTOR = re.compile(r"[^,]*+")
_NUMBER = re.compile(r"(\d{1,5}(?:\.\d{1,3})?)([wxh])(?:\s|$)")

_PLACEHOLDER_WORDS_NAMES = (
    "lazy lazyload lazyloading lazyloader loading loader loadinggif load preload preloader placeholder "
    "placeholders spacer spaceball blank transparent trans clear empty grey gray white pixel px dot shim spinner "
    "1x1 noimage ajax"
)
_PLACEHOLDER_WORDS = frozenset(_PLACEHOLDER_WORDS_NAMES.split())
_PLACEHOLDER_FILLERS_NAMES = "img image images pic picture gif bg background default small big large and"
_PLACEHOLDER_FILLERS = frozenset(_PLACEHOLDER_FILLERS_NAMES.split())
_PLACEHOLDER_TYPES = frozenset(["gif", "png", "svg", "webp"])
_TRACKER_HOSTS = re.compile(
    r"(?:[^/]+\.)?(?:doubleclick\.net|google-analytics\.com|googletagmanager\.com|scorecardresearch\.com|"
    r"quantserve\.com|feedsportal\.com|adnxs\.com|stats\.wordpress\.com|pixel\.wp\.com|hits\.theguardian\.com|"
    r"counter\.theconversation\.(?:com|edu\.au)|googlesyndication\.com|amazon-adsystem\.com|bat\.bing\.com|"
    r"chartbeat\.(?:com|net)|ioam\.de|ivwbox\.de|met\.vgwort\.de|vg0[1-9]\.met\.vgwort\.de|flattr\.com|"
    r"rss\.buysellads\.com|ads\.linkedin\.com|analytics\.twitter\.com)"
)
_TRACKER_LABELS = re.compile(r"(?:pixel|beacon|counter|track(?:er|ing)?|analytics|stats?|metrics|telemetry)\d?\.")
_TRACKER_PATHS = re.compile(
    r"/(?:[^/]*/)*(?:pixel|beacon|track(?:ing|er)?|trk|collect|count(?:er)?|piwik|matomo|utm|__utm|1x1|b|stat|open|ping)"
    r"\.(?:gif|php|aspx?|ashx|cgi)|/tr/?|/_/stat"
)
_TRACKED_SITES = re.compile(r"(?:www\.)?(?:facebook|medium)\.com")
_DECORATIONS = re.compile(
    r"(?:[^/]+\.)?gravatar\.com/avatar/|s\.w\.org/images/core/emoji/|/wp-includes/images/smilies/"
)

_SIZE_PARAMETERS_NAMES = (
    "width height w h size s resize fit quality q dpr auto format fm crop rect sz imwidth maxwidth max-w max-h mw "
    "mh wid hei scale name ssl strip zoom quality_auto usm sharp blur op_usm sharpen rnd"
)
_SIZE_PARAMETERS = frozenset(_SIZE_PARAMETERS_NAMES.split())
_SIZED_SEGMENT = re.compile(
    r"(?:[a-z]{1,4}_[^,/]+,)*[wh]_\d+(?:,[^/]*)?|\d{2,4}x\d{2,4}|s\d{2,4}(?:-[a-z0-9-]{1,20})?|w\d{2,4}-h\d{2,4}[^/]*"
)
_SIZED_AFTER_NAMES = "max fit width resize ws standard w h size"
_SIZED_AFTER = frozenset(_SIZED_AFTER_NAMES.split())  # .../standard/240/...
_NAME_SIZE = re.compile(
    r"(?i)(?:[-_]\d{2,4}x\d{2,4}|-scaled|@[23]x)(?=\.[a-z]{3,4}$)|[=:](?:s|w|h)?\d{2,4}[^/]*$|:[a-z]+$"
)
_NUMBERS = re.compile(r"(?:^|[^0-9a-z])[ws]?_?(\d{2,4})(?=x\d|,|$|[^0-9a-z])")


class Candidate(NamedTuple):
    """A candidate of a `srcset`."""

    address: str
    width: float | None  # pixels, as far as they are known


def address_in(text: str | None) -> str | None:
    """Return an attribute's value if it can be the address of a picture on the web."""
    text = (text or "").strip()
    if not text or len(text) > _LONGEST or _NO_ADDRESS.match(text):
        return None
    if _SPACE.search(text) and not _ENDING.search(text):
        return None
    return text if "/" in text or "." in text else None


def candidates_of(srcset: str) -> list[Candidate]:
    """Parse a `srcset`, whose addresses may contain commas."""
    found: list[Candidate] = []
    at, srcset = 0, srcset[:_LONGEST_SET]
    while len(found) < _MOST_CANDIDATES and (match := _CANDIDATE.match(srcset, at)) is not None:
        address, at = match[1], match.end()
        width = None
        if address.endswith(","):
            address = address.rstrip(",")
        else:
            descriptor = _DESCRIPTOR.match(srcset, at)
            at = descriptor.end() if descriptor else at
            width = _described(descriptor[0].strip() if descriptor else "")
        usable = address_in(address)
        if usable:
            found.append(Candidate(usable, width))
    return found


def best(candidates: Iterable[Candidate]) -> str | None:
    """Return the largest sensible picture, the first of equal ones; None: there are only placeholders."""
    pictures = [candidate for candidate in candidates if not is_placeholder(candidate.address)]
    ranked = max(pictures, key=lambda candidate: sensible(candidate.width), default=None)
    return ranked.address if ranked else None


def sensible(width: float | None) -> float:
    """Rank a width: the larger the better, but widths far beyond those of screens rank lower."""
    if not width:
        return 1
    return width if width <= SENSIBLE_WIDTH else SENSIBLE_WIDTH * SENSIBLE_WIDTH / width


def picture_address(attributes: Mapping[str, str], sources: Iterable[Candidate] = ()) -> str | None:
    """Return the address of the picture that an `<img>` shows once its page's scripts have run; None: it has none.

    Args:
        attributes: of the element.
        sources: the candidates of the `<picture>` around it.
    """
    names = _LAZY if is_lazy(attributes) else ()
    lazy = next((found for name in names if (found := address_in(attributes.get(name)))), None)
    sets = [candidates_of(attributes[name]) for name in _LAZY_SETS if name in attributes]
    if lazy and not is_placeholder(lazy):
        return best(candidates_of(lazy)) if _is_set(lazy) else _enlarged(lazy, list(chain.from_iterable(sets)))
    larger = next((found for candidates in sets if (found := best(candidates))), None)
    if larger:
        return larger
    src = address_in(attributes.get("src"))
    own = candidates_of(attributes.get("srcset", ""))
    if src and not is_placeholder(src):
        return _enlarged(src, own)
    return best(own) or best(sources) or _anywhere(attributes)


def is_lazy(attributes: Mapping[str, str]) -> bool:
    """Return whether scripts replace the picture of an `<img>`."""
    return not _ALL_LAZY.isdisjoint(attributes)


def is_placeholder(address: str) -> bool:
    """Return whether a file's name is that of a spacer, or of a picture that stands for another: "lazyload.gif"."""
    name, dot, ending = re.split(r"[?#]", address, maxsplit=1)[0].rpartition("/")[2].lower().rpartition(".")
    if not dot or ending not in _PLACEHOLDER_TYPES:
        return False
    words = [word for word in re.split(r"[-_.]+", name) if word]
    certain = [word for word in words if word in _PLACEHOLDER_WORDS]
    others = [word for word in words if word not in _PLACEHOLDER_WORDS and word not in _PLACEHOLDER_FILLERS]
    return bool(certain) and all(re.fullmatch(r"\d{1,4}(?:x\d{1,4}|px)?", word) for word in others)


def is_tracker(address: str) -> bool:
    """Return whether a picture's address is that of a tracker."""
    host, path = _host_and_path(address)
    if _TRACKER_HOSTS.fullmatch(host) or host == "feeds.feedburner.com":
        return True
    if path.endswith((".jpg", ".jpeg", ".webp", ".avif")):
        return False
    if _TRACKER_LABELS.match(host) and not path.endswith((".png", ".svg")):
        return True
    match = _TRACKER_PATHS.fullmatch(path)
    return match is not None and (not path.startswith(("/tr", "/_/")) or bool(_TRACKED_SITES.fullmatch(host)))


def is_decoration(address: str) -> bool:
    """Return whether a picture never represents an article: placeholders, counters, avatars and emoji."""
    return is_placeholder(address) or is_tracker(address) or bool(_DECORATIONS.search(address.lower()))


def picture_key(address: str) -> str:
    """Return what the addresses of one picture in several sizes have in common."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    kept, before = [], ""
    for segment in parts.path.split("/"):
        sized = _SIZED_SEGMENT.fullmatch(segment) or (before in _SIZED_AFTER and segment.isdigit())
        if not sized:
            kept.append(segment)
        before = segment
    kept[-1] = _NAME_SIZE.sub("", kept[-1])
    pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=None) if len(parts.query) < _LONGEST else []
    query = urlencode([(name, value) for name, value in pairs if name.lower() not in _SIZE_PARAMETERS])
    host = (parts.hostname or "").lower() if "[" not in parts.netloc else parts.netloc
    path = "/".join(kept).removeprefix("/") if re.fullmatch(r"i[0-3]\.wp\.com", host) else host + "/".join(kept)
    return f"{path}?{query}"


def width_in(address: str) -> int | None:
    """Return the width that an address names: `photo-300x200.jpg`, `?width=300`."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    for name, value in parse_qsl(parts.query[:_LONGEST]):
        if name.lower() in {"width", "w", "imwidth", "wid", "mw", "maxwidth"} and value.isdigit():
            return int(value[:5]) or None
    before = ""
    for segment in parts.path.split("/"):
        sized = _SIZED_SEGMENT.fullmatch(segment) or (before in _SIZED_AFTER and segment.isdigit())
        number = _NUMBERS.search(segment) if sized else None
        if number:
            return int(number[1]) or None
        before = segment
    size = _NAME_SIZE.search(before)
    number = re.search(r"\d{2,4}", size[0]) if size and "@" not in size[0] else None
    return int(number[0]) or None if number else None


def _described(descriptor: str) -> float | None:
    """Return the width that a candidate's descriptor stands for."""
    match = _NUMBER.match(descriptor)
    if match is None:
        return None
    factor = {"w": 1.0, "h": 1.5, "x": 600.0}[match[2]]
    return float(match[1]) * factor


def _is_set(text: str) -> bool:
    return bool(re.search(r"\s\d{1,5}[wx](?:,|\s|$)", text))


def _enlarged(src: str, candidates: list[Candidate]) -> str:
    """Return a `src`, or the best candidate if the `src` is known to be small."""
    own = next((candidate.width for candidate in candidates if candidate.address == src), None) or width_in(src)
    if not own or own >= _SMALL:
        return src
    wider = [candidate for candidate in candidates if candidate.width and candidate.width > own]
    return best(wider) or src


def _anywhere(attributes: Mapping[str, str]) -> str | None:
    """Return the first picture's address in an attribute whose name is not known."""
    for name, value in attributes.items():
        if name not in _OTHER and not name.startswith("on") and _ENDING.search(value) and len(value) <= _LONGEST_SET:
            found = best(candidates_of(value)) if _is_set(value) else address_in(value)
            if found and not is_placeholder(found) and not found.startswith("<"):
                return found
    return None


def _host_and_path(address: str) -> tuple[str, str]:
    try:
        parts = urlsplit(address)
        return (parts.hostname or "").lower(), parts.path.lower()
    except ValueError:
        return "", ""
