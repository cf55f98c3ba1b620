"""Check that documents are decoded as browsers decode them.

After Novik/ruTorrent#3170, FreshRSS/FreshRSS#8591, Etuldan/spaRSS#207, Ranchero-Software/NetNewsWire#2055.
"""

# ruff: noqa: RUF001 - letters of many scripts

import codecs
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.sources.rss.charset import codec_of, decoded
from aggregator.sources.rss.parse import normalise

RUSSIAN, POLISH, FRENCH, JAPANESE, KOREAN, CHINESE = (
    *(
        "Съешь ещё этих булок",
        "Pchnąć w tę łódź",
        "Dès Noël — 5 €",
        "日本語①の記事です",
        "똠방각하 펲시콜라",
        "朱镕基的新闻标题",
    ),
)


def document(text: str, declaration: str = "", before: str = "") -> str:
    return f"{before}{declaration}<rss><channel><item><guid>1</guid><title>{text}</title></item></channel></rss>"


def xml(encoding: str) -> str:
    return f'<?xml version="1.0" encoding="{encoding}"?>'


def read(body: bytes, content_type: str = "application/xml") -> tuple[str | None, str | None]:
    feed = normalise(body, content_type, "https://news.example/feed")
    return feed.activities[0].content.title, feed.note


DECLARED = [  # label, codec of the bytes, text
    *(("windows-1251", "cp1251", RUSSIAN), ("WINDOWS-1251", "cp1251", RUSSIAN), ("cp1251", "cp1251", RUSSIAN)),
    *(("x-cp1251", "cp1251", RUSSIAN), ("win-1251", "cp1251", RUSSIAN), ("koi8-r", "koi8-r", RUSSIAN)),
    *(("iso-8859-5", "iso8859-5", RUSSIAN), ("x-mac-cyrillic", "mac-cyrillic", RUSSIAN)),
    *(("iso-8859-2", "iso8859-2", POLISH), ("latin2", "iso8859-2", POLISH), ("windows-1250", "cp1250", POLISH)),
    *(("iso-8859-1", "cp1252", FRENCH), ("latin1", "cp1252", FRENCH), ("us-ascii", "cp1252", FRENCH)),
    *(("ANSI_X3.4-1968", "cp1252", FRENCH), ("iso-8859-15", "iso8859-15", "Dès Noël 5 €"), ("l9", "iso8859-15", "5 €")),
    *(("macintosh", "mac-roman", "Dès Noël"), ("iso-8859-9", "cp1254", "İğne – şiş"), ("tis-620", "cp874", "ข่าว…")),
    *(("Shift_JIS", "cp932", JAPANESE), ("x-sjis", "cp932", JAPANESE), ("sjis", "cp932", JAPANESE)),
    *(
        ("windows-31j", "cp932", JAPANESE),
        ("euc-jp", "euc_jp", "日本語の記事"),
        ("iso-2022-jp", "iso2022_jp", "日本語"),
    ),
    *(("euc-kr", "cp949", KOREAN), ("ks_c_5601-1987", "cp949", KOREAN), ("windows-949", "cp949", KOREAN)),
    *(("gb2312", "gb18030", CHINESE), ("gbk", "gb18030", CHINESE), ("x-gbk", "gb18030", CHINESE)),
    *(("gb18030", "gb18030", CHINESE), ("big5", "big5hkscs", "繁體中文標題"), ("Big5-HKSCS", "big5hkscs", "繁體中文")),
    *(("utf8", "utf-8", RUSSIAN), ("UTF-8", "utf-8", RUSSIAN), ("unicode-1-1-utf-8", "utf-8", RUSSIAN)),
]


@pytest.mark.parametrize(("label", "codec", "text"), DECLARED, ids=[f"{label}-{codec}" for label, codec, _ in DECLARED])
def test_labels_mean_what_they_mean_on_the_web(label: str, codec: str, text: str) -> None:
    assert read(document(text, xml(label)).encode(codec)) == (text, None)
    assert read(document(text).encode(codec), f'text/xml; charset="{label}"') == (text, None)


@pytest.mark.parametrize("label", ["windows-1251", "iso-8859-1", "gbk", "shift_jis", "euc-kr", "koi8-r"])
def test_valid_utf8_wins_over_a_declaration_and_a_header(label: str) -> None:
    for text in (RUSSIAN, JAPANESE):
        declared, note = read(document(text, xml(label)).encode())
        assert declared == text
        assert note is not None
        assert "UTF-8" in note
        assert read(document(text).encode(), f"text/xml; charset={label}")[0] == text


