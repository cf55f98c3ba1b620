"""Normalize URLs and derive keys and slugs from them."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import unicodedata
from urllib.parse import quote, urljoin, urlsplit

from aggregator.text.tracking_params import without_trackers

LONGEST_SLUG = 40
_LONGEST_NAMED = 1000  # characters of a slug
DEFAULT_PORTS = {"http": 80, "https": 443}
# URLs that are already canonical, as most are; anything unusual doesn't match.
_CANONICAL = re.compile(
    r"https?://(?=[^/]{1,253}/)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+"
    r"/[A-Za-z0-9/._~!$&'()*+,;=:@-]*"
)
_UNSEEN = re.compile("[\x00-\x1f\x7f]")  # browsers ignore these within URLs
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
_ESCAPE = re.compile("%[0-9a-fA-F]{2}")
_LONE_PERCENT = re.compile("%(?![0-9a-fA-F]{2})")
_LONGEST_HOST = 253
_LONGEST_URL = 4096
_LONGEST_RAW = 4 * _LONGEST_URL  # with fragment and trackers; splitting takes time quadratic in the accents


def canonical_url(url: str, base: str | None = None) -> str | None:
    """Return the canonical form of a web URL, or None if it isn't a valid one.

    Scheme and host are lower case, the host in ASCII; the default port, fragment and tracking parameters are removed.
    Everything else keeps its order. Idempotent.
    """
    if len(url) <= _LONGEST_URL and _CANONICAL.fullmatch(url):
        return url
    if len(url) > _LONGEST_RAW:
        return None
    url = _UNSEEN.sub("", url).strip()
    try:
        parts = urlsplit(urljoin(base, url) if base else url)
        scheme, port = parts.scheme.lower(), parts.port
        host = _ascii_host(parts.hostname or "")
    except ValueError:
        return None
    if scheme not in DEFAULT_PORTS or host is None or "@" in parts.netloc:
        return None
    place = host if port in {None, DEFAULT_PORTS[scheme]} else f"{host}:{port}"
    path = escaped(parts.path, "/:@!$&'()*+,;=~%[]|") or "/"
    query = escaped(without_trackers(parts.query, host), "/?:@!$&'()*+,;=~%[]|{}^`") if parts.query else ""
    canonical = f"{scheme}://{place}{path}" + (f"?{query}" if query else "")
    return canonical if len(canonical) <= _LONGEST_URL else None


def web_key(url: str) -> str:
    """Return the key shared by all content at a URL, in any spelling."""
    return "web:" + hashlib.sha256((canonical_url(url) or url).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def slug(text: str) -> str:
    """Return a slug of a-z, 0-9 and dashes with at most 40 characters; "" if no characters are left."""
    plain = unicodedata.normalize("NFKD", text[:_LONGEST_NAMED].casefold()).encode("ascii", "ignore").decode()
    whole = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if len(whole) <= LONGEST_SLUG:
        return whole
    head, dash, _ = whole[: LONGEST_SLUG + 1].rpartition("-")
    return head if dash and len(head) > LONGEST_SLUG // 2 else whole[:LONGEST_SLUG].rstrip("-")


def _ascii_host(host: str) -> str | None:
    """Return a host name in ASCII (IDNA), or None if it is invalid."""
    if len(host) > _LONGEST_HOST + 1:
        return None
    if not host.isascii():
        labels = unicodedata.normalize("NFKC", host.lower()).replace("。", ".").split(".")
        host = ".".join(x if x.isascii() else "xn--" + x.encode("punycode").decode("ascii") for x in labels)
    if ":" in host:
        return f"[{ipaddress.IPv6Address(host)}]"
    host = host.removesuffix(".")
    return host if len(host) <= _LONGEST_HOST and _HOST.fullmatch(host) else None


def escaped(text: str, safe: str) -> str:
    """Percent-encode characters that a URL can't contain; existing escapes stay, with upper-case digits."""
    if "%" in text:
        text = _ESCAPE.sub(lambda found: found[0].upper(), _LONE_PERCENT.sub("%25", text))
    return quote(text, safe=safe, errors="replace")
