"""Test who is credited, with names as feeds write them, for each way of reading a feed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import pytest

from aggregator.sources.rss.authors import joined, name_in
from aggregator.sources.rss.feedparser_marks import marked
from tests.sources.rss.read_ways import XML_WAYS, atom_entry, json_entry, rss_entry

if TYPE_CHECKING:
    from aggregator.domain.activity import Actor, Content


def rss(way: str, inner: str, head: str = "") -> Actor:
    return _actor(rss_entry(way, inner, head))


def atom(way: str, inner: str, head: str = "", lang: str = "en") -> Actor:
    return _actor(atom_entry(way, inner, head, lang))


def json(item: dict[str, Any], **feed: Any) -> Actor:
    return _actor(json_entry(item, **feed))


def _actor(content: Content) -> Actor:
    assert content.actor is not None
    return content.actor


NAMES = [
    pytest.param("Ana Ruiz", "Ana Ruiz", id="name"),
    pytest.param("  Ana \n Ruiz ", "Ana Ruiz", id="blanks"),
    pytest.param("press@paper.example (Ana Ruiz)", "Ana Ruiz", id="mail-and-name"),
    pytest.param("press@city.photography (Ana Ruiz)", "Ana Ruiz", id="mail-with-long-ending"),
    pytest.param("press@city.photography(Ana Ruiz)", "Ana Ruiz", id="no-blank"),
    pytest.param("Ana Ruiz <press@city.museum>", "Ana Ruiz", id="name-and-mail"),
    pytest.param('"Ruiz, Ana" <press@city.museum>', "Ruiz, Ana", id="quoted-name"),
    pytest.param("Ana Ruiz (press@city.museum)", "Ana Ruiz", id="mail-in-brackets"),
    pytest.param("press@paper.example (Ana Ruiz (Editor))", "Ana Ruiz (Editor)", id="nested-brackets"),
    pytest.param("press@paper.example, Ana Ruiz", "Ana Ruiz", id="comma"),
    pytest.param("Ana Ruiz - press@paper.example", "Ana Ruiz", id="dash"),
    pytest.param("mailto:press@paper.example Ana Ruiz", "Ana Ruiz", id="mailto"),
    pytest.param("press@paper.example?subject=Your%20post (Ana Ruiz)", "Ana Ruiz", id="subject"),
    pytest.param("Ana Ruiz (ana [at] paper [dot] example)", "Ana Ruiz", id="spelled-mail"),
    pytest.param("ana@paper.example (Ana), ben@paper.example (Ben)", "Ana, Ben", id="two-mails-and-names"),
    pytest.param("<b>Ana</b> Ruiz", "Ana Ruiz", id="tags"),
    pytest.param('<a href="https://paper.example/a">Ana</a>, <a href="/b">Ben</a>', "Ana, Ben", id="links"),
    pytest.param('<a href="mailto:ana@paper.example">Ana Ruiz</a>', "Ana Ruiz", id="mail-link"),
    pytest.param("Ana O&#8217;Hara &amp; Co", "Ana O’Hara & Co", id="entities"),  # noqa: RUF001
    pytest.param("&lt;i&gt;Ana&lt;/i&gt; Ruiz", "Ana Ruiz", id="escaped-tags"),
    pytest.param("AT&T", "AT&T", id="bare-ampersand"),
    pytest.param("@ana@social.example", "@ana@social.example", id="fediverse-handle"),
    pytest.param("Kate (at) Home", "Kate (at) Home", id="no-mail"),
]
NO_NAMES = [
    pytest.param("", id="empty"),
    pytest.param("press@paper.example", id="mail"),
    pytest.param("press@city.photography", id="mail-with-long-ending"),
    pytest.param("<press@city.london>", id="mail-in-angle-brackets"),
    pytest.param("mailto:press@paper.example", id="mailto"),
    pytest.param("press@paper.example (press@paper.example)", id="mail-twice"),
    pytest.param("press [at] paper [dot] example", id="spelled-mail"),
    pytest.param("presse@zürich.example", id="international-mail"),
    pytest.param("null", id="null"),
    pytest.param("-", id="punctuation"),
]


@pytest.mark.parametrize("way", XML_WAYS)
@pytest.mark.parametrize(("text", "name"), NAMES)
def test_a_name_is_read_from_any_element(way: str, text: str, name: str) -> None:
    written = escape(text)
    assert rss(way, f"<author>{written}</author>").name == name
    assert rss(way, f"<dc:creator><![CDATA[{text}]]></dc:creator>").name == name
    assert rss(way, "", f"<managingEditor>{written}</managingEditor>").name == name
    assert atom(way, f"<author><name>{written}</name></author>").name == name


@pytest.mark.parametrize(("text", "name"), NAMES)
def test_a_name_is_read_from_json(text: str, name: str) -> None:
    assert json({"authors": [{"name": text}]}).name == name


@pytest.mark.parametrize("way", XML_WAYS)
@pytest.mark.parametrize("text", NO_NAMES)
def test_a_text_without_a_name_hides_no_other_author(way: str, text: str) -> None:
    written = f"<author>{escape(text)}</author>"
    assert rss(way, written).name == "Paper"
    assert rss(way, written + "<dc:creator>Ana</dc:creator>").name == "Ana"
    assert rss(way, "<dc:creator>Ana</dc:creator>" + written).name == "Ana"
    assert rss(way, "<dc:creator>Ana</dc:creator>", f"<managingEditor>{escape(text)}</managingEditor>").name == "Ana"  # fmt: skip  # noqa: E501
    person = f"<author><name>{escape(text)}</name><email>a@b.example</email></author>"
    assert atom(way, person + "<author><name>Ana</name></author>").name == "Ana"
    assert json({"authors": [{"name": text}], "author": {"name": "Ana"}}).name == "Ana"


@pytest.mark.parametrize("way", XML_WAYS)
@pytest.mark.parametrize(
    ("inner", "name"),
    [
        ("<dc:creator>Ana</dc:creator><dc:creator>Ben</dc:creator>", "Ana and Ben"),
        ("<author>Ana</author><author>Ben</author><author>Cleo</author>", "Ana, Ben and Cleo"),
        ("<author>a@b.example (Ana)</author><dc:creator>Ben</dc:creator>", "Ana and Ben"),
        ("<author>a@b.example (Ana)</author><dc:creator>ANA</dc:creator>", "Ana"),
        ("<dc:creator>Ana, Ben</dc:creator><author>Ben</author>", "Ana, Ben"),
        ("<itunes:author>The Show</itunes:author>", "The Show"),
        ("<itunes:author>The Show</itunes:author><dc:creator>Ana</dc:creator>", "Ana"),
        ("<author>a@b.example</author><itunes:author>The Show</itunes:author>", "The Show"),
        ("<a10:author><a10:name>Ana</a10:name></a10:author>", "Ana"),
        ("<author><name>Ana</name><email>a@b.example</email></author>", "Ana"),
    ],
)
def test_all_authors_are_credited_once(way: str, inner: str, name: str) -> None:
    assert rss(way, inner).name == name


@pytest.mark.parametrize("way", XML_WAYS)
def test_authors_of_atom_are_joined_in_the_language_of_the_feed(way: str) -> None:
    people = "".join(f"<author><name>{name}</name></author>" for name in ("Ana", "Ben", "Cleo"))
    assert atom(way, people).name == "Ana, Ben and Cleo"
    assert atom(way, people, lang="de-AT").name == "Ana, Ben und Cleo"
    assert joined(["Ana", "Ben"], "no such language") == "Ana and Ben"


@pytest.mark.parametrize("way", XML_WAYS)
def test_several_authors_have_neither_the_page_nor_the_identity_of_the_first(way: str) -> None:
    ana = "<author><name>Ana</name><uri>https://ana.example/</uri></author>"
    both = atom(way, f"{ana}<author><name>Ben</name></author>")
    alone = atom(way, ana)
    assert (alone.url, alone.native_id) == ("https://ana.example/", "https://ana.example/")
    assert (both.url, both.native_id) == (None, "feeds.example/ana and ben")


@pytest.mark.parametrize("way", XML_WAYS)
@pytest.mark.parametrize("url", ["mailto:ana@b.example", "ana@b.example"])
def test_a_mail_address_is_not_published_as_a_page(way: str, url: str) -> None:
    assert atom(way, f"<author><name>Ana</name><uri>{url}</uri></author>").url is None
    assert json({"authors": [{"name": "Ana", "url": url}]}).url is None


@pytest.mark.parametrize("way", XML_WAYS)
def test_the_owner_of_a_podcast_is_private(way: str) -> None:
    """Apple's podcast specification: the owner is for administrative contact only."""
    owner = "<itunes:owner><itunes:name>Billing</itunes:name><itunes:email>b@b.example</itunes:email></itunes:owner>"
    show = "<itunes:author>The Show</itunes:author>"
    for head in (owner + show, show + owner):
        assert rss(way, "", head).name == "The Show"
    assert rss(way, "", owner).name == "Paper"
    assert rss(way, "", owner + "<managingEditor>e@b.example (Ed)</managingEditor>" + show).name == "Ed"


