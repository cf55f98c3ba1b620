"""Test OPML: reading, errors with reasons, and round trips."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from aggregator.domain.errors import BadRequestError
from aggregator.services.subscription_lists.opml import (
    DEEPEST,
    LONGEST_TITLE,
    MOST_BYTES,
    MOST_OUTLINES,
    OWN,
    Outline,
    read,
    written,
)

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE opml [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {"abcdefghij"[n]} "{f"&{chr(96 + n)};" * 10}">' for n in range(1, 10))
    + ']><opml><body><outline text="&j;" xmlUrl="https://a.example/"/></body></opml>'
)


def _opml(body: str, version: str = "2.0") -> bytes:
    return f'<opml version="{version}"><head><title>x</title></head><body>{body}</body></opml>'.encode()


def _feeds(document: bytes) -> list[tuple[str, str]]:
    return [(outline.title, outline.feed) for outline in read(document, "x.opml").outlines]


def _named(title: str) -> str:
    return f'<outline text="{title}" type="rss" xmlUrl="https://{title}.example/feed"/>'


@pytest.mark.parametrize("version", ["1.0", "1.1", "2.0"])
def test_folders_are_laid_flat_in_the_order_of_the_document(version: str) -> None:
    body = f'{_named("a")}<outline text="Folder">{_named("b")}<outline title="In">{_named("c")}</outline></outline>'
    found = read(_opml(body + _named("d"), version), "x.opml")
    assert [outline.title for outline in found.outlines] == ["a", "b", "c", "d"]
    assert found.nowhere == 0


def test_attributes_in_any_letter_case_titles_of_either_kind_and_outlines_without_a_type() -> None:
    body = (
        '<outline TITLE="One" xmlurl=" https://one.example/ "/><outline text="" title="Two" XMLURL="feed://two.example"/>'
        '<outline xmlUrl="https://three.example/"/>'
    )
    assert _feeds(_opml(body)) == [
        ("One", "https://one.example/"),
        ("Two", "feed://two.example"),
        ("", "https://three.example/"),
    ]


def test_a_feed_that_has_others_below_it_counts_and_what_leads_nowhere_is_counted() -> None:
    body = f'<outline text="a" xmlUrl="https://a.example/">{_named("b")}</outline><outline text="a note"/>'
    found = read(_opml(body), "x.opml")
    assert [outline.title for outline in found.outlines] == ["a", "b"]
    assert found.nowhere == 1


def test_lines_are_those_of_the_file() -> None:
    document = b'<?xml version="1.0"\n  encoding="utf-8"?>\n<opml>\n<body>\n' + _named("a").encode() + b"</body></opml>"
    [outline] = read(document, "x.opml").outlines
    assert outline.line == 5


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252", "latin1"], ids=lambda name: name
)
def test_encodings_are_understood(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{declared}"?>' + _opml(_named("a").replace('"a"', '"Año é"')).decode()
    assert _feeds(text.encode(encoding))[0][0] == "Año é"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "x.opml is empty"),
        (b" \n ", "x.opml is empty"),
        (b"just words", "another kind of document, not OPML"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "a web page, not OPML"),
        (b"<rss><channel/></rss>", "another kind of document"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "line 1: a byte isn't valid UTF-8"),
        (b"<x><opml/></x>", "root element is <x>"),
        (BOMB.encode(), "has a document type"),
        (BOMB.encode("utf-16"), "has a document type"),
        (b"<!-- <opml> -->" + BOMB.encode()[21:], "has a document type"),
        (b'<!DOCTYPE opml SYSTEM "http://127.0.0.1/x.dtd"><opml/>', "has a document type"),
        (b'<!DOCTYPE o [<!ENTITY x SYSTEM "file:///etc/passwd">]><opml/>', "has a document type"),
        (b"<opml><body>\n<outline text='R&D' xmlUrl='https://a.example'/></body></opml>", "x.opml, line 2"),
        (b"<opml><body>\n<outline text='a&b=c'/></body></opml>", "A bare & is written &amp; in XML."),
        (b"<opml><body>\n\n<outline text='&nbsp;'/></body></opml>", "x.opml, line 3"),
        (b"<opml><body>\n<outline text='cut", "x.opml, line 2"),
        (b"<opml>\n<body><outline text='\xe9'/></body></opml>", "line 2: a byte isn't valid UTF-8"),
        (b'<?xml version="1.0" encoding="us-ascii"?><opml>\xe9</opml>', "a byte isn't valid US-ASCII"),
        (b'<?xml version="1.0" encoding="punycode"?><opml/>', "declares the encoding 'punycode', which"),
        (b'<?xml version="1.0" encoding="no-such"?><opml/>', "declares the encoding 'no-such'"),
        (b"<opml>\0</opml>", "x.opml"),
        (_opml("<outline>" * (DEEPEST + 1) + "</outline>" * (DEEPEST + 1)), f"more than {DEEPEST} levels deep"),
        (_opml("<outline>" * 5000 + "</outline>" * 5000), "x.opml"),
        (_opml("<outline/>" * (MOST_OUTLINES + 1)), f"more than {MOST_OUTLINES} outlines"),
        (_opml(" " * MOST_BYTES), "larger than 5 MB"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(document: bytes, message: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        read(document, "x.opml")
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "document",
    [
        b"<opml" + b"<!--" * 1_000_000,
        b"<?xml " + b"a" * (MOST_BYTES - 100),
        b" " * (MOST_BYTES - 100) + b"<opml",
        _opml("<outline " + " ".join(f"a{n}=''" for n in range(100_000)) + "/>"),
    ],
    ids=["comments", "declaration", "blanks", "attributes"],
)
@pytest.mark.timeout(20)
def test_large_nonsense_takes_no_long_time(document: bytes) -> None:
    try:
        read(document, "x.opml")
    except BadRequestError as problem:
        assert len(str(problem)) < 400  # noqa: PT017  # either is fine, as long as it is soon


def test_what_is_written_is_opml_2_that_other_readers_take() -> None:
    document = written(
        "Ours",
        NOW,
        [
            Outline("News", feed="https://news.example/?a=1&b=2", own={"slug": "news"}),
            Outline("An account", link="https://x.com/a", own={"address": "@a"}),
        ],
    )
    root = etree.fromstring(document)
    assert (root.tag, root.get("version")) == ("opml", "2.0")
    assert root.findtext("head/title") == "Ours"
    assert root.findtext("head/dateCreated") == "Mon, 02 Mar 2026 12:00:00 GMT"
    feed, account = root.findall("body/outline")
    assert dict(feed.attrib.items()) == {
        "type": "rss",
        "text": "News",
        "title": "News",
        "xmlUrl": "https://news.example/?a=1&b=2",
        f"{{{OWN}}}slug": "news",
    }
    assert (account.get("type"), account.get("url"), account.get("xmlUrl")) == ("link", "https://x.com/a", None)


def _storable(text: str) -> bool:
    """Return whether XML has a place for a text, and nothing is cut from its ends."""
    return text == text.strip() and all(
        char in "\t\n\r" or " " <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd" or char > "\uffff" for char in text
    )


@given(st.lists(st.tuples(st.text(max_size=LONGEST_TITLE).filter(_storable), st.text(max_size=50).filter(_storable))))
def test_names_with_any_characters_come_back(expected: list[tuple[str, str]]) -> None:
    outlines = [
        Outline(name, feed=f"https://a.example/{n}", own={"trusted": own}) for n, (name, own) in enumerate(expected)
    ]
    found = read(written("x", NOW, outlines), "x.opml").outlines
    assert [(outline.title, outline.own.get("trusted", "")) for outline in found] == expected


@given(st.text(max_size=40))
def test_characters_that_xml_forbids_cost_themselves_alone(name: str) -> None:
    [outline] = read(written(name, NOW, [Outline(name, feed="https://a.example/")]), "x.opml").outlines
    assert outline.feed == "https://a.example/"


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda some: b"<opml><body>" + some + b"</body></opml>"))
def test_whatever_comes_is_read_or_refused(document: Any) -> None:
    try:
        read(document, "x.opml")
    except BadRequestError as problem:
        assert str(problem).startswith("x.opml")  # noqa: PT017  # either is fine
