"""Read a feed's polling and paging hints, as written. Pure."""

from __future__ import annotations

from lxml import etree

from aggregator.sources.rss.document import Announced

_SYNDICATION = "{http://purl.org/rss/1.0/modules/syndication/}"
_HISTORY = "{http://purl.org/syndication/history/1.0}"
_ATOM = "{http://www.w3.org/2005/Atom}"
_MOST = 50  # hours or days in a list
_LONGEST = 2000  # characters of a value
_LONGEST_DATE = 100


def announced_in(body: bytes) -> Announced:
    """Read the hints from a document that may be broken."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=True,
    )
    try:
        root: etree._Element | None = etree.fromstring(body, parser)  # None if nothing could be parsed
    except (etree.XMLSyntaxError, ValueError):
        return Announced()
    return Announced() if root is None else announced_by(root)


def announced_by(root: etree._Element) -> Announced:
    """Read the hints from the root of a document; the feed is that element or its `channel`."""
    feed = next((child for child in root.iterchildren("*") if _local(child) == "channel"), root)
    single: dict[str, str] = {}
    lists: dict[str, tuple[str, ...]] = {}
    previous = None
    complete = False
    for child in feed.iterchildren("*"):
        tag = child.tag
        if tag == f"{_ATOM}link" and child.get("rel", "").lower() == "prev-archive":
            previous = (child.get("href") or "").strip()[:_LONGEST] or None
        elif tag == f"{_HISTORY}complete":
            complete = True
        elif tag.lower() in {"lastbuilddate", f"{_ATOM.lower()}updated"}:
            single.setdefault("built", _words(child)[:_LONGEST_DATE])
        elif tag.lower() in {"ttl", f"{_SYNDICATION}updateperiod", f"{_SYNDICATION}updatefrequency"}:
            single.setdefault(_local(child), _words(child))
        elif tag.lower() in {"skiphours", "skipdays"}:
            lists.setdefault(_local(child), tuple(filter(None, map(_words, list(child.iterchildren("*"))[:_MOST]))))
    return Announced(
        ttl=single.get("ttl") or None,
        skip_hours=lists.get("skiphours", ()),
        skip_days=lists.get("skipdays", ()),
        update_period=single.get("updateperiod") or None,
        update_frequency=single.get("updatefrequency") or None,
        complete=complete,
        previous=previous,
        built=single.get("built") or None,
    )


def _local(element: etree._Element) -> str:
    return element.tag.rpartition("}")[2].lower()


def _words(element: etree._Element) -> str:
    return (element.text or "").strip()[:_LONGEST]
