"""Check that no control character leaves a feed of any format."""

import json
import re
from dataclasses import asdict

import pytest

from aggregator.sources.rss.control_characters import cleaned, plain_id, without_controls
from aggregator.sources.rss.parse import normalise

ODD = "a\x00b\x08c\x1b[0md\x7fe\x9ff\ud83dg"
UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
ITEM = {
    "id": f"1{ODD}",
    "url": f"https://news.example/{ODD}",
    "title": ODD,
    "tags": [ODD],
    "authors": [{"name": f"Ana {ODD}"}],
    "attachments": [{"url": "https://news.example/a.mp3", "title": ODD}],
}
REFERENCES = "a &#1; b &#x1f; c &#0; d &#127; e"


@pytest.mark.parametrize("content", [{"content_text": ODD}, {"content_html": f"<p>{ODD}{REFERENCES}</p>"}])
def test_json_has_none(content: dict[str, str]) -> None:
    body = json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": ODD, "items": [{**ITEM, **content}]})
    for text in (body, body.replace("\\u0000", "\x00")):  # the second one is no valid JSON
        feed = normalise(text.encode(), "application/json", "https://news.example/feed")
        (activity,) = feed.activities
        assert activity.content.title == "abc[0mdef\ufffdg"
        found = f"{feed.title}{activity.native_id}{activity.key}{list(_texts(asdict(activity.content)))}"
        assert UNWANTED.search(found) is None


@pytest.mark.parametrize("more", ["", "<b>"], ids=["tree", "feedparser"])
def test_xml_has_none(more: str) -> None:
    words = ODD.replace("\ud83d", "&#55357;")
    escaped = REFERENCES.replace("&", "&amp;")
    body = (
        f"<rss version='2.0'><channel><title>{words}</title><item><guid>1{words}</guid><title>{words}</title>"
        f"<category>{words}</category><author>{words}</author><description>{words} {escaped}{more}</description></item>"
        "</channel></rss>"
    )
    feed = normalise(body.encode(), "application/xml", "https://news.example/feed")
    (activity,) = feed.activities
    found = f"{feed.title}{activity.native_id}{activity.key}{list(_texts(asdict(activity.content)))}"
    assert UNWANTED.search(found) is None
    assert feed.note is not None


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def test_texts_without_any_stay_the_same_objects() -> None:
    value = ("plain", ["x\ny\t\u2028"], "\U0001f60a", 1, None)
    assert cleaned(value) is value
    assert without_controls("caf\xe9\r\n") == "caf\xe9\r\n"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("<b>id 7</b>", "id 7"),
        ('<a href="https://news.example/7">7</a>', "7"),
        ("<p></p>", ""),
        ("a < b", "a < b"),
        ("tag:news.example,2020:<7>", "tag:news.example,2020:<7>"),
        (" 7\x00 ", "7"),
        (None, ""),
    ],
)
def test_ids_are_without_markup(written: str | None, meant: str) -> None:
    assert plain_id(written) == meant
