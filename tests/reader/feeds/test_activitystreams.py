"""Read our ActivityStreams 2.0 with apmodel, an independent library."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.activity import ActivityKind, Mention, Occasion
from aggregator.reader.feeds import activitystreams
from aggregator.reader.visibility import EVERYTHING, PUBLIC
from aggregator.web.dates import machine_time
from aggregator.web.negotiation import ACTIVITY, media_of
from tests.building import NOON, an_activity
from tests.reader.feeds.building import a_feed, a_post, an_item, hostile, specimens, stored_item
from tests.reader.specimens import OGP, tweet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.domain.activity import Activity
    from aggregator.reader.visibility import Audience

pytestmark = pytest.mark.xdist_group("activitystreams")  # the first test of a process loads libraries for a second

OF_THE_VOCABULARY = {
    *("@context", "id", "type", "actor", "object", "summary", "url", "published", "updated", "attributedTo", "name"),
    *(
        "preferredUsername",
        "icon",
        "content",
        "contentMap",
        "inReplyTo",
        "duration",
        "startTime",
        "endTime",
        "location",
    ),
    *("attachment", "tag", "mediaType", "width", "height", "preview", "href", "rel", "deleted", "sensitive"),
    *("first", "next", "prev", "partOf", "orderedItems"),
}
TYPES = {
    *("OrderedCollection", "OrderedCollectionPage", "Announce", "Create", "Note", "Article", "Event", "Video"),
    *("Person", "Image", "Audio", "Document", "Place", "Link", "Mention", "Hashtag", "Object", "Tombstone"),
}


def as_object(item: Activity, audience: Audience = EVERYTHING) -> dict[str, Any]:
    written = activitystreams.one(item, a_feed([], audience).terms)
    found: dict[str, Any] = json.loads(written)
    return found


def read(value: dict[str, Any]) -> Any:
    """Read as apmodel does; it warns, and thereby fails, where it cannot."""
    # Its import takes two seconds of every process of a divided run.
    import apmodel  # type: ignore[import-untyped]  # it ships types, but does not say so

    return apmodel.load(json.loads(json.dumps(value)))


def parts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for name, part in value.items():
            if name not in {"@context", "contentMap"}:
                yield from parts(part)
    elif isinstance(value, list):
        for part in value:
            yield from parts(part)


@pytest.mark.parametrize(
    "audience", [PUBLIC, pytest.param(EVERYTHING, marks=pytest.mark.slow)], ids=["public", "everything"]
)
@pytest.mark.parametrize("item", specimens() + hostile(), ids=lambda item: f"{item.content.kind}-{item.id}")
def test_an_independent_reader_gets_every_value(item: Activity, audience: Audience) -> None:
    written = as_object(item, audience)
    found, content = read(written), audience.content(item.content)
    repost = content.kind is ActivityKind.REPOST
    assert (type(found).__name__, found.id) == ("Announce" if repost else "Create", written["id"])
    assert (found.published, found.summary, found.url) == tuple(written[n] for n in ("published", "summary", "url"))
    inner = written["object"]
    assert type(found.object).__name__ == inner["type"]
    assert (found.object.id, found.object.content) == (inner["id"], inner.get("content"))
    assert [tag.name for tag in found.object.tag] == [tag["name"] for tag in inner.get("tag", [])]
    kinds = [type(item).__name__ for item in found.object.attachment]
    assert kinds == [item["type"] for item in inner.get("attachment", [])]
    if "actor" in written:
        assert (found.actor.id, found.actor.name) == (written["actor"]["id"], written["actor"]["name"])


@pytest.mark.parametrize("item", specimens() + hostile(), ids=lambda item: f"{item.content.kind}-{item.id}")
def test_every_word_is_one_of_the_vocabulary_and_everything_has_a_type(item: Activity) -> None:
    for part in parts(as_object(item)):
        assert set(part) <= OF_THE_VOCABULARY
        assert part["type"] in TYPES


def test_a_repost_announces_what_somebody_else_wrote() -> None:
    (item,) = (item for item in specimens() if item.content.kind is ActivityKind.REPOST)
    found = as_object(item)
    assert found["type"] == "Announce"
    assert found["actor"]["preferredUsername"] == "opengovpart"
    assert found["actor"]["icon"] == {"type": "Image", "url": "https://pictures.example/ogp"}
    assert found["object"]["url"] == "https://x.com/OpenGovHub/status/900"
    assert found["object"]["attributedTo"]["name"] == "OpenGov Hub"
    assert found["object"]["tag"] == [
        {"type": "Hashtag", "name": "#applytoday"},
        {"type": "Mention", "name": "@opengovpart", "href": "https://x.com/opengovpart"},
    ]


def test_the_public_gets_of_a_repost_on_x_where_it_is_and_no_more() -> None:
    (item,) = (item for item in specimens() if item.content.kind is ActivityKind.REPOST)
    found = as_object(item, PUBLIC)
    assert {name: found[name] for name in found if name != "@context"} == {
        "id": "https://example.org/activities/6",
        "type": "Announce",
        "summary": "Repost on X",
        "url": "https://x.com/opengovpart/status/913",
        "published": "2026-03-02T11:00:00Z",
        "object": {
            "id": "https://example.org/activities/6#original",
            "type": "Note",
            "url": "https://x.com/OpenGovHub/status/900",
            "published": "2026-03-02T09:00:00Z",
        },
    }


def test_a_repost_of_what_could_not_be_had_says_nothing_wrong_about_it() -> None:
    repost = tweet("5", ActivityKind.REPOST, "The beginning", "<p>The beginning</p>", NOON, OGP)
    found = as_object(stored_item(5, repost))["object"]
    assert found == {
        "id": "https://example.org/activities/5#original",
        "type": "Note",
        "content": "<p>The beginning</p>",
        "contentMap": {"en": "<p>The beginning</p>"},
    }


def test_a_quotation_is_linked_and_attached() -> None:
    (item,) = (item for item in specimens() if item.content.kind is ActivityKind.QUOTE)
    found = as_object(item)["object"]
    (quoted,) = found["attachment"]
    assert quoted["attributedTo"]["name"] == "Joseph Powell"
    assert quoted["id"] in [tag.get("href") for tag in found["tag"]]


def test_an_event_says_when_and_where() -> None:
    (item,) = (item for item in specimens() if item.content.kind is ActivityKind.EVENT)
    found = as_object(item)["object"]
    assert (found["startTime"], found["endTime"]) == ("2026-04-16T14:00:00Z", "2026-04-16T15:00:00Z")
    assert found["location"] == {"type": "Place", "name": "Online"}


def test_a_reply_says_what_it_answers() -> None:
    item = a_post(in_reply_to="https://x.com/someone/status/899", mentions=(Mention("someone"),))
    found = as_object(item)["object"]
    assert found["inReplyTo"] == {"type": "Note", "url": "https://x.com/someone/status/899"}
    assert {"type": "Mention", "name": "@someone"} in found["tag"]


def test_the_text_says_its_language_and_whether_it_may_offend() -> None:
    found = as_object(an_item(lang="ar", html="<p>نعم</p>", sensitive=True))
    assert found["object"]["contentMap"] == {"ar": "<p>نعم</p>"}
    assert found["object"]["sensitive"] is True
    assert found["@context"][1] == {"sensitive": "as:sensitive", "Hashtag": "as:Hashtag"}


def test_somebody_without_a_profile_has_an_id_all_the_same() -> None:
    found = as_object(stored_item(1, an_activity("1")))
    assert found["actor"]["id"] == "https://example.org/activities/1#actor"


def test_the_collection_says_where_its_pages_begin() -> None:
    found = read(json.loads(activitystreams.render(a_feed(specimens(), whole=True))))
    assert type(found).__name__ == "OrderedCollection"
    assert (found.id, found.first) == (
        "https://example.org/feed.x?kind=post",
        "https://example.org/feed.x?kind=post&page=first",
    )
    assert found.ordered_items is None


def test_a_page_says_what_is_before_and_after_it() -> None:
    items = specimens()
    page = json.loads(activitystreams.render(a_feed(items)))
    found = read(page)
    assert type(found).__name__ == "OrderedCollectionPage"
    assert (found.id, found.part_of) == (page["id"], "https://example.org/feed.x?kind=post")
    assert (found.next, found.prev) == tuple(f"https://example.org/feed.x?kind=post&cursor={c}" for c in "ca")
    assert [item["id"] for item in page["orderedItems"]] == [f"https://example.org/activities/{i.id}" for i in items]
    assert len(found.ordered_items) == len(items)


def test_of_what_is_gone_a_tombstone_is_left() -> None:
    written = json.loads(activitystreams.tombstone("https://example.org/activities/3"))
    found = read(written)
    assert (type(found).__name__, found.id) == ("Tombstone", "https://example.org/activities/3")
    assert set(written) == {"@context", "id", "type"}


def test_different_things_never_share_an_id_and_all_ids_are_below_our_own_address() -> None:
    """Strict readers look an embedded thing up where its id has another origin than the document."""
    shared = {"url": "https://news.example/meeting"}
    both = [an_item(500, **shared), an_item(501, kind=ActivityKind.EVENT, event=Occasion(NOON), **shared)]
    page = json.loads(activitystreams.render(a_feed([*specimens(), *hostile(), *both])))
    known: dict[str, dict[str, Any]] = {}
    for part in parts(page):
        if "id" in part:
            assert known.setdefault(part["id"], part) == part
            assert part["id"].startswith("https://example.org/")
    assert len({part["object"]["id"] for part in page["orderedItems"]}) == len(page["orderedItems"])


WANTED = {
    "activity": ("application/activity+json", True),
    "linked-data": ('application/ld+json; profile="https://www.w3.org/ns/activitystreams"', True),
    "as-much-as-html": ("text/html, application/activity+json", True),
    "more-than-html": ("text/html;q=0.5, application/activity+json;q=0.9", True),
    "less-than-html": ("text/html, application/activity+json;q=0.9", False),
    "upper-case": ("Application/Activity+JSON", True),
    "refused": ("application/activity+json;q=0", False),
    "no-weight": ("application/activity+json;q=x", False),
    "browser": ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
    "anything": ("*/*", False),
    "json": ("application/json", False),
    "nothing": ("", False),
    "very-long": ("a/b," * 100_000 + "application/activity+json", False),
}


@pytest.mark.parametrize(("accept", "expected"), WANTED.values(), ids=WANTED)
def test_who_prefers_it_gets_it(accept: str, *, expected: bool) -> None:
    assert (media_of(accept) == ACTIVITY) is expected


def test_a_date_in_the_future_is_not_believed() -> None:
    future = NOON.replace(year=2028)
    item = an_item(published=future, updated=future)
    feed = replace(a_feed([item]), now=NOON)
    (found,) = json.loads(activitystreams.render(feed))["orderedItems"]
    assert "2028" not in json.dumps(found)
    assert found["published"] == machine_time(item.position)
