"""Test that readers get what the sanitizer would remove with frames, players and formulas."""

from __future__ import annotations

import time

import pytest

from aggregator.text.html import MOST_TAGS, clean_article, text_of_clean
from tests.variants import mostly_slow

BASE = "https://a.example/p/1"
IMAGE = 'loading="lazy" decoding="async" referrerpolicy="no-referrer"'


def _text(html: str) -> str:
    return text_of_clean(clean_article(html, BASE).html)


@pytest.mark.parametrize(
    "html",
    [
        '<img data-src="/r.jpg" alt="R">',
        '<img src="/lazy.gif" data-src="/r.jpg" alt="R">',
        '<amp-img src="/r.jpg" alt="R" width="16" height="9"></amp-img>',
        '<amp-img src="/r.jpg" alt="R"><noscript><img src="/other.jpg"></noscript></amp-img>',
        '<noscript><img src="/r.jpg" alt="R"></noscript>',
        '<img class="lazy"><noscript><img src="/r.jpg" alt="R"></noscript>',
        '<img src="data:image/gif;base64,R0" data-lazy-src="/x.jpg"><noscript><img src="/r.jpg" alt="R"></noscript>',
        '<picture><source srcset="/s.webp 1x, /r.jpg 2x"><img alt="R"></picture>',
        '<picture><source srcset="/r.webp"><img src="/r.jpg" alt="R"></picture>',
        '<picture><source data-srcset="/s.jpg 10w, /r.jpg 800w"/><img src="data:x" alt="R"/></picture>',
        '<img srcset="/s.jpg 300w, /r.jpg 900w" sizes="100vw" alt="R">',
    ],
    ids=lambda html: html[:40].replace("/", "-"),
)
def test_a_lazy_picture_is_one_picture(html: str) -> None:
    clean = clean_article(f"<p>t</p>{html}", BASE).html
    assert clean.startswith("<p>t</p>")
    assert clean.count("<img") == 1
    assert 'src="https://a.example/r.jpg"' in clean
    assert 'alt="R"' in clean
    assert IMAGE in clean


@pytest.mark.parametrize(
    "html",
    [
        '<img src="https://t.example/p.gif" style="display:none">',
        '<div style="display:none"><img src="https://t.example/p.gif"></div>',
        '<img src="https://t.example/p.gif" hidden>',
        '<img src="https://pixel.wp.com/b.gif?blog=1">',
        '<img src="/spacer.gif" width="600" height="20">',
        "<noscript>Please enable scripts.</noscript>",
        '<iframe src="https://www.googletagmanager.com/ns.html?id=1" width="0" height="0"></iframe>',
        '<iframe src="https://a.example/x" style="display:none"></iframe>',
        '<video src="data:video/mp4;base64,AA">Your browser can not play this.</video>',
    ],
    ids=lambda html: html[:30].replace("/", "-"),
)
def test_what_nobody_sees_goes(html: str) -> None:
    article = clean_article(f"<p>t</p>{html}", BASE)
    assert text_of_clean(article.html) == "t"
    assert "<img" not in article.html
    assert article.media == ()


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<video src="/v.mp4" poster="/p.jpg">Old browser.</video>', ("video", "/v.mp4", "video/mp4", "/p.jpg")),
        ('<video controls><source src="/v.webm" type="video/webm"><source src="/v.mp4">x</video>',
         ("video", "/v.mp4", "video/mp4", None)),
        ('<figure><audio controls src="/a.mp3"></audio></figure>', ("audio", "/a.mp3", "audio/mpeg", None)),
        ('<audio><source src="/a.ogg" type="audio/ogg"/></audio>', ("audio", "/a.ogg", "audio/ogg", None)),
        ('<amp-video src="/v.mp4"></amp-video>', ("video", "/v.mp4", "video/mp4", None)),
    ],
    ids=lambda value: value[:20].replace("/", "-") if isinstance(value, str) else "",
)  # fmt: skip
def test_films_and_sounds_are_files(html: str, expected: tuple[str, ...]) -> None:
    article = clean_article(f"<p>t</p>{html}", BASE)
    assert [(film.kind, film.address, film.mime, film.preview) for film in article.media] == [expected]
    assert text_of_clean(article.html) == "t"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('a<iframe src="https://p.example/1"/> b', "a\nEmbedded content on p.example\nb"),
        ("a<script src=x /> b", "a b"),
        ("a<title/> b", "a b"),
        ("a<textarea name='x'/> b", "a b"),
        ('a<iframe src="https://p.example/1"> b <p>c</p>', "a\nEmbedded content on p.example\nb\nc"),
        ('<iframe src="https://p.example/1">x</iframe><iframe src="https://p.example/2"> b',
         "Embedded content on p.example\nEmbedded content on p.example\nb"),
        ('a<object data="x.swf"><param name="a"><p>b</p>', "a\nb"),
        ('<object data="/r.pdf"><a href="/r.pdf">Report</a></object> b', "Report b"),
        ('<object data="https://f.example/r.pdf" title="Report"></object>b', "Report\nb"),
        ('<iframe src="https://p.example/1"><a href="/film">Film</a></iframe>', "Film"),
        ('<object><embed src="https://www.youtube.com/v/abc"></object>', "Video on YouTube"),
        (("<p>Of <math><msup><mi>x</mi><mn>2</mn></msup><mo>=</mo><mfrac><mn>1</mn><mn>3</mn></mfrac>"
         "<annotation encoding='application/x-tex'>x^2</annotation></math> percent</p>"), "Of x2=1/3 percent"),
        ("a<br></br>b", "a\nb"),
        ("a<br />\n</br>b", "a\nb"),
    ],
    ids=lambda value: value[:24].replace("/", "-").replace("\n", " "),
)  # fmt: skip
def test_no_text_is_swallowed(html: str, text: str) -> None:
    assert _text(html) == text


def test_raised_characters_stay_raised() -> None:
    html = "<math><msup><mi>x</mi><mn>2</mn></msup><msub><mi>a</mi><mi>i</mi></msub></math>"
    assert clean_article(html).html == "x<sup>2</sup>a<sub>i</sub>"


def test_nothing_prepared_acts() -> None:
    html = (
        '<iframe src="https://p.example/1" title="x" onload="alert(1)"></iframe>'
        '<iframe src="https://p.example/1"><a href="javascript:alert(1)">x</a></iframe>'
        '<video src="javascript:alert(1)"></video><amp-img src="/r.jpg" onload="alert(1)"></amp-img>'
        '<noscript><img src="/n.jpg" onerror="alert(1)"><script>alert(1)</script></noscript>'
        '<object data="javascript:alert(1)" title="x"></object>'
    )
    clean = clean_article(html, BASE).html
    for word in ("alert", "javascript", "onload", "onerror", "<script", "<iframe", "<object"):
        assert word not in clean


@pytest.mark.parametrize(
    "piece",
    mostly_slow(
        ["<iframe src=x>", "<iframe ", "<img data-", '<img style="', "<svg '", "<object><embed>", "<noscript><img>",
         "<picture><source>", "<math><msup>", "<video><source src=x>", '<div hidden><img src="x.jpg">', "<br></br"],
        quick=4,
    ),
    ids=lambda piece: piece.replace("/", "-"),
)  # fmt: skip
def test_many_odd_elements_cost_little(piece: str) -> None:
    html = piece * (MOST_TAGS // (2 * piece.count("<")))
    began = time.process_time()
    clean_article(f"<p>t</p>{html}" + "x" * 100_000, BASE)
    assert time.process_time() - began < 5
