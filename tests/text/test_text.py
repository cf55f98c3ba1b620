import html as entities
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.activity import ActivityKind, Content
from aggregator.domain.matching.fingerprint import fingerprint
from aggregator.text import search_terms
from aggregator.text.html import (
    MOST_TAGS,
    clean_html,
    excerpt,
    paragraphs,
    plain_text,
    text_of_clean,
)
from aggregator.text.search_terms import searchable
from aggregator.text.urls import canonical_url, slug, web_key
from tests.variants import mostly_slow

BASE = "https://example.org/blog/"
LAZY = 'loading="lazy" decoding="async" referrerpolicy="no-referrer"'
PIECES = st.sampled_from(
    [
        "<p>",
        "</p>",
        "<b>",
        "<a href='/x'>",
        "</a>",
        '<a href="javascript:alert(1)">',
        "<img src=x.png alt='a>b\"c'>",
        "<img src=t.gif width=1 height=1>",
        '<a title="<img width=" href="/> 1">',
        "<script>alert(1)</script>",
        "<svg onload=alert(1)>",
        "<iframe src=//e.org>",
        "<style>p{}</style>",
        "<table><td>",
        "<math><mi>",
        "<!-- c -->",
        "&amp;",
        "&lt;script&gt;",
        "<",
        '"',
        "text ",
        "\n",
        "<br>",
        "<pre>",
        "<form action=/x><input>",
        "<a href=mailto:a@example.org>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    ]
)
MARKUP = st.lists(st.one_of(PIECES, st.text(max_size=6)), max_size=12).map("".join)


@pytest.mark.parametrize(
    ("html", "clean"),
    [
        ("<p class=x style='y' id=z onclick=alert(1)>a</p>", "<p>a</p>"),
        ("<script>alert(1)</script><b>a</b>", "<b>a</b>"),
        ("<iframe src=about:blank></iframe><form><input value=1>a</form>", "a"),
        (
            "<a href='../x?a=1&b=2#c'>a</a>",
            '<a href="https://example.org/x?a=1&amp;b=2#c" rel="nofollow noopener">a</a>',
        ),
        ("<a href='JaVaScript:alert(1)'>a</a>", '<a rel="nofollow noopener">a</a>'),
        ("<a href='mailto:a@example.org'>a</a>", '<a href="mailto:a@example.org" rel="nofollow noopener">a</a>'),
        (
            "<img src=a.png alt='A cat' srcset='b.png 2x'>",
            f'<img src="https://example.org/blog/a.png" alt="A cat" {LAZY}>',
        ),
        ("<img src='data:image/png;base64,xx' alt=a>b", "b"),
        ("a<img src=p.gif width=1 height=1>b", "ab"),
        ("a<img src=p.gif width='0'>b", "ab"),
        ("a<img src=p.gif height='1px' alt=''>b", "ab"),
        (
            "<img src=p.gif width=100 height=1>",
            f'<img src="https://example.org/blog/p.gif" width="100" height="1" {LAZY}>',
        ),
        (
            "<img src=p.gif width=99999 height=-1 loading=eager referrerpolicy=unsafe-url>",
            f'<img src="https://example.org/blog/p.gif" {LAZY}>',
        ),
        ("<p>a<p>b", "<p>a</p><p>b</p>"),
        ("<h1>a</h1><unknown>b</unknown>", "<h1>a</h1>b"),
        ("  ", ""),
        ("a & b < c", "a &amp; b &lt; c"),
    ],
)
def test_clean_html_keeps_the_article_and_nothing_that_acts(html: str, clean: str) -> None:
    assert clean_html(html, BASE) == clean


def test_without_a_base_a_relative_address_is_dropped() -> None:
    assert clean_html("<a href='/x'>a</a><img src=/b.png>") == '<a rel="nofollow noopener">a</a>'
    assert clean_html("<a href='/x'>a</a>", "javascript:alert(1)") == '<a rel="nofollow noopener">a</a>'


def test_a_tower_of_tags_costs_no_more_than_its_text() -> None:
    assert clean_html("<div>" * (MOST_TAGS + 1) + "a & b") == "<p>a &amp; b</p>"
    assert plain_text("<script>no</script>" + "<div>" * (MOST_TAGS + 1) + "a &amp; b") == "a & b"


@given(MARKUP)
def test_cleaning_twice_changes_nothing(html: str) -> None:
    once = clean_html(html, BASE)
    assert clean_html(once, BASE) == once


@given(MARKUP)
def test_nothing_that_acts_survives(html: str) -> None:
    tags = re.findall(r'<([a-z0-9]+)((?: [a-z]+="[^"]*")*)>', clean_html(html, BASE))
    for name, attributes in tags:
        assert name not in {"script", "style", "iframe", "form", "input", "svg", "object", "math"}
        for attribute, value in re.findall(r' ([a-z]+)="([^"]*)"', attributes):
            assert not attribute.startswith("on")
            if attribute in {"href", "src", "cite"}:
                assert entities.unescape(value).startswith(("https://", "http://", "mailto:"))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a  b</p><p>c</p>", "a b\nc"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("a\nb <i>c</i>d", "a b cd"),
        ("&amp;lt;b&amp;gt; &eacute;", "&lt;b&gt; é"),
        ("AT&amp;T", "AT&T"),
        ("<ul><li>a</li><li>b</li></ul>c", "a\nb\nc"),
        ("<script>x</script><style>y</style>a<!-- b -->", "a"),
        ("<p lang='de'>a</p>b", "a\nb"),
        ("a\u00a0b", "a b"),
        ("1 < 2", "1 < 2"),
        ("", ""),
    ],
)
def test_plain_text_is_a_line_for_each_paragraph(html: str, text: str) -> None:
    assert plain_text(html) == text


