"""Test the import of lists of sources at the desk: preview, result for each line, role, token and limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.access.accounts import Role
from aggregator.review.form import BadFormError
from aggregator.review.multipart import read_multipart
from tests.building import add_source

if TYPE_CHECKING:
    from tests.review.conftest import Answer, Installation

OPML = b"""<opml version="2.0"><body>
<outline text="News" xmlUrl="https://news.example/feed"/>
<outline text="Dates" xmlUrl="webcal://dates.example/all.ics"/>
<outline text="Nowhere"/>
<outline text="Odd" xmlUrl="mailto:someone@odd.example"/>
</body></opml>"""
MARK = "multipart/form-data; boundary=mark"


def lines(answer: Answer) -> list[str]:
    listed = re.search(r'<ol class="notes">(.*?)</ol>', answer.text, re.DOTALL)
    return re.findall(r"<li[^>]*>(.*?)</li>", listed[1]) if listed else []


def hidden(answer: Answer, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.text)
    assert found is not None, name
    return found[1]


def kinds(house: Installation) -> dict[str, str]:
    with house.store.reading() as tx:
        return {source.address: f"{source.kind} {source.policy.value}" for source in tx.polling.sources.each()}


def test_a_file_is_previewed_and_then_imported(house: Installation) -> None:
    ana = house.visitor("ana", Role.EDITOR)
    preview = ana.upload("/review/sources/import", {"do": "preview", "policy": "hold"}, OPML)
    assert kinds(house) == {}
    assert lines(preview)[:2] == [
        "would be added: https://news.example/feed",
        "would be added: webcal://dates.example/all.ics",
    ]
    assert "3 would be added, 0 already there, 0 not added. 1 outlines name no feed." in preview.text

    fields = {"do": "import", "policy": "hold", "document": hidden(preview, "document"), "name": "feeds.opml"}
    result = ana.upload("/review/sources/import", fields, b"")
    assert kinds(house) == {
        "https://news.example/feed": "rss hold",
        "https://dates.example/all.ics": "calendar hold",
    }
    assert "2 added, 0 already there, 1 not added." in result.text
    assert any("mailto:" in line and "not added" in line for line in lines(result))
    with house.store.reading() as tx:
        assert tx.moderation.audit.of("source:news", 5)[0]["who"] == "ana"

    again = ana.upload("/review/sources/import", {"do": "preview"}, OPML)
    assert "1 would be added, 2 already there" in again.text


def test_text_can_be_pasted(sqlite_house: Installation) -> None:
    text = '[[source]]\naddress = "https://news.example/feed"\nkind = "rss"\n'
    fields = {"do": "import", "text": text}
    sqlite_house.visitor("ana", Role.EDITOR).upload("/review/sources/import", fields, b"")
    assert kinds(sqlite_house) == {"https://news.example/feed": "rss auto"}


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"", "Choose a file"),
        (b"<html>", "not OPML"),
        (b'<!DOCTYPE opml [<!ENTITY a "b">]><opml><body/></opml>', "document type"),
        (b"<opml>" + b" " * (2 * 1024 * 1024), "larger than 2 MB"),
    ],
    ids=["nothing", "page", "entities", "large"],
)
def test_a_document_that_is_none_is_refused(sqlite_house: Installation, file: bytes, reason: str) -> None:
    answer = sqlite_house.visitor("ana", Role.EDITOR).upload("/review/sources/import", {"do": "import"}, file)
    assert answer.status == 422
    assert reason in answer.text


def test_it_takes_an_editor_and_a_token(sqlite_house: Installation) -> None:
    reviewer = sqlite_house.visitor("rob", Role.REVIEWER)
    assert reviewer.get("/review/sources/import").status == 403
    assert reviewer.upload("/review/sources/import", {"do": "import"}, OPML).status == 403
    editor = sqlite_house.visitor("ana", Role.EDITOR)
    assert editor.upload("/review/sources/import", {"do": "import", "csrf": "0"}, OPML).status == 403
    assert kinds(sqlite_house) == {}


def test_no_other_form_takes_a_file(sqlite_house: Installation) -> None:
    ana = sqlite_house.visitor("ana", Role.EDITOR)
    assert ana.upload("/review/sources/add", {"address": "https://news.example/feed"}, OPML).status == 422


def test_options_are_set_by_the_fields_of_their_kind(sqlite_house: Installation) -> None:
    add_source(sqlite_house.store, "news")
    ana = sqlite_house.visitor("ana", Role.EDITOR)
    assert 'name="option.rss.identity"' in ana.get("/review/sources/news").text
    ana.post("/review/sources/news/options", {"option.rss.identity": "heuristic", "option.rss.slow": "true"})
    with sqlite_house.store.reading() as tx:
        source = tx.polling.sources.get("news")
    assert source is not None
    assert source.options == {"identity": "layers", "slow": True}
    assert "<option selected>heuristic</option>" in ana.get("/review/sources/news").text
    assert ana.post("/review/sources/news/options", {"option.rss.identity": "dog"}).status in {400, 422}
    added = ana.post("/review/sources/add", {"address": "@x", "option.twitter.exclude": "replies"}).text
    assert "{&#39;exclude&#39;: &#39;replies&#39;}" in added


def part(name: str, content: bytes, rest: str = "") -> bytes:
    return f'--mark\r\nContent-Disposition: form-data; name="{name}"{rest}\r\n\r\n'.encode() + content + b"\r\n"


def test_a_form_with_a_file_is_read_byte_by_byte() -> None:
    body = part("a", "ä".encode()) + part("file", b"\r\n\x00\xff--mark", '; filename="C:\\x\\f.opml"') + b"--mark--\r\n"
    form = read_multipart(MARK, body)
    assert form.text("a") == "ä"
    upload = form.upload("file")
    assert upload is not None
    assert upload == ("f.opml", b"\r\n\x00\xff--mark")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b""),
        (MARK, b""),
        (MARK, part("a", b"b")),
        (MARK, b"--mark\r\nno blank line\r\n--mark--"),
        (MARK, b"--mark\r\n\r\nno name\r\n--mark--"),
        (MARK, part("a", b"\xff") + b"--mark--"),
        (MARK, part("a", b"b") * 200 + b"--mark--"),
        (MARK, part("a" * 5000, b"b") + b"--mark--"),
    ],
    ids=["boundary", "empty", "cut-off", "headers", "name", "text", "parts", "long"],
)
def test_a_damaged_form_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(BadFormError):
        read_multipart(content_type, body)