@pytest.mark.parametrize("way", XML_WAYS)
def test_a_copied_entry_has_the_authors_of_its_source(way: str) -> None:
    """RFC 4287, section 4.2.1: an entry's own authors, then those of its source, then the feed's."""
    head = "<author><name>Planet</name></author>"
    source = "<source><title>S</title><author><name>Ana</name></author><author><name>Ben</name></author></source>"
    own = "<author><name>Cleo</name></author>"
    assert atom(way, source, head).name == "Ana and Ben"
    assert atom(way, own + source, head).name == "Cleo"
    assert atom(way, source + own, head).name == "Cleo"
    assert atom(way, "<source><title>S</title></source>", head).name == "Planet"


JSON_SHAPES: list[Any] = [
    pytest.param({"authors": [{"name": "Ana"}]}, "Ana", id="as-specified"),
    pytest.param({"author": {"name": "Ana"}}, "Ana", id="version-1.0"),
    pytest.param({"author": "Ana"}, "Ana", id="author-text"),
    pytest.param({"author": ["Ana", "Ben"]}, "Ana and Ben", id="author-list"),
    pytest.param({"author": [{"name": "Ana"}]}, "Ana", id="author-list-of-objects"),
    pytest.param({"authors": {"name": "Ana"}}, "Ana", id="authors-object"),
    pytest.param({"authors": "Ana"}, "Ana", id="authors-text"),
    pytest.param({"authors": ["Ana", {"name": "Ben"}]}, "Ana and Ben", id="authors-mixed"),
    pytest.param({"authors": [["Ana"], [{"name": "Ben"}]]}, "Ana and Ben", id="nested-lists"),
    pytest.param({"authors": {"0": {"name": "Ana"}, "1": {"name": "Ben"}}}, "Ana and Ben", id="numbered-object"),
    pytest.param({"authors": [{"author": {"name": "Ana"}}]}, "Ana", id="nested-object"),
    pytest.param({"author": {"name": {"name": "Ana"}}}, "Ana", id="nested-name"),
    pytest.param({"author": {"name": ["Ana", "Ben"]}}, "Ana and Ben", id="list-of-names"),
    pytest.param({"author": {"first_name": "Ana", "last_name": "Ruiz"}}, "Ana Ruiz", id="name-in-parts"),
    pytest.param({"authors": [], "author": {"name": "Ana"}}, "Ana", id="empty-authors"),
    pytest.param({"authors": [{"name": "Ana"}], "author": {"name": "Planet"}}, "Ana", id="both"),
    pytest.param({"authors": [{"name": None}, 5, None, True, {}]}, "Paper", id="no-names"),
    pytest.param({"authors": [[[[[["Ana"]]]]]]}, "Paper", id="too-deep"),
]


@pytest.mark.parametrize(("item", "name"), JSON_SHAPES)
def test_authors_in_json_may_have_any_shape(item: dict[str, Any], name: str) -> None:
    """Miniflux 3988: feeds give one object, names or lists for either field."""
    assert json(item).name == name
    assert json({}, **item).name == name


def test_names_are_bounded() -> None:
    assert len(name_in("<" * 100_000 + "@" * 100_000) or "") <= 1000
    assert len(json({"authors": [f"Author {number}" for number in range(5000)]}).name) <= 1000


@pytest.mark.parametrize("part", [b"<author>", b"<dc:creator>@", b"<x:owner>", b"<x:dtstart a=", b"<author", b"@"])
def test_marking_takes_linear_time(part: bytes) -> None:
    began = time.process_time()
    marked(part * (1_000_000 // len(part)))
    assert time.process_time() - began < 5