@given(MARKUP)
def test_the_quick_way_through_clean_html_reads_the_same(html: str) -> None:
    clean = clean_html(html, BASE)
    assert text_of_clean(clean) == plain_text(clean)


def test_plain_text_becomes_paragraphs_that_say_the_same() -> None:
    assert paragraphs("a <b>\r\nc\n\n\nd & e\n") == "<p>a &lt;b&gt;<br>c</p><p>d &amp; e</p>"
    assert plain_text(paragraphs("a <b>\nc\n\nd")) == "a <b>\nc\nd"


@pytest.mark.parametrize(
    ("text", "length", "cut"),
    [
        ("short", 150, "short"),
        ("one  two\nthree", 150, "one two three"),
        ("one two three four", 12, "one two…"),
        ("one two three four", 14, "one two three…"),
        ("First one. And then a lot more", 16, "First one. …"),
        ("unbreakableverylongword", 10, "unbreakab…"),
        ("abc", 0, ""),
    ],
)
def test_an_excerpt_ends_at_a_word_or_sentence(text: str, length: int, cut: str) -> None:
    assert excerpt(text, length) == cut


@given(st.text(), st.integers(min_value=0, max_value=60))
def test_an_excerpt_is_never_longer_than_asked(text: str, length: int) -> None:
    cut = excerpt(text, length)
    assert len(cut) <= length
    assert cut == " ".join(text.split()) or cut.endswith("…") or length == 0


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTP://Example.ORG:80", "http://example.org/"),
        ("https://example.org:443/A?b=2&a=1#top", "https://example.org/A?b=2&a=1"),
        ("https://example.org:8443/", "https://example.org:8443/"),
        (
            "https://example.org/?utm_source=x&id=1&UTM_Medium=y&fbclid=z&gclid=q&mc_cid=1&mtm_kwd=2",
            "https://example.org/?id=1",
        ),
        ("https://example.org/?utm_source=x", "https://example.org/"),
        ("https://bücher.example/ä b", "https://xn--bcher-kva.example/%C3%A4%20b"),
        ("https://straße.example/", "https://xn--strae-oqa.example/"),
        ("https://example.org/%7eme%2fx%zz", "https://example.org/%7Eme%2Fx%25zz"),
        ("../x", "https://example.org/x"),
        ("//other.example/x", "https://other.example/x"),
        (" https://exa\nmple.org/a ", "https://example.org/a"),
        ("https://[2001:DB8::1]:443/", "https://[2001:db8::1]/"),
        ("https://example.org./", "https://example.org/"),
        ("javascript:alert(1)", None),
        ("mailto:a@example.org", None),
        ("https://user:pw@example.org/", None),
        ("https://example.org:99999/", None),
        ("https://[::1/", None),
        ("https://exa mple.org/", None),
    ],
)
def test_an_address_has_one_spelling(url: str, canonical: str | None) -> None:
    assert canonical_url(url, BASE) == canonical


