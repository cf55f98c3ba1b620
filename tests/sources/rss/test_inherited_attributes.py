"""Check that xml:base and xml:lang apply to their element alone, and what stands in where a language is missing.

After feedbin/support#110 and #338, rometools/rome#38; XML Base; RFC 4287, section 2.
"""

import pytest

from aggregator.domain.activity import NewActivity
from aggregator.sources.rss.parse import normalise

URL = "https://news.example/blog/feed.xml"
BROKEN = "<rights><b></rights>"  # only feedparser reads a document with this


def atom(entries: str, attributes: str = "", head: str = "") -> str:
    return f'<feed xmlns="http://www.w3.org/2005/Atom" {attributes}><title>T</title>{head}{entries}</feed>'


def rss(items: str, attributes: str = "") -> str:
    return f'<rss version="2.0" {attributes}><channel><title>T</title>{items}</channel></rss>'


def entry(number: int, link: str, attributes: str = "", content: str = "") -> str:
    return f'<entry {attributes}><id>urn:{number}</id><title>{number}</title><link href="{link}"/>{content}</entry>'


def read(body: str, language: str = "") -> dict[str, NewActivity]:
    feed = normalise(body.encode(), "application/xml", URL, language=language)
    return {activity.native_id: activity for activity in feed.activities}


def urls(body: str) -> list[str | None]:
    return [activity.content.url for _, activity in sorted(read(body).items())]


