"""Test rules 1 to 9, about conditional requests, against a scripted publisher."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from tests.building import due_of
from tests.etiquette.publisher import Says, feed

if TYPE_CHECKING:
    from tests.etiquette.publisher import Polling, Publisher, Time

UNCHANGED = Says(status=304)


@pytest.mark.parametrize("etag", ['W/"abc"', '"abc"', "unquoted", '"with, comma"', '"\u00e9"'])
def test_rule_01_an_etag_comes_back_byte_for_byte(polling: Polling, publisher: Publisher, etag: str) -> None:
    polling.follow(publisher.says("/f", Says(feed(1), headers={"ETag": etag}), UNCHANGED))
    polling.poll()
    assert "if-none-match" not in publisher.last
    polling.poll()
    assert publisher.last["if-none-match"] == etag


@pytest.mark.parametrize("modified", ["Mon, 02 Mar 2026 11:00:00 GMT", "yesterday", "2026-03-02", "0"])
def test_rule_02_last_modified_comes_back_as_it_was(polling: Polling, publisher: Publisher, modified: str) -> None:
    polling.follow(publisher.says("/f", Says(feed(1), headers={"Last-Modified": modified}), UNCHANGED))
    polling.poll()
    assert "if-modified-since" not in publisher.last
    polling.poll()
    assert publisher.last["if-modified-since"] == modified
    assert "if-none-match" not in publisher.last


def test_rule_03_both_are_sent_and_a_dropped_one_is_forgotten(polling: Polling, publisher: Publisher) -> None:
    both = {"ETag": '"1"', "Last-Modified": "then"}
    polling.follow(publisher.says("/f", Says(feed(1), headers=both), Says(feed(2), headers={"ETag": '"2"'}), UNCHANGED))
    polling.poll()
    polling.poll()
    assert (publisher.last["if-none-match"], publisher.last["if-modified-since"]) == ('"1"', "then")
    polling.poll()
    assert publisher.last["if-none-match"] == '"2"'
    assert "if-modified-since" not in publisher.last


def test_rule_04_a_304_updates_what_is_remembered(polling: Polling, publisher: Publisher, time: Time) -> None:
    newer = {"ETag": '"2"', "Cache-Control": "max-age=10800"}
    first = {"ETag": '"1"', "Last-Modified": "then"}
    polling.follow(publisher.says("/f", Says(feed(1), headers=first), Says(status=304, headers=newer), UNCHANGED))
    polling.poll()
    polling.poll()
    assert (due_of(polling.source()) - time()).total_seconds() >= 10800
    polling.poll()
    assert (publisher.last["if-none-match"], publisher.last["if-modified-since"]) == ('"2"', "then")


def test_rule_05_validators_are_saved_only_with_the_items(polling: Polling, publisher: Publisher) -> None:
    polling.follow(publisher.says("/f", Says(feed(1), headers={"ETag": '"1"'})))
    with polling.container.store.engine.begin() as connection:
        connection.execute(
            text("CREATE TRIGGER broken BEFORE INSERT ON raw_payload BEGIN SELECT RAISE(ABORT, 'crash'); END")
        )
    assert polling.poll().outcome == "failed"
    assert (polling.items(), polling.source().poll.fetch_state) == ([], {})
    with polling.container.store.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER broken"))
    polling.poll()
    assert "if-none-match" not in publisher.last
    assert len(polling.items()) == 1


def test_rule_06_what_cannot_be_read_saves_no_validators(polling: Polling, publisher: Publisher) -> None:
    good, broken = Says(feed(1), headers={"ETag": '"1"'}), Says(b"<rss><channel><ti", headers={"ETag": '"2"'})
    polling.follow(publisher.says("/f", good, broken, UNCHANGED))
    polling.poll()
    assert polling.poll().outcome == "failed"
    polling.poll()
    assert publisher.last["if-none-match"] == '"1"'


def test_rule_07_the_same_bytes_write_no_item_and_update_validators(polling: Polling, publisher: Publisher) -> None:
    polling.follow(
        publisher.says("/f", Says(feed(1), headers={"ETag": '"1"'}), Says(feed(1), headers={"ETag": '"2"'}), UNCHANGED)
    )
    polling.poll()
    before = [(item.id, item.revision) for item in polling.items()]
    assert polling.poll().outcome == "unchanged"
    assert [(item.id, item.revision) for item in polling.items()] == before
    polling.poll()
    assert publisher.last["if-none-match"] == '"2"'


def test_rule_08_a_whole_document_is_asked_for_once_a_week(polling: Polling, publisher: Publisher, time: Time) -> None:
    polling.follow(publisher.says("/f", Says(feed(1), headers={"ETag": '"1"'}, validates=True)))
    polling.poll()
    for _ in range(27):  # a week less a bit, in steps of six hours
        time.passes(hours=6)
        polling.poll()
        assert publisher.last["if-none-match"] == '"1"'
    whole = []
    for _ in range(8):
        time.passes(hours=6)
        polling.poll()
        whole.append("if-none-match" not in publisher.last)
    assert sum(whole) == 1  # between day 7 and 8, once
    assert set(publisher.paths) == {"/f"}  # and never by another address


def test_rule_09_what_is_only_new_adds_and_nothing_is_gone(polling: Polling, publisher: Publisher) -> None:
    only_new = Says(feed(3), status=226, headers={"ETag": '"2"', "IM": "feed"})
    polling.follow(publisher.says("/f", Says(feed(1, 2), headers={"ETag": '"1"'}), only_new, UNCHANGED))
    polling.poll()
    assert "a-im" not in publisher.last  # without validators there is nothing to be new against
    report = polling.poll()
    assert publisher.last["a-im"] == "feed"
    assert (report.new, len(polling.items())) == (1, 3)
    polling.poll()
    assert publisher.last["if-none-match"] == '"2"'
