"""List the requirements of RSS 2.0 and of the profile of the RSS Advisory Board."""

from __future__ import annotations

from tests.reader.feeds.looking import (
    EMAIL,
    LANGUAGE,
    MEDIA_TYPE,
    all_of,
    at_most_one,
    every,
    is_rfc822,
    is_web,
    one_each,
    texts,
    unique,
)

_OF_RSS = frozenset(
    {
        "rss",
        "channel",
        "title",
        "link",
        "description",
        "language",
        "lastBuildDate",
        "docs",
        "ttl",
        "item",
        "guid",
        "pubDate",
        "category",
        "enclosure",
    }
)


def _one_line(text: str) -> bool:
    return "\n" not in text


RSS = (
    ("RSS", "the root is rss with version 2.0", lambda r: r.tag == "rss" and r.get("version") == "2.0"),
    ("RSS", "rss holds one channel", lambda r: [child.tag for child in r] == ["channel"]),
    *(
        ("RSS, required channel elements", f"one {name}", lambda r, name=name: one_each(r, "channel", name))
        for name in ("title", "link", "description")
    ),
    (
        "RSS, required channel elements",
        "none is empty",
        lambda r: every(r, "channel/title|channel/link|channel/description", str.strip),
    ),
    ("RSS, channel", "link is a web address", lambda r: every(r, "channel/link", is_web)),
    ("RSS, channel", "language is one of RFC 1766", lambda r: every(r, "channel/language", LANGUAGE.fullmatch)),
    (
        "RSS, channel",
        "lastBuildDate is of RFC 822, years of four digits",
        lambda r: every(r, "//lastBuildDate", is_rfc822),
    ),
    ("RSS, channel", "docs is a web address", lambda r: every(r, "channel/docs", is_web)),
    ("RSS, channel", "ttl is a number of minutes", lambda r: every(r, "channel/ttl", str.isdecimal)),
    (
        "RSS, channel",
        "no element of RSS comes twice but item and category",
        lambda r: unique(
            c.tag for c in all_of(r, "channel/*") if c.tag not in {"item", "category"} and "{" not in str(c.tag)
        ),
    ),
    (
        "RSS, item",
        "has a title or a description",
        lambda r: all(texts(i, "title") or texts(i, "description") for i in all_of(r, "//item")),
    ),
    (
        "RSS, item",
        "title, link, description, guid and pubDate once at most",
        lambda r: at_most_one(r, "//item", "title", "link", "description", "guid", "pubDate", "author", "source"),
    ),
    ("RSS, item", "link is a web address", lambda r: every(r, "//item/link", is_web)),
    ("RSS, item", "pubDate is of RFC 822, years of four digits", lambda r: every(r, "//item/pubDate", is_rfc822)),
    ("RSS, item", "author is an address for mail", lambda r: every(r, "//item/author", EMAIL.search)),
    ("RSS, guid", "identifies one item", lambda r: unique(texts(r, "//item/guid"))),
    (
        "RSS, guid",
        "a permalink, unless isPermaLink is false",
        lambda r: all(g.get("isPermaLink") == "false" or is_web(g.text or "") for g in all_of(r, "//item/guid")),
    ),
    (
        "RSS, enclosure",
        "url, length and type are there",
        lambda r: all({"url", "length", "type"} == set(e.attrib) for e in all_of(r, "//enclosure")),
    ),
    ("RSS, enclosure", "url is of http", lambda r: every(r, "//enclosure/@url", is_web)),
    ("RSS, enclosure", "length is a number of bytes", lambda r: every(r, "//enclosure/@length", str.isdecimal)),
    ("RSS, enclosure", "type is a media type", lambda r: every(r, "//enclosure/@type", MEDIA_TYPE.fullmatch)),
    ("RSS, category", "none is empty", lambda r: every(r, "//item/category", str.strip)),
    (
        "RSS, extending",
        "elements that RSS does not know have a namespace",
        lambda r: {str(e.tag) for e in all_of(r, "//*") if "{" not in str(e.tag)} <= _OF_RSS,
    ),
    ("Profile, enclosure", "an item has one at most", lambda r: at_most_one(r, "//item", "enclosure")),
    ("Profile, guid", "every item has one", lambda r: one_each(r, "//item", "guid")),
    ("Profile, atom:link", "one says which feed this is", lambda r: len(all_of(r, "channel/a:link[@rel='self']")) == 1),
    (
        "Profile, atom:link",
        "rel and href are there",
        lambda r: all(link.get("rel") and is_web(link.get("href") or "") for link in all_of(r, "//a:link")),
    ),
    ("Profile, content:encoded", "once at most", lambda r: at_most_one(r, "//item", "c:encoded")),
    (
        "Profile, content:encoded",
        "is beside a description",
        lambda r: all(all_of(e, "../description") for e in all_of(r, "//c:encoded")),
    ),
    ("Profile, dc:creator", "is no empty name", lambda r: every(r, "//dc:creator", str.strip)),
    ("Profile, character data", "no title has markup for line breaks", lambda r: every(r, "//item/title", _one_line)),
)
