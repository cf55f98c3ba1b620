"""Check that documents with the usual mistakes are read, with a note on each repair.

After feedjira/feedjira#418, FreshRSS/FreshRSS#1057 and #3395, brief-rss/brief#184, mmcdole/gofeed#180.
"""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.activity import NewActivity
from aggregator.domain.errors import UnreadableError
from aggregator.sources.rss.parse import ParsedFeed, normalise
from aggregator.sources.rss.xml_document import parsed
from aggregator.sources.rss.xml_repairs import without_doctype
from tests.variants import mostly_slow

URL = "https://news.example/feed"
RSS091 = '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/rss-0.91.dtd">'


def rss(items: str, around: tuple[str, str] = ("", "")) -> bytes:
    return f'{around[0]}<rss version="2.0"><channel><title>T</title>{items}</channel></rss>{around[1]}'.encode()


def item(title: str) -> str:
    return f"<item><guid>1</guid><title>{title}</title></item><item><guid>2</guid><title>second</title></item>"


def read(body: bytes) -> ParsedFeed:
    return normalise(body, "application/xml", URL)


def first(feed: ParsedFeed) -> NewActivity:
    return next(activity for activity in feed.activities if activity.native_id.endswith("1"))


REFERENCES = {
    "surrogate-pair": ("&#55357;&#56842; hi", "\U0001f60a hi", "do not exist"),
    "surrogate-pair-hexadecimal": ("&#xD83D;&#xde0a;", "\U0001f60a", "do not exist"),
    "half-of-a-pair": ("a &#55357; b", "a \ufffd b", "do not exist"),
    "turned-pair": ("&#56842;&#55357;", "\ufffd\ufffd", "do not exist"),
    "too-large": ("a &#1114112; b", "a \ufffd b", "do not exist"),
    "control": ("a&#8;b&#x1f;c", "abc", "do not exist"),
    "control-character": ("a\x08b\x1bc", "abc", "Control characters"),
    "control-character-in-cdata": ("<![CDATA[a\x00b]]>", "ab", "Control characters"),
    "html-entities": ("Ann&rsquo;s&hellip; caf&eacute;", "Ann\u2019s\u2026 caf\xe9", "&rsquo;, &hellip;, &eacute;"),
    "ampersand": ("R&D and Q & A", "R&D and Q & A", "repaired: 2"),
    "less-than": ("1 < 2 <3", "1 < 2 <3", "repaired: 2"),
    "unknown-entity": ("&nothing; x", "&nothing; x", "repaired: 1"),
    "no-semicolon": ("&eacute x", "&eacute x", "repaired: 1"),
}


@pytest.mark.parametrize(("written", "meant", "note"), REFERENCES.values(), ids=REFERENCES)
def test_references_are_repaired_and_noted(written: str, meant: str, note: str) -> None:
    feed = read(rss(item(written)))
    assert first(feed).content.title == meant
    assert feed.activities[0].content.title == "second"
    assert feed.note is not None
    assert note in feed.note


def test_what_is_in_cdata_and_comments_stays() -> None:
    feed = read(rss("<!-- &x; & --><item><guid>1</guid><title>a & b</title><description><![CDATA[&amp;lt; & &eacute;]]>"
                    "</description></item>"))  # fmt: skip
    assert first(feed).content.text == "&lt; & \xe9"


