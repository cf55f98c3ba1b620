"""Test the events of X's Activity API: valid, foreign and malformed lines, and subscriptions."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.errors import SourceError
from aggregator.source_api.push import AccountChanged, PostDeleted
from aggregator.sources.twitter import activity_stream
from aggregator.sources.twitter.activity_stream import PostCreated, events_in, subscribe

if TYPE_CHECKING:
    from collections.abc import Mapping

TAG = activity_stream.TAG


def line(event_type: str, **payload: Any) -> bytes:
    return json.dumps({"data": {"event_type": event_type, "filter": {"user_id": "7"}, "payload": payload}}).encode()


def test_a_new_post_and_a_deleted_one_are_events() -> None:
    assert [*events_in(line("post.create", id="12", author_id="7", text="Hello"))] == [
        PostCreated("12", AccountChanged("7"))
    ]
    assert [*events_in(line("post.delete", id="12", author_id="7"))] == [PostDeleted("12", "7", has_versions=True)]


def test_the_account_of_the_subscription_stands_in_for_a_missing_author() -> None:
    assert [*events_in(line("post.delete", id="12"))] == [PostDeleted("12", "7", has_versions=True)]


@pytest.mark.parametrize("when", ["soon", 5, "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"], ids=repr)
def test_a_deletion_with_an_impossible_time_is_applied(when: object) -> None:
    event = {"event_type": "post.delete", "payload": {"id": "12", "author_id": "7"}, "created_at": when}
    assert [*events_in(json.dumps({"data": event}).encode())] == [PostDeleted("12", "7", has_versions=True)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\r", id="keep-alive"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"[" * 100_000, id="nested deeply"),
        pytest.param(b"\xff\xfe{}", id="no UTF-8"),
        pytest.param(b"[1]", id="a list"),
        pytest.param(b'{"data": []}', id="data is a list"),
        pytest.param(b'{"data": {"event_type": "post.delete", "payload": [], "filter": 1}}', id="parts of other types"),
        pytest.param(line("post.delete", id="12; drop", author_id="7"), id="an id that is no number"),
        pytest.param(line("post.delete", id="12", author_id={"id": 7}), id="an author that is no number"),
        pytest.param(line("follow.follow", source={}, target={}), id="another event"),
    ],
)
def test_other_lines_are_no_events(text: bytes) -> None:
    assert [*events_in(text)] == []


def test_an_error_ends_the_stream() -> None:
    with pytest.raises(SourceError, match="This stream is currently at the maximum"):
        [*events_in(b'{"errors": [{"title": "x", "detail": "This stream is currently at the maximum"}]}')]


class Recorder:
    """Stands for the API's client: answers with pages of subscriptions and records the other calls."""

    def __init__(self, *pages: Mapping[str, Any]) -> None:
        self._pages = list(pages)
        self.sent: list[tuple[str, Any]] = []

    async def send(self, method: str, _path: str, *, params: Any = None, json: Any = None) -> Mapping[str, Any]:
        if method == "GET":
            return self._pages.pop(0)
        self.sent.append((method, json or params))
        return {}


def item(number: int, event: str, account: str, tag: str = TAG) -> dict[str, Any]:
    return {"subscription_id": str(number), "event_type": event, "filter": {"user_id": account}, "tag": tag}


def test_missing_subscriptions_are_made_and_obsolete_ones_cancelled_but_not_those_of_others() -> None:
    api = Recorder(
        {"data": [item(1, "post.delete", "7"), item(2, "post.create", "8")], "meta": {"next_token": "more"}},
        {"data": [item(3, "post.delete", "9", tag="someone else's"), "odd", {"tag": TAG}]},
    )
    asyncio.run(subscribe(api, ["7"]))  # type: ignore[arg-type]
    assert api.sent == [
        ("DELETE", {"ids": "2"}),
        ("POST", {"event_type": "post.create", "filter": {"user_id": "7"}, "tag": TAG}),
    ]


def test_beyond_the_plan_s_subscriptions_deletions_come_first() -> None:
    api = Recorder({"meta": {}})
    accounts = [str(number) for number in range(1, activity_stream.MOST_SUBSCRIPTIONS)]
    assert asyncio.run(subscribe(api, accounts, most=10_000))  # type: ignore[arg-type]
    events = [content["event_type"] for _, content in api.sent]
    assert len(events) == activity_stream.MOST_SUBSCRIPTIONS
    assert events.count("post.delete") == len(accounts)


def test_many_missing_subscriptions_are_made_in_several_calls() -> None:
    api = Recorder({"meta": {}})
    assert not asyncio.run(subscribe(api, ["7", "8"], most=3))  # type: ignore[arg-type]
    assert len(api.sent) == 3


def test_thousands_of_obsolete_subscriptions_are_cancelled_a_hundred_at_a_time() -> None:
    api = Recorder({"data": [item(number, "post.delete", str(number)) for number in range(250)]})
    asyncio.run(subscribe(api, []))  # type: ignore[arg-type]
    assert [len(content["ids"].split(",")) for _, content in api.sent] == [100, 100, 50]