@pytest.mark.parametrize("label", ["utf-16", "UTF-16LE", "unicode", "ucs-2", "none", "rot13", "idna", "x" * 40])
def test_a_label_that_can_not_be_means_nothing(label: str) -> None:
    assert codec_of(label) is None
    assert read(document(RUSSIAN, xml(label)).encode()) == (RUSSIAN, None)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-8"])
@pytest.mark.parametrize("mark", [True, False], ids=["marked", "unmarked"])
def test_wide_encodings_are_recognized(codec: str, mark: bool) -> None:
    for declaration in ("", xml("utf-16"), xml("windows-1251")):
        for text in (RUSSIAN, JAPANESE, "plain"):
            body = ("\ufeff" if mark else "") + document(text, declaration)
            assert read(body.encode(codec), "text/xml; charset=iso-8859-1")[0] == text


BEFORE = ["\n", " \r\n\t", "<!-- comment -->\n", "<!-- a --><!-- b -->", "\ufeff\n", "<?pi x?>\n"]


@pytest.mark.parametrize("before", BEFORE, ids=["line", "blanks", "comment", "comments", "mark", "instruction"])
def test_a_declaration_counts_wherever_it_stands(before: str) -> None:
    for codec, text in (("windows-1251", RUSSIAN), ("iso-8859-2", POLISH), ("utf-8", JAPANESE)):
        body = document(text, xml(codec), before.replace("\ufeff", "" if codec != "utf-8" else "\ufeff"))
        assert read(body.encode(codec)) == (text, None)


@pytest.mark.parametrize("text", [RUSSIAN, JAPANESE, KOREAN], ids=["russian", "japanese", "korean"])
@pytest.mark.parametrize("declaration", ["", xml("utf-8"), xml("windows-1251"), xml("gbk")])
def test_a_bad_byte_costs_one_character(text: str, declaration: str) -> None:
    item = f"<item><guid>2</guid><title>{text}</title></item>"
    body = document(text, declaration).replace("<item>", item * 5 + "<item>").encode()
    cut = body.replace(b"</title></item></channel>", text.encode()[:-1] + b"</title></item></channel>")
    title, note = read(cut)
    assert title is not None
    assert title.startswith(text)
    assert title.endswith("\ufffd")
    assert note is not None
    assert "were replaced: 1." in note


def test_a_bad_byte_of_another_encoding_costs_one_character() -> None:
    body = document(JAPANESE + "X", xml("shift_jis")).encode("cp932").replace(b"X", b"\x81")
    title, note = read(body)
    assert title == JAPANESE + "\ufffd"
    assert note == "Bytes that are not Shift_JIS were replaced: 1."


@pytest.mark.parametrize(
    ("language", "codec", "text"),
    [("ru", "cp1251", RUSSIAN), ("pl-PL", "cp1250", POLISH), ("ja", "cp932", JAPANESE), ("", "cp1252", FRENCH)],
)
def test_a_document_without_any_label_is_read_by_its_language(language: str, codec: str, text: str) -> None:
    body = document(text).replace("<channel>", f"<channel><language>{language}</language>")
    title, note = read(body.encode(codec))
    assert title == text
    assert note is not None
    assert "names no other encoding" in note


def test_a_default_of_the_server_does_not_hide_the_declaration() -> None:
    body = document(RUSSIAN, xml("windows-1251")).encode("cp1251")
    assert read(body, "text/xml; charset=ISO-8859-1") == (RUSSIAN, None)


def test_few_letters_that_are_valid_utf8_by_chance_stay_what_was_declared() -> None:
    text = b"\xc4\xa3\xc4\xa3".decode("gbk")
    assert read(document(text, xml("gbk")).encode("gbk")) == (text, None)


def test_json_is_decoded_the_same_way() -> None:
    body = json.dumps(
        {"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "title": RUSSIAN}]}, ensure_ascii=False
    )
    for codec in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le"):
        assert read(body.encode(codec), "application/json")[0] == RUSSIAN
    assert read(body.encode("cp1251"), "application/json; charset=windows-1251")[0] == RUSSIAN


@given(st.binary(max_size=300), st.sampled_from(["", "text/xml; charset=gbk", "text/xml; charset=x", ";charset="]))
def test_any_bytes_become_utf8(body: bytes, content_type: str) -> None:
    for start in (b"", b"<?xml version='1.0' encoding='euc-jp'?>", codecs.BOM_UTF16_LE):
        decoded(start + body, content_type).body.decode()


@pytest.mark.parametrize(
    "body", [b"<?xml " * 300_000, b"<!--" * 500_000, b"\xd0" * 2_000_000, b" " * 2_000_000, b"<? " * 600_000]
)
def test_odd_bytes_cost_no_time(body: bytes) -> None:
    began = time.process_time()
    decoded(body, "text/xml")
    assert time.process_time() - began < 1
