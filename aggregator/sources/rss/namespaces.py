"""Hold the XML namespaces that feeds use, by address and by usual prefix. Pure."""

from __future__ import annotations

ATOM = "http://www.w3.org/2005/Atom"
XHTML = "http://www.w3.org/1999/xhtml"
XML = "http://www.w3.org/XML/1998/namespace"

# Namespaces of the elements of feeds themselves, in lower case and without a slash at the end.
_FEEDS = (
    *("http://www.w3.org/2005/atom", "http://purl.org/atom/ns#", "http://purl.org/rss/1.0"),
    *("http://my.netscape.com/rdf/simple/0.9", "http://my.netscape.com/publish/formats/rss-0.91.dtd"),
    *("http://backend.userland.com/rss", "http://backend.userland.com/rss2", "http://backend.userland.com/rss091"),
    *("http://backend.userland.com/rss092", "http://blogs.law.harvard.edu/tech/rss"),
    *(
        "http://cyber.law.harvard.edu/rss/rss.html",
        "http://purl.org/rss/2.0",
        "http://purl.org/rss/1.0/modules/rss091#",
    ),
)
# Prefixes by namespace, in the same form. An element has the name "prefix_local" here under any prefix of its document.
_EXTENSIONS = {
    "http://purl.org/rss/1.0/modules/content": "content",
    "http://purl.org/dc/elements/1.1": "dc",
    "http://purl.org/dc/elements/1.0": "dc",
    "http://purl.org/dc/terms": "dcterms",
    "http://search.yahoo.com/mrss": "media",
    "http://www.itunes.com/dtds/podcast-1.0.dtd": "itunes",
    "http://www.google.com/schemas/play-podcasts/1.0": "googleplay",
    "http://purl.org/syndication/thread/1.0": "thr",
    "http://rssnamespace.org/feedburner/ext/1.0": "feedburner",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf",
    XHTML: "xhtml",
    XML.lower(): "xml",
}
# For documents that do not declare their prefixes.
USUAL = {
    "atom": ATOM,
    "atom10": ATOM,
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "ev": "http://purl.org/rss/1.0/modules/event/",
    "feedburner": "http://rssnamespace.org/feedburner/ext/1.0",
    "fh": "http://purl.org/syndication/history/1.0",
    "geo": "http://www.w3.org/2003/01/geo/wgs84_pos#",
    "georss": "http://www.georss.org/georss",
    "gml": "http://www.opengis.net/gml",
    "googleplay": "http://www.google.com/schemas/play-podcasts/1.0",
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "media": "http://search.yahoo.com/mrss/",
    "podcast": "https://podcastindex.org/namespace/1.0",
    "psc": "http://podlove.org/simple-chapters",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "slash": "http://purl.org/rss/1.0/modules/slash/",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
    "thr": "http://purl.org/syndication/thread/1.0",
    "trackback": "http://madskills.com/public/xml/rss/module/trackback/",
    "wfw": "http://wellformedweb.org/CommentAPI/",
    "xcal": "urn:ietf:params:xml:ns:xcal",
    "xhtml": XHTML,
    "xlink": "http://www.w3.org/1999/xlink",
}
_PREFIXES = {**_EXTENSIONS, **dict.fromkeys(_FEEDS, ""), "": ""}


def prefix_of(uri: str) -> str | None:
    """Return the prefix under which a namespace is read here: "" for those of feeds, None for unknown ones."""
    return _PREFIXES.get(uri.lower().rstrip("/"))
