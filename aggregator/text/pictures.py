"""Find the picture that an HTML element shows: lazy loading, sizes, placeholders and tracking pixels. Pure.

Attribute names are those of common lazy-loading scripts, such as lazysizes, vanilla-lazyload, WP Rocket and Jetpack.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LARGEST_WIDTH = 2_000  # pixels; larger files cost readers more than they show
_MOST_CANDIDATES = 50  # of a srcset
_LAZY = (
    "data-src", "data-lazy-src", "data-original", "data-original-src", "data-lazy", "data-lazyload", "data-real-src",
    "data-actualsrc", "data-cfsrc", "data-echo", "data-img-src", "data-img-url", "data-image-src", "data-runner-src",
    "data-native-src", "data-ll-src", "data-hi-res-src", "data-full-src", "data-orig-src", "data-srcurl", "data-url",
    "data-wpfc-original-src", "data-pagespeed-lazy-src", "data-flickity-lazyload", "data-ezsrc", "data-breeze",
    "data-opt-src", "data-delayed-url", "data-lazysrc", "data-defer-src", "nitro-lazy-src", "data-file",
)  # fmt: skip
_LAZY_SETS = (
    "data-srcset", "data-lazy-srcset", "data-original-set", "data-original-srcset", "data-ezsrcset",
    "nitro-lazy-srcset", "data-wpfc-original-srcset", "data-breeze-srcset", "data-sizes-srcset",
)  # fmt: skip
_ADDRESS = re.compile(r"(?i)(?:https?:)?/{0,2}[^\s<>\"']+")
_NOWHERE = re.compile(r"(?i)\s*(?:data:|about:|javascript:|blob:|file:|cid:|#|$)")
# Names of files that show nothing: "spacer.gif", "1x1.png", "lazyload.gif", "placeholder-16x9.svg".
_EMPTY_NAME = re.compile(
    r"(?i)(?:^|[_./-])(?:spacer|blank|pixel|pixels|transparent|trans|transp|1x1|1px|clear|cleardot|empty|dummy|none|"
    r"placeholder|lazyload|lazy|loading|loader|preloader|grey|gray|shim|dot)(?:[_.-][a-z0-9_.-]{0,20})?"
    r"\.(?:gif|png|svg|webp|jpe?g)$"
)
# Files that count readers instead of showing something.
_COUNTERS = re.compile(
    r"(?i)(?:https?:)?//(?:pixel\.wp\.com|stats\.wordpress\.com|stats\.wp\.com|feeds\.feedburner\.com/~|"
    r"feedads\.g\.doubleclick\.net|ad\.doubleclick\.net|(?:[a-z]+\.)?feedsportal\.com|www\.google-analytics\.com|"
    r"sb\.scorecardresearch\.com|b\.scorecardresearch\.com|pixel\.quantserve\.com|rss\.buysellads\.com|"
    r"www\.facebook\.com/tr\b|px\.ads\.linkedin\.com|analytics\.twitter\.com|t\.co/i/adsct|blogger\.googleusercontent\.com/tracker/|"
    r"counter\.theconversation\.(?:com|edu\.au)|da\.feedsportal\.com|piwik\.[^/]+/piwik\.php|matomo\.[^/]+/matomo\.php)"
)
_HIDDEN = re.compile(
    # Not opacity: scripts fade pictures in.
    r"(?i)(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden|"
    r"(?:max-)?(?:width|height)\s*:\s*[01](?:\.\d*)?(?:px)?\s*(?:;|$|!))"
)


class Candidate(NamedTuple):
    """One entry of a `srcset`."""

    url: str
    width: float  # pixels, or 1000 per unit of density; 0: unknown


def picture_of(attributes: Mapping[str, str], sources: Iterable[str] = ()) -> str | None:
    """Return the address of the picture that an image shows once it has loaded; None: none.

    Args:
        attributes: of the `img` or `amp-img`.
        sources: `srcset`s of a surrounding `picture`.
    """
    lazy = next((value for name in _LAZY if _is_address(value := attributes.get(name, "").strip())), None)
    if lazy is not None:
        return lazy
    lazy_sets = [attributes[name] for name in _LAZY_SETS if name in attributes]
    own = attributes.get("src", "").strip()
    if own and not is_placeholder(own) and not lazy_sets:
        return own
    sets = [*lazy_sets, attributes.get("srcset", ""), *sources]
    best = next((found for each in sets if (found := best_of(each)) is not None), None)
    return best or (own if own and not is_placeholder(own) else None)


def best_of(srcset: str) -> str | None:
    """Return the largest picture of a `srcset` that isn't needlessly large; None: it has none."""
    found = [candidate for candidate in candidates(srcset) if not is_placeholder(candidate.url)]
    if not found:
        return None
    fitting = [candidate for candidate in found if candidate.width <= LARGEST_WIDTH]
    chosen = max(fitting, key=_width) if fitting else min(found, key=_width)
    return chosen.url


def candidates(srcset: str) -> list[Candidate]:
    """Parse a `srcset`; addresses may contain commas, but neither begin nor end with one."""
    found: list[Candidate] = []
    rest = srcset.strip().lstrip(",").strip()
    while rest and len(found) < _MOST_CANDIDATES:
        url, _, rest = rest.partition(" ") if " " in rest else (rest, "", "")
        if url.endswith(","):
            found.append(Candidate(url.rstrip(","), 0))
            rest = rest.strip()
            continue
        descriptor, _, rest = rest.partition(",")
        found.append(Candidate(url, _size(descriptor.strip())))
        rest = rest.strip()
    return [candidate for candidate in found if candidate.url]


def is_placeholder(url: str) -> bool:
    """Return whether an address is that of no picture: data, a spacer, or a counter of readers."""
    if _NOWHERE.match(url) or _COUNTERS.match(url):
        return True
    try:
        path = urlsplit(url).path
    except ValueError:
        return True
    return bool(_EMPTY_NAME.search(path[-60:]))


def is_hidden(attributes: Mapping[str, str]) -> bool:
    """Return whether an element is never seen."""
    return "hidden" in attributes or bool(_HIDDEN.search(attributes.get("style", "")[:500]))


def _is_address(value: str) -> bool:
    return bool(_ADDRESS.fullmatch(value)) and ("/" in value or "." in value) and not is_placeholder(value)


def _size(descriptor: str) -> float:
    first = descriptor.split(" ", maxsplit=1)[0]
    try:
        number = float(first[:-1]) if first[-1:] in {"w", "x"} else 0
    except ValueError:
        return 0
    size = number * 1000 if first.endswith("x") else number
    return size if 0 < size < float("inf") else 0


def _width(candidate: Candidate) -> float:
    return candidate.width
