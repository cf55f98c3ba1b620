"""Test which page an entry leads to, and what its categories are called, for each way of reading a feed."""

from __future__ import annotations

import pytest

from aggregator.sources.rss.entry_links import is_alternate
from tests.sources.rss.read_ways import XML_WAYS, atom_entry, json_entry, rss_entry

OWN = "<link>https://paper.example/own</link>"
SITE = "https://paper.example"


def alternate(path: str, attributes: str = "") -> str:
    return f'<a10:link href="{SITE}{path}" rel="alternate" {attributes}/>'


RSS = [
    pytest.param(OWN + alternate("/fr", 'type="text/html" hreflang="fr"'), "/own", id="own-first"),
    pytest.param(alternate("/amp") + OWN, "/own", id="own-last"),
    pytest.param(f'<a10:link href="{SITE}/amp"/>' + OWN, "/own", id="no-relation"),
    pytest.param("<link/>" + alternate("/page"), "/page", id="empty-own"),
    pytest.param("<link></link>" + alternate("/page") + alternate("/other"), "/page", id="first-alternate"),
    pytest.param("<link><![CDATA[https://paper.example/own]]></link>" + alternate("/page"), "/own", id="cdata"),
    pytest.param(OWN + "<link>https://paper.example/second</link>", "/own", id="two-own"),
    pytest.param("<link>urn:uuid:1</link>" + alternate("/page"), "/page", id="own-is-no-address"),
    pytest.param("<guid>https://paper.example/guid</guid>" + alternate("/page"), "/page", id="guid-and-alternate"),
    pytest.param(OWN + "<guid>https://paper.example/guid</guid>", "/own", id="own-and-guid"),
    pytest.param(OWN + "<feedburner:origLink>https://paper.example/o</feedburner:origLink>", "/o", id="feedburner"),
    pytest.param(
        "<feedburner:origLink>https://paper.example/o</feedburner:origLink>" + OWN, "/o", id="feedburner-first"
    ),
    pytest.param(OWN + "<pheedo:origLink>https://paper.example/o</pheedo:origLink>", "/o", id="pheedo"),
    pytest.param(OWN + "<feedburner:origLink>urn:x</feedburner:origLink>", "/own", id="original-is-no-address"),
    pytest.param(OWN + "<feedburner:origLink/>", "/own", id="no-original"),
    pytest.param(
        f'{OWN}<a10:link rel="replies" href="{SITE}/r"/><a10:link rel="self" href="{SITE}/s"/>',
        "/own",
        id="other-relations",
    ),
]
ATOM = [
    pytest.param([("", "/a", ""), ("alternate", "/b", "")], "/a", id="first-counts"),
    pytest.param([("alternate", "/a", 'hreflang="de"'), ("alternate", "/b", 'hreflang="en"')], "/b", id="language"),
    pytest.param([("alternate", "/a", 'hreflang="en-GB"'), ("alternate", "/b", "")], "/a", id="region"),
    pytest.param([("alternate", "/a", 'hreflang="de"'), ("alternate", "/b", "")], "/b", id="without-language"),
    pytest.param(
        [("alternate", "/a", 'hreflang="de"'), ("alternate", "/b", 'hreflang="fr"')], "/a", id="other-languages"
    ),
    pytest.param(
        [("alternate", "/a.atom", 'type="application/atom+xml"'), ("alternate", "/b", 'type="text/html"')],
        "/b",
        id="feed-first",
    ),
    pytest.param([("alternate", "/a.pdf", 'type="application/pdf"')], "/a.pdf", id="document"),
    pytest.param(
        [("alternate", "/a.pdf", 'type="application/pdf"'), ("alternate", "/b", "")], "/b", id="document-first"
    ),
    pytest.param([("http://www.iana.org/assignments/relation/alternate", "/a", "")], "/a", id="relation-as-address"),
    pytest.param([("Alternate", "/a", 'type="TEXT/HTML; charset=utf-8"')], "/a", id="case"),
    pytest.param([("replies", "/r", ""), ("edit", "/e", ""), ("alternate", "/a", "")], "/a", id="other-relations"),
]


@pytest.mark.parametrize("way", XML_WAYS)
@pytest.mark.parametrize(
    ("guid", "url"),
    [
        ("<guid>17</guid>", None),
        ("<guid>17@paper.example</guid>", None),
        ("<guid>urn:uuid:1</guid>", None),
        ('<guid isPermaLink="false">https://paper.example/1</guid>', None),
        ("<guid>https://paper.example/1</guid>", "https://paper.example/1"),
        ("<guid>/posts/1</guid>", "https://paper.example/posts/1"),
        ("<guid>post-1.html</guid>", "https://paper.example/post-1.html"),
    ],
)
def test_an_id_is_a_page_if_it_is_an_address(way: str, guid: str, url: str | None) -> None:
    assert rss_entry(way, guid).url == url


@pytest.mark.parametrize("way", XML_WAYS)
@pytest.mark.parametrize(("inner", "path"), RSS)
def test_the_page_of_an_item(way: str, inner: str, path: str) -> None:
    """danmactough/node-feedparser 142: an item's own link counts more than alternates of Atom."""
    assert rss_entry(way, inner).url == SITE + path


@pytest.mark.parametrize("way", XML_WAYS)
@pytest.mark.parametrize(("links", "path"), ATOM)
def test_the_page_of_an_entry(way: str, links: list[tuple[str, str, str]], path: str) -> None:
    """RFC 4287, section 4.1.2: alternates may differ in type and language."""
    inner = "".join(
        f'<link {f"rel={chr(34)}{rel}{chr(34)}" if rel else ""} href="{SITE}{href}" {more}/>'
        for rel, href, more in links
    )
    assert atom_entry(way, inner).url == SITE + path


def test_relations_may_be_spelled_in_several_ways() -> None:
    assert all(map(is_alternate, ("", "alternate", "ALTERNATE", "http://www.iana.org/assignments/relation/alternate")))
    assert not any(
        map(is_alternate, ("self", "related", "alternative", "http://www.iana.org/assignments/relation/self"))
    )


@pytest.mark.parametrize("way", XML_WAYS)
def test_the_label_of_a_category_is_shown(way: str) -> None:
    """RFC 4287, section 4.2.2.3: the label is for people, the term is for programs."""
    inner = '<category term="t-17" label="Open data"/><category term="news"/><category term="x" label=" "/>'
    assert atom_entry(way, inner).hashtags == ("Open data", "news", "x")
    assert rss_entry(way, "<category>Open data</category>").hashtags == ("Open data",)


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        (["Open data", " ", 5, None, "#News"], ("Open data", "News")),
        ("Open data, News", ("Open data", "News")),
        ([{"name": "Open data"}, {"term": "t-17", "label": "News"}], ("Open data", "News")),
        ({"a": "b"}, ()),
    ],
)
def test_tags_of_json_may_have_any_shape(tags: object, names: tuple[str, ...]) -> None:
    assert json_entry({"tags": tags}).hashtags == names