def test_an_address_without_a_base_stands_alone() -> None:
    assert canonical_url("/x") is None
    assert canonical_url("https://") is None
    assert canonical_url("tag:example.org,2026:1") is None


URLS = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["http://", "HTTPS://", "//", ""]),
    st.sampled_from(["example.org", "EXAMPLE.org:80", "bücher.example", "a..b", "[::1]", "x@example.org"]),
    st.text(max_size=20).map("/{}".format),
    st.text(alphabet="?&=autm_ %2fé;", max_size=20),
    st.text(alphabet="#abc", max_size=3),
)


@given(URLS)
def test_canonical_twice_is_canonical_once(url: str) -> None:
    once = canonical_url(url, BASE)
    if once is not None:
        assert canonical_url(once) == once
        assert once.isascii()
        assert once.startswith(("http://", "https://"))


def test_two_spellings_of_an_address_share_a_key() -> None:
    key = web_key("https://example.org/a?utm_source=rss")
    assert re.fullmatch(r"web:[0-9a-f]{32}", key)
    assert web_key("HTTPS://EXAMPLE.org:443/a#x") == key
    assert web_key("https://example.org/b") != key
    assert web_key("no address") != key


@pytest.mark.parametrize(
    ("parts", "form"),
    [
        (("Café  ﬁn", None, "", "STRASSE ß"), "cafe fin strasse ss"),
        (("Plain\tASCII",), "plain ascii"),
        (("東京 が",), "東京 が"),
        (("İstanbul Ωμέγα",), "istanbul ωμεγα"),
        (("a" + "\u0301" * 100 + "b" + "☂" * 40 + "c" + "\u05b0" * 100,), "ab" + "☂" * 40 + "c" + "\u05b0" * 30),
    ],
)
def test_the_searchable_form_forgets_case_accents_and_widths(parts: tuple[str | None, ...], form: str) -> None:
    assert searchable(*parts) == form


@given(
    st.text(
        st.one_of(st.characters(), st.sampled_from("a \u00a0\u0301\u0323\u0345\u3000\u0130\u1100\u1161")), max_size=30
    )
)
def test_the_searchable_form_is_the_same_word_by_word(text: str) -> None:
    whole = search_terms._folded(f"{text} \u00e9").removesuffix("e").rstrip()
    assert searchable(text) == " ".join(whole.split())
    spaced = search_terms._IDEOGRAPH.sub(r" \g<0> ", whole)
    assert search_terms.words(text) == search_terms._WORD.findall(spaced)


@given(st.text())
def test_the_searchable_form_of_a_searchable_form_is_itself(text: str) -> None:
    assert searchable(searchable(text)) == searchable(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The Café, daily!", "the-cafe-daily"),
        ("東京", ""),
        ("  --a--  ", "a"),
        ("word " * 20, "word-word-word-word-word-word-word-word"),
        ("x" * 60, "x" * 40),
    ],
)
def test_a_slug_is_short_and_plain(text: str, name: str) -> None:
    assert slug(text) == name


@given(st.text())
def test_a_slug_has_no_other_characters(text: str) -> None:
    assert re.fullmatch(r"([a-z0-9]+(-[a-z0-9]+)*)?", slug(text))
    assert len(slug(text)) <= 40


