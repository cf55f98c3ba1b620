"""Test JSON Feed 1.1: its rules, and the form of an item."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.activity import Media
from aggregator.reader.feeds import jsonfeed
from aggregator.reader.visibility import PUBLIC
from tests.reader.feeds.building import LONG_AGO, PICTURES, a_feed, a_post, an_item, hostile, specimens
from tests.reader.feeds.rules import RULES, broken

if TYPE_CHECKING:
    from tests.reader.feeds.rules import Rule

FEEDS = {
    "specimens": a_feed(specimens()),
    "specimens for the public": a_feed(specimens(), PUBLIC),
    "hostile": a_feed(hostile()),
    "empty": a_feed([], next=None, updated=LONG_AGO, language=None),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.where}: {rule.what}")
def test_a_rule_is_kept(rule: Rule) -> None:
    assert [name for name, feed in FEEDS.items() if broken(jsonfeed.render(feed), [rule])] == []


def test_an_article_has_all_that_is_known() -> None:
    item = an_item(
        7,
        title="Budgets are open",
        html="<p>At <b>last</b>.</p>",
        hashtags=("budget", "open"),
        media=(Media("audio", f"{PICTURES}/talk.mp3", "The talk", bytes=10, duration=1.5),),
    )
    (found,) = json.loads(jsonfeed.render(a_feed([item])))["items"]
    assert found == {
        "id": "tag:example.org,2026-11-23:activity/7",
        "url": "https://example.org/activities/7",
        "external_url": "https://news.example/7",
        "title": "Budgets are open",
        "content_html": "<p>At <b>last</b>.</p>",
        "content_text": "At last.",
        "date_published": "2026-03-02T12:00:00Z",
        "date_modified": "2026-03-02T12:00:00Z",
        "authors": [{"name": "News Desk"}],
        "tags": ["budget", "open", "CL"],
        "language": "en",
        "attachments": [
            {
                "url": "https://pictures.example/talk.mp3",
                "mime_type": "audio/mpeg",
                "title": "The talk",
                "size_in_bytes": 10,
                "duration_in_seconds": 1.5,
            }
        ],
        "_source": {"slug": "news", "name": "News and Events"},
    }


def test_a_short_message_has_no_title_unless_its_words_are_not_given() -> None:
    (whole,) = json.loads(jsonfeed.render(a_feed([a_post()])))["items"]
    (pointer,) = json.loads(jsonfeed.render(a_feed([a_post()], PUBLIC)))["items"]
    assert ("title" in whole, pointer["title"]) == (False, "Post on X")


def test_older_items_are_behind_next_and_then_in_the_archives() -> None:
    def next_of(**changes: Any) -> str | None:
        found: str | None = json.loads(jsonfeed.render(a_feed([], **changes))).get("next_url")
        return found

    assert next_of(next="https://example.org/2", prev_archive="https://example.org/a") == "https://example.org/2"
    assert next_of(next=None, prev_archive="https://example.org/a") == "https://example.org/a"
    assert next_of(next=None) is None