HTML = "<content type='html' {}>&lt;a href='p'>x&lt;/a></content>"
BASES = {
    "entries": (
        atom(entry(1, "a", 'xml:base="one/"') + entry(2, "b", 'xml:base="/two/"') + entry(3, "c")),
        ["https://news.example/blog/one/a", "https://news.example/two/b", "https://news.example/blog/c"],
    ),
    "absolute": (
        atom(entry(1, "a", 'xml:base="https://other.example/x/"') + entry(2, "/b")),
        ["https://other.example/x/a", "https://news.example/b"],
    ),
    "content": (
        atom(entry(1, "a", "", HTML.format('xml:base="https://other.example/"')) + entry(2, "b")),
        ["https://news.example/blog/a", "https://news.example/blog/b"],
    ),
    "nested": (
        atom(entry(1, "a", 'xml:base="one/"') + entry(2, "b"), 'xml:base="https://root.example/r/"'),
        ["https://root.example/r/one/a", "https://root.example/r/b"],
    ),
    "parent": (atom(entry(1, "../a", 'xml:base="/x/y/"') + entry(2, "b")), ["https://news.example/x/a", "https://news.example/blog/b"]),
    "head": (
        atom(entry(1, "a"), "", '<link rel="self" href="f" xml:base="https://self.example/"/>'),
        ["https://news.example/blog/a"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("more", ["", "<source><id>s</id><x><y/></x></source>"], ids=["tree", "partial"])
@pytest.mark.parametrize(("body", "expected"), BASES.values(), ids=BASES)
def test_a_base_ends_with_its_element(body: str, expected: list[str], more: str) -> None:
    assert urls(body.replace("</entry>", f"{more}</entry>")) == expected


@pytest.mark.parametrize(("body", "expected"), BASES.values(), ids=BASES)
def test_a_base_ends_with_its_element_in_a_broken_document(body: str, expected: list[str]) -> None:
    assert urls(body.replace("</feed>", f"{BROKEN}</feed>")) == expected


def test_addresses_in_a_text_follow_the_base_of_the_text() -> None:
    content = HTML.format('xml:base="sub/"')
    for body in (
        atom(entry(1, "a", 'xml:base="one/"', content)),
        atom(entry(1, "a", 'xml:base="one/"', content) + BROKEN),
    ):
        (link,) = read(body)["urn:1"].content.links
        assert link.url == "https://news.example/blog/one/sub/p"


def test_a_base_in_rss_ends_with_its_element() -> None:
    items = (
        '<item xml:base="https://other.example/x/"><guid isPermaLink="false">1</guid><link>a</link></item>'
        '<item xml:base="sub/"><guid isPermaLink="false">2</guid><link>b</link></item>'
        '<item><guid isPermaLink="false">3</guid><link>c</link></item>'
    )
    found = urls(rss(items))
    assert found == ["https://other.example/x/a", "https://news.example/blog/sub/b", "https://news.example/blog/c"]


def test_an_empty_language_is_unknown_and_ends_with_its_element() -> None:
    entries = entry(1, "a", 'xml:lang=""', "<content>x</content>") + entry(2, "b") + entry(3, "c", "xml:lang='fr'")
    body = atom(entries, 'xml:lang="de"')
    for text in (body, body.replace("</entry>", "<source><id>s</id><x><y/></x></source></entry>")):
        assert [activity.content.lang for _, activity in sorted(read(text).items())] == [None, "de", "fr"]
    assert read(atom(entry(1, "a"), 'xml:lang=""'))["urn:1"].content.lang is None


@pytest.mark.parametrize(
    ("own", "header", "language"),
    [
        ("", "pt-BR", "pt-BR"),
        ("<language>de</language>", "pt-BR", "de"),
        ("", "de, en", None),
        ("", " fr ", "fr"),
        ("", "no language", None),
        ("", "", None),
    ],
)
def test_the_header_names_the_language_that_the_feed_does_not(own: str, header: str, language: str | None) -> None:
    items = f'{own}<item><guid isPermaLink="false">1</guid><title>x</title></item>'
    assert read(rss(items), header)["1"].content.lang == language
    assert read(rss(items + BROKEN), header)["1"].content.lang == language


@pytest.mark.parametrize("value", ["true", "True", "TRUE", " true "])
@pytest.mark.parametrize("more", ["", BROKEN], ids=["tree", "feedparser"])
def test_a_permanent_link_may_be_written_in_capitals(value: str, more: str) -> None:
    items = f'<item><guid isPermaLink="{value}">https://news.example/7</guid><title>x</title></item>{more}'
    assert urls(rss(items)) == ["https://news.example/7"]


@pytest.mark.parametrize("value", ["false", "False", "0", "", "no"])
def test_an_id_that_is_no_link_stays_none(value: str) -> None:
    items = f'<item><guid isPermaLink="{value}">https://news.example/7</guid><title>x</title></item>'
    assert urls(rss(items)) == [None]


@pytest.mark.parametrize(
    ("written", "own", "tags"),
    [
        ("<guid>&lt;b&gt;7&lt;/b&gt;</guid><category>&lt;i&gt;News&lt;/i&gt;</category>", "7", ("News",)),
        ("<guid isPermaLink='false'><b>7</b></guid><category><i>In</i> it</category>", "7", ("In it",)),
        ("<guid isPermaLink='false'>7</guid><category><![CDATA[R&amp;D <b>now</b>]]></category>", "7", ("R&D now",)),
        ("<guid isPermaLink='false'>7</guid><category>R&amp;D</category>", "7", ("R&D",)),
    ],
)  # fmt: skip
def test_ids_and_tags_are_without_markup(written: str, own: str, tags: tuple[str, ...]) -> None:
    (activity,) = read(rss(f"<item>{written}<title>x</title></item>")).values()
    assert (activity.native_id, activity.content.hashtags) == (own, tags)


ATOM03 = (
    '<feed version="0.3" xmlns="http://purl.org/atom/ns#"><title>T</title><entry><id>urn:1</id>'
    '<title mode="base64">{}</title><content type="text/html" mode="base64">{}</content></entry></feed>'
)


@pytest.mark.parametrize(
    ("title", "content"),
    [
        ("Q2Fmw6k=", "PGI+w6k8L2I+IHg="),
        ("Q2Fm6Q==", "PGI+6TwvYj4geA=="),
        ("\n Q2Fm\n w6k= ", "PGI+w6k8\r\nL2I+IHg="),
        ("Q2Fmw6k", "PGI+w6k8L2I+IHg"),
    ],
    ids=["utf-8", "windows-1252", "lines", "unpadded"],
)
def test_texts_of_atom_in_base64_are_decoded(title: str, content: str) -> None:
    activity = read(ATOM03.format(title, content))["urn:1"]
    assert (activity.content.title, activity.content.text) == ("Caf\xe9", "\xe9 x")