LONGEST = 200_000  # characters, as long as a body may be
REPEATED = [
    *("<iframe src=x>", "<iframe ", "<script>", "<img ", '<p a="b" ', "<a href=x>", "<"),
    *("1", "(", "1 ", "1.", ": 1", "&", " ", "\n ", "\u0301", "\u0301\u0316"),
]
# Fewer tags than those of which only the text is kept.
FRAMES = [piece * 9_000 + "x" * (LONGEST // 2) for piece in ("<iframe>", "<iframe ", "<iframe src='")]


@pytest.mark.timeout(30)  # each takes up to 0.2 s; quadratic scans take minutes
@pytest.mark.parametrize(
    "html", mostly_slow([*(piece * (LONGEST // len(piece)) for piece in REPEATED), *FRAMES], quick=5)
)
def test_a_long_body_takes_no_longer_for_being_odd(html: str) -> None:
    clean = clean_html(html, BASE)
    fingerprint(Content(kind=ActivityKind.ARTICLE, network="web", text=html, html=clean, title=html[:1000]), None)
    assert len(text_of_clean(clean)) <= len(clean)
    assert len(plain_text(f"a{html}b")) <= 10 * len(html)
    assert len(searchable(f"a{html}b")) <= 10 * len(html)
    assert canonical_url(f"https://é{html}.example/") is None
    assert slug(f"A name{html}").startswith("a-name")


@pytest.mark.parametrize(
    ("frame", "link"),
    [
        ("//www.youtube.com/embed/abc_-1?rel=0", "https://www.youtube.com/watch?v=abc_-1"),
        ("https://www.youtube-nocookie.com/embed/abc", "https://www.youtube.com/watch?v=abc"),
        ("https://player.vimeo.com/video/123?h=x", "https://vimeo.com/123"),
        ("https://www.dailymotion.com/embed/video/x1", "https://www.dailymotion.com/video/x1"),
        ("https://embed.ted.com/talks/lang/es/a_talk", "https://www.ted.com/talks/a_talk"),
        ("https://archive.org/embed/thing", "https://archive.org/details/thing"),
        ("javascript:alert(1)//www.youtube.com/embed/abc", None),
        ('https://www.youtube.com/embed/" onload=alert(1)', None),
    ],
)
def test_a_player_becomes_a_link_and_other_frames_go(frame: str, link: str | None) -> None:
    clean = clean_html(f"<p>a</p><iframe width=1 src='{frame}' allowfullscreen>x</iframe><p>b</p>", BASE)
    assert ("iframe" in clean, "onload" in clean) == (False, False)
    if link is None:
        assert clean == "<p>a</p><p>b</p>"
    else:
        name = re.escape(link)
        assert re.fullmatch(f'<p>a</p><p><a href="{name}" rel="nofollow noopener">Video on .+</a></p><p>b</p>', clean)


@pytest.mark.parametrize(
    "frame",
    [
        '<iframe src="about:blank" data-src="https://www.youtube.com/embed/abc"></iframe>',
        '<iframe src="https://www.youtube.com/embed/abc" srcdoc="<a href=x>play</a>"></iframe>',
        "<IFRAME SRC=https://www.youtube.com/embed/abc></IFRAME>",
    ],
)
def test_a_player_that_waits_to_be_seen_becomes_a_link_too(frame: str) -> None:
    link = '<p><a href="https://www.youtube.com/watch?v=abc" rel="nofollow noopener">Video on YouTube</a></p>'
    assert clean_html(f"{frame}<p>b</p>", BASE) == f"{link}<p>b</p>"


@pytest.mark.parametrize(
    ("address", "canonical"),
    [
        ("https://a.example/?utm_source=x&id=1&UTM_Medium=y", "https://a.example/?id=1"),
        ("https://a.example/?fbclid=x&a=b&gclid=y", "https://a.example/?a=b"),
        ("https://www.youtube.com/watch?v=1&si=x&feature=share", "https://www.youtube.com/watch?v=1"),
        ("https://a.example/?si=1&feature=2&s=3", "https://a.example/?si=1&feature=2&s=3"),
        ("https://x.com/a/status/1?s=20&t=abc", "https://x.com/a/status/1"),
    ],
)
def test_what_only_tracks_is_no_part_of_an_address(address: str, canonical: str) -> None:
    assert canonical_url(address) == canonical


def test_a_base_that_is_no_real_name_breaks_nothing() -> None:
    assert clean_html("<a href='/x'>a</a>", "https://news.xn--xample-htl/") == (
        '<a href="https://news.xn--xample-htl/x" rel="nofollow noopener">a</a>'
    )