AROUND = {
    "warning-before-declaration": ("<br />\n<b>Warning</b>: x on line <b>3</b>\n<?xml version='1.0'?>\n", ""),
    "notice-in-a-division": ("<div>Notice</div><?xml version='1.0'?>", ""),
    "text-without-declaration": ("Notice: undefined index\n", ""),
    "paragraph-without-declaration": ("<p>Deprecated: x</p>\n", ""),
    "script-behind": ("<?xml version='1.0'?>", "\n<script>track()</script>"),
    "text-behind": ("", "\n0.0132 seconds"),
    "both": ("debug\n<?xml version='1.0' encoding='utf-8'?>", "<!-- cached --><b>x</b>"),
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_text_around_the_feed_is_ignored(around: tuple[str, str]) -> None:
    feed = read(rss(item("\u0416"), around))
    assert first(feed).content.title == "\u0416"
    assert feed.note is not None
    assert "was ignored" in feed.note


@pytest.mark.parametrize(
    "around", [("", "\n\n"), ("", "<!-- served in 3 ms -->"), ("\n\n", ""), ("<!-- x -->", "<?p?>")]
)
def test_blanks_and_comments_around_the_feed_need_no_note(around: tuple[str, str]) -> None:
    assert read(rss(item("x"), around)).note is None


def test_a_page_that_shows_a_feed_is_no_feed() -> None:
    for page in ("<!doctype html><body><rss version='2'>", "<html><rss version='2'/>", "<div><p>x</p><b>rss</b></div>"):
        with pytest.raises(UnreadableError, match="HTML page"):
            read(page.encode())


def test_usual_prefixes_need_no_declaration() -> None:
    body = rss("<item><guid>1</guid><title>x</title><dc:creator>Ana Ruiz</dc:creator><yt:id>3</yt:id></item>")
    feed = read(body)
    actor = first(feed).content.actor
    assert actor is not None
    assert actor.name == "Ana Ruiz"
    assert feed.note == "Prefixes without a namespace were given their usual one: dc, yt."


DOCTYPES = {
    "rss-0.91": (RSS091, "caf&eacute; &copy; &uuml;", "caf\xe9 \xa9 \xfc", None),
    "xhtml": ('<!DOCTYPE rss SYSTEM "http://www.w3.org/TR/xhtml1/DTD/xhtml-lat1.ent">', "&eacute;", "\xe9", None),
    "own-entities": ("<!DOCTYPE rss [<!ENTITY me 'A &amp; B'> <!ENTITY e \"&#233;\">]>", "&me;&e;", "A & B\xe9", None),
    "declaration-before": (f"<?xml version='1.0'?>\n<!-- c -->\n{RSS091}\n", "&Uuml;", "\xdc", None),
    "other": ("<!DOCTYPE rss>", "&eacute;", "\xe9", "&eacute;"),
    "outside": ("<!DOCTYPE rss [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>", "&x;", "&x;", "repaired: 1"),
    "nested": ("<!DOCTYPE rss [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]>", "&b;", "&b;", "repaired: 1"),
}  # fmt: skip


@pytest.mark.parametrize(("doctype", "written", "meant", "note"), DOCTYPES.values(), ids=DOCTYPES)
def test_entities_of_a_document_type_are_read(doctype: str, written: str, meant: str, note: str | None) -> None:
    for more in ("", "<description>a <b>b</description>"):  # the second one only feedparser reads
        feed = read(rss(item(written).replace("</title>", f"</title>{more}", 1), (doctype, "")))
        assert first(feed).content.title == meant
        assert (note in (feed.note or "")) if note else (more or feed.note is None)


def test_many_uses_of_a_long_entity_are_bounded() -> None:
    doctype = f"<!DOCTYPE rss [<!ENTITY a '{'ha' * 400}'>]>"
    document = parsed(rss(item("&a;" * 20_000), (doctype, "")), {})
    assert len(document.body) < 2 * 1024 * 1024


def test_a_document_type_is_removed_whole() -> None:
    for doctype in ("<!DOCTYPE rss>", "<!doctype rss SYSTEM 'x'>", "<!DOCTYPE rss [ <!ENTITY a 'b'> ] >"):
        assert without_doctype(doctype.encode() + b"<rss/>").body == b"<rss/>"


SCRAPS = st.sampled_from(
    [
        *("<rss>", "<channel>", "<item>", "</item>", "<!--", "-->", "<![CDATA[", "]]>", "<?", "?>", "&", "&#55357;"),
        *(
            "&#56842;",
            "&eacute;",
            "<",
            ">",
            "<a:b c:d='e'/>",
            "\x00",
            "\ufffe",
            "<!DOCTYPE rss [",
            "]>",
            "&a;",
            "</rss>",
        ),
        "<!ENTITY a 'b'>",
    ]
)


@given(st.lists(SCRAPS, max_size=40).map("".join))
def test_any_scraps_are_parsed_or_left(text: str) -> None:
    document = parsed(text.encode(), {"a": "urn:a"})
    document.body.decode()


MONSTERS = {
    "openings-of-cdata": "<![CDATA[" * 100_000,
    "openings-of-comments": "<!--" * 200_000,
    "instructions": "<?" * 400_000,
    "ampersands": "&" * 900_000,
    "references": "&#55357;" * 100_000,
    "doctypes": "<!DOCTYPE rss [" * 60_000,
    "brackets": "<!DOCTYPE rss [" + "] " * 400_000,
    "entities": "<!DOCTYPE rss [" + "<!ENTITY a 'b" * 60_000,
    "tags": "<a" * 400_000,
    "prefixes": "<a:b " * 180_000,
    "blanks": "<rss" + " " * 900_000,
}


@pytest.mark.parametrize("monster", mostly_slow(MONSTERS.values(), quick=3), ids=MONSTERS)
def test_odd_documents_cost_no_time(monster: str) -> None:
    for body in (monster, f"<rss><item>{monster}"):
        began = time.process_time()
        parsed(body.encode(), {"a": "urn:a"})
        assert time.process_time() - began < 1.5
