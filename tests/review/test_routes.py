"""Test rules, sources, freezes, our own posts and the audit log over HTTP, on both databases."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.access.accounts import Role
from aggregator.domain.source import OnEdit, Policy, SourceState
from aggregator.domain.stream import Query
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.review.test_queue import eventually, marks, waiting

if TYPE_CHECKING:
    from aggregator.domain.source import Source
    from storage.store import Store
    from tests.review.conftest import Answer, Installation


def source_now(store: Store, slug: str) -> Source:
    with store.reading() as tx:
        found = tx.polling.sources.get(slug)
    assert found is not None
    return found


def audit_lines(store: Store) -> list[str]:
    with store.reading() as tx:
        return [f"{note['who']} {note['what']} {note['subject']}" for note in tx.moderation.audit.page()]


def refused(answer: Answer) -> str:
    found = re.search(r'<p class="complaint" role="alert">([^<]*)<', answer.text)
    return found[1] if found else ""


RULE = {
    "name": "No betting", "rows": "1", "field-0": "text", "operator-0": "contains", "value-0": "text", "action": "hide",
    "every": "all", "enabled": "1",
}  # fmt: skip


def test_a_rule_is_rehearsed_saved_moved_switched_and_deleted(house: Installation) -> None:
    waiting(house.store, 3)
    ana = house.visitor("ana", Role.EDITOR)

    rehearsal = ana.post("/review/rules/new", {**RULE, "do": "rehearse"})
    assert "<strong>3</strong> of 3" in rehearsal.text
    with house.store.reading() as tx:
        assert tx.moderation.rules.all() == []
    ana.post("/review/rules/new", {**RULE, "do": "save"})
    ana.post("/review/rules/new", {**RULE, "name": "Second", "do": "save"})
    ana.post("/review/rules/2/move", {"to": "up"})
    ana.post("/review/rules/1/switch", {"to": "off"})
    changed = ana.post("/review/rules/2", {**RULE, "name": "Second, changed", "do": "save"})
    with house.store.reading() as tx:
        rules = [(rule.name, rule.enabled) for rule in tx.moderation.rules.all()]
    ana.post("/review/rules/2/delete")

    assert changed.status == 303
    assert rules == [("Second, changed", True), ("No betting", False)]
    assert audit_lines(house.store)[:6] == [
        "ana deleted a rule rule:2",
        "ana changed a rule rule:2",
        "ana turned off a rule rule:1",
        "ana moved a rule rule:2",
        "ana added a rule rule:2",
        "ana added a rule rule:1",
    ]
    assert ana.get("/review/rules/2").status == 404


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value-0": "(", "operator-0": "matches"}, "a valid regular expression"),
        ({"value-0": ""}, "Condition 1: the text needs a value"),
        ({"name": " "}, "needs a name"),
        ({"action": "tag", "value": "Not a tag"}, "consists of a-z"),
    ],
)
def test_a_rule_that_cannot_work_comes_back_with_what_was_typed(
    sqlite_house: Installation, changes: dict[str, str], message: str
) -> None:
    answer = sqlite_house.visitor("ana", Role.EDITOR).post("/review/rules/new", {**RULE, **changes, "do": "save"})
    assert answer.status == 422
    assert message in refused(answer)
    assert 'name="rows" value="1"' in answer.text


def test_a_source_is_paused_polled_and_given_a_policy(house: Installation) -> None:
    add_source(house.store)
    ana = house.visitor("ana", Role.EDITOR)

    ana.post("/review/sources/news/state", {"to": "paused"})
    paused = source_now(house.store, "news")
    early = ana.post("/review/sources/news/poll")
    ana.post("/review/sources/news/state", {"to": "active"})
    requests = ana.follow(ana.post("/review/sources/news/poll"))
    fields = {"policy": "delay", "delay": "10", "on_edit": "return", "trusted": "@ana\nBen Smith\n@ana"}
    ana.post("/review/sources/news/policy", fields)
    changed = source_now(house.store, "news")

    assert (paused.state, paused.state_reason) == (SourceState.PAUSED, "paused by ana")
    assert early.status == 409
    assert requests.message == "Poll requested. It starts within a few seconds."
    assert (changed.policy, changed.delay) == (Policy.DELAY, timedelta(minutes=10))
    assert (changed.on_edit, changed.trusted) == (OnEdit.RETURN, ("ana", "Ben Smith"))
    assert changed.poll.due_reason == "asked for by hand"


def test_a_poll_is_refused_while_its_host_wants_quiet(house: Installation) -> None:
    source = add_source(house.store)
    with house.store.writing() as tx:
        tx.polling.hosts.pause(source.host, NOON + timedelta(minutes=30), NOON, "503 Service Unavailable")
    answer = house.visitor("ana", Role.EDITOR).post("/review/sources/news/poll")

    assert answer.status == 409
    assert "are paused for 30 min more: 503 Service Unavailable" in answer.text


def test_what_a_file_sets_is_not_changed_here(house: Installation) -> None:
    source = add_source(house.store)
    with house.store.writing() as tx:
        tx.polling.sources.change(source.id, managed="sources.toml")
    ana = house.visitor("ana", Role.EDITOR)

    page = ana.get("/review/sources/news")
    fields = {"policy": "hold", "on_edit": "stay", "items": "hide"}
    answers = [ana.post(f"/review/sources/news/{what}", fields) for what in ("policy", "remove")]

    assert "Managed by sources.toml. Edit it there." in page.text
    assert "Remove source" not in page.text
    assert [answer.status for answer in answers] == [409, 409]
    assert ana.post("/review/sources/news/state", {"to": "paused"}).status == 303


def test_an_address_that_is_none_comes_back_with_the_reason(sqlite_house: Installation) -> None:
    answer = sqlite_house.visitor("ana", Role.EDITOR).post("/review/sources/add", {"address": "https://x.invalid/"})
    assert answer.status == 422
    assert refused(answer) == "https://x.invalid/ can&#39;t be reached from a test."


def test_a_removed_source_takes_its_items_out_where_that_is_wanted(house: Installation) -> None:
    ingest_now(house.store, add_source(house.store), [an_activity("1")])
    ana = house.visitor("ana", Role.EDITOR)

    done = ana.follow(ana.post("/review/sources/news/remove", {"items": "hide"}))

    assert done.message == "News removed. Its items are hidden."
    assert eventually(lambda: house.somebody().get("/api/v1/activities/1").status == 410)


def test_a_freeze_is_seen_on_every_page_and_ends(house: Installation) -> None:
    source = add_source(house.store)
    ana = house.visitor("ana", Role.EDITOR)
    fields = {"until": "2026-03-02T12:00", "reason": "Election silence", "scope": "some", "source": source.slug}

    ana.post("/review/freezes", fields)
    page = ana.get("/review/rules").text
    ended = ana.follow(ana.post("/review/freezes/1/end"))

    assert "New items of some sources are held until March 2, 2026, 12:00 PM: Election silence (ana)." in page
    assert ended.message == "Freeze ended. 0 held items are published."
    assert "Election silence (ana)" not in ana.get("/review/rules").text
    assert ana.post("/review/freezes/1/end").status == 409


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"until": "2026-03-01T12:00", "reason": "x"}, "in the future"),
        ({"until": "soon", "reason": "x"}, "expected a date and time"),
        ({"until": "2026-03-03T12:00", "reason": ""}, "reason is required"),
        ({"until": "2026-03-03T12:00", "reason": "x", "scope": "some"}, "Select the sources"),
        ({"until": "2026-03-03T12:00", "reason": "x", "scope": "some", "source": "nope"}, "No source"),
    ],
)
def test_a_freeze_that_cannot_be_is_refused(sqlite_house: Installation, fields: dict[str, str], message: str) -> None:
    answer = sqlite_house.visitor("ana", Role.EDITOR).post("/review/freezes", fields)
    assert answer.status == 422
    assert message in refused(answer)


def test_refused_forms_keep_what_was_typed(sqlite_house: Installation) -> None:
    for slug in ("one", "other"):
        add_source(sqlite_house.store, slug)
    ana = sqlite_house.visitor("ana", Role.EDITOR)
    frozen = ana.post("/review/freezes", {"until": "", "reason": "Silence", "scope": "some", "source": "other"}).text
    fields = {"address": "https://x.invalid/", "policy": "delay", "delay": "15"}
    added = ana.post("/review/sources/add", fields).text

    assert 'value="some" checked' in frozen
    assert 'value="all" checked' not in frozen
    assert 'value="other" checked' in frozen
    assert 'value="one" checked' not in frozen
    assert 'value="https://x.invalid/"' in added
    assert '<option value="delay" selected>' in added
    assert 'name="delay" value="15"' in added


def test_every_freeze_under_way_is_listed(sqlite_house: Installation) -> None:
    until = sqlite_house.clock() + timedelta(hours=1)
    with sqlite_house.store.writing() as tx:
        for number in range(35):
            tx.moderation.freezes.begin([None], until, f"reason {number}.", "ana", sqlite_house.clock())
    page = sqlite_house.visitor("ana").get("/review/freezes").text
    assert page.count("items are held.") == 35


def test_an_item_of_our_own_is_shown_as_ours_and_changed(house: Installation) -> None:
    ana = house.visitor("ana", Role.EDITOR)
    ana.post("/review/add", {"title": "Office closed", "text": "On <b>Friday</b>.\n\nSee you.", "lang": "en"})
    assert eventually(lambda: house.somebody().get("/api/v1/activities/1").status == 200)
    shown = house.somebody().get("/api/v1/activities/1").text
    ana.post("/review/items/1/edit", {"title": "Office open", "text": "After all.", "lang": "en"})

    assert '"slug":"desk","name":"Our editors"' in shown
    assert "<p>On &lt;b&gt;Friday&lt;/b&gt;.</p><p>See you.</p>" in shown
    assert eventually(lambda: "Office open" in house.somebody().get("/api/v1/activities/1").text)
    assert "Office<del> closed" in ana.get("/review/items/1").text
    assert audit_lines(house.store)[:2] == ["ana changed an item of ours activity:1", "ana added an item activity:1"]


def test_what_others_wrote_can_not_be_changed(house: Installation) -> None:
    waiting(house.store, 1)
    ana = house.visitor("ana", Role.EDITOR)
    assert ana.get("/review/items/1/edit").status == 400
    assert ana.post("/review/items/1/edit", {"title": "x", "text": "y"}).status == 400


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"title": ""}, "title is required"),
        ({"title": "x"}, "Enter a text or a link"),
        ({"title": "x", "url": "javascript:alert(1)"}, "expected a web address"),
        ({"title": "x", "text": "y", "published": "2027-01-01T00:00"}, "must not be in the future"),
    ],
)
def test_an_item_of_our_own_is_checked(sqlite_house: Installation, fields: dict[str, str], message: str) -> None:
    answer = sqlite_house.visitor("ana", Role.EDITOR).post("/review/add", fields)
    assert answer.status == 422
    assert message in refused(answer)


def test_everything_of_an_author_goes_with_one_key_and_comes_back_with_another(house: Installation) -> None:
    source = add_source(house.store)
    ingest_now(house.store, source, [an_activity(f"{n}") for n in range(3)])
    ana = house.visitor("ana", Role.EDITOR)

    hidden = ana.follow(ana.post("/review/items/1/author"))
    with house.store.reading() as tx:
        (rule,) = tx.moderation.rules.all()
    assert hidden.message == "Hid 3 items. A rule hides new items from News Desk."
    assert rule.sentence() == "If the author is “News Desk”: hide it."
    assert eventually(lambda: '"items":[]' in house.somebody().get("/api/v1/activities").text)

    ana.post("/review/undo")
    with house.store.reading() as tx:
        (rule,) = tx.moderation.rules.all()
    assert not rule.enabled
    assert eventually(lambda: house.somebody().get("/api/v1/activities").text.count('"native_id"') == 3)


def test_a_pinned_item_comes_first_for_readers(house: Installation) -> None:
    source = add_source(house.store)
    ingest_now(house.store, source, [an_activity(f"{n}", published=NOON - timedelta(hours=n)) for n in range(1, 4)])
    ana = house.visitor("ana", Role.EDITOR)
    mark = marks(ana.get("/review?pile=published").text)[3]

    ana.post("/review/decide", {"one": f"pin {mark}"})
    words = {"headline": "Read this", "note": "It matters.", "revision": mark_of(ana.get("/review/items/3").text)}
    ana.post("/review/items/3/words", words)

    assert eventually(lambda: "Pinned" in house.somebody().get("/").text)
    page = house.somebody().get("/").text
    assert page.index("Title 3") < page.index("Title 1")
    assert "Read this" in page
    assert page.count('data-id="3"') == 1
    answer = house.somebody().get("/api/v1/activities").text
    assert '"pinned":[{"id":"3"' in answer
    assert '"editors":{"headline":"Read this","note":"It matters.","described_images":[]}' in answer


def test_editors_join_and_split_stories_and_take_it_back(house: Installation) -> None:
    source = add_source(house.store)
    ingest_now(house.store, source, [an_activity(str(n), title=f"Title {n}") for n in range(1, 4)])
    ana = house.visitor("ana", Role.EDITOR)

    def story(item: int, **fields: str) -> str:
        seen = mark_of(ana.get(f"/review/items/{item}").text)
        return ana.follow(ana.post(f"/review/items/{item}/story", {"revision": seen, **fields})).message

    def stories() -> list[list[str]]:
        with house.store.reading() as tx:
            page = tx.stream.activities.page(Query(by_story=True))
        return [[item.native_id, *(other.native_id for other in page.others.get(item.id, ()))] for item in page.items]

    assert len(stories()) == 3
    assert story(2, do="join", other="1") == "Merged 1 item into a story."
    assert sorted(map(len, stories())) == [1, 2]
    assert story(3, do="join", other="999") == "There is no item 999 to merge it with."
    assert story(2, do="split") == "Removed 1 item from its story."
    assert len(stories()) == 3
    batch = re.search(r'name="batch" value="([^"]+)"', ana.get("/review/items/2").text)
    assert batch is not None
    ana.post("/review/undo", {"batch": batch[1], "back": "/review/items/2"})
    assert sorted(map(len, stories())) == [1, 2]
    assert house.visitor("rex", Role.REVIEWER).post("/review/items/2/story", {"do": "split"}).status == 403


def mark_of(page: str) -> str:
    found = re.search(r'name="revision" value="(\d+)"', page)
    assert found
    return found[1]


def test_the_queue_is_filtered_and_paged(house: Installation) -> None:
    waiting(house.store, 60)
    waiting(house.store, 2, "other")
    ana = house.visitor()

    first = ana.get("/review")
    older = re.search(r'id="further" href="([^"]+)"', first.text)
    assert older
    second = ana.get(older[1].replace("&amp;", "&"))

    assert len(marks(first.text)) == 50
    assert len(marks(second.text)) == 12
    assert len(marks(ana.get("/review?source=other").text)) == 2
    assert len(marks(ana.get("/review?q=%22of+news7%22").text)) == 1
    assert len(marks(ana.get("/review?kind=post").text)) == 0
    assert next(iter(marks(ana.get("/review?order=newest").text))) == 62
    for wrong in ("pile=x", "kind=x", "after=x", "order=x", "q=%22%22"):
        assert ana.get(f"/review?{wrong}").status == 422, wrong


def test_topics_and_countries_filter_what_waits(house: Installation) -> None:
    ids = waiting(house.store, 3)
    with house.store.engine.begin() as connection:
        tags = """topics = '["health"]', countries = '["GH"]'"""
        connection.exec_driver_sql(f"UPDATE activity SET {tags} WHERE id = {ids[1]}")
    ana = house.visitor()

    assert list(marks(ana.get("/review?topic=health").text)) == [ids[1]]
    assert list(marks(ana.get("/review?country=gh").text)) == [ids[1]]


def test_the_history_is_read_and_undone_from_its_page(house: Installation) -> None:
    waiting(house.store, 2)
    ana = house.visitor()
    mark = marks(ana.get("/review").text)[1]
    ana.post("/review/decide", {"one": f"hide {mark} 3"})

    page = ana.get("/review/history?what=hid").text
    batch = re.search(r'name="batch" value="([0-9a-f]+)"', page)
    assert batch
    undone = ana.follow(ana.post("/review/undo", {"batch": batch[1]}))

    assert "advertising or spam" in page
    assert undone.message == "Undid 1 item."
    assert "No results" in ana.get("/review/history?who=nobody").text


@pytest.mark.parametrize(
    "fields",
    [
        {"one": "explode 1:2"},
        {"one": "hide 1"},
        {"one": "hide 1:2 9x"},
        {"action": "hide"},
        {"action": "write", "item": "1:1"},
        {"action": "hide", "item": "1:1; DROP TABLE"},
        {"action": "hide", "item": f"{2**63}:1"},
        {"action": "hide", "item": [f"{n}:1" for n in range(1, 600)]},
        {"action": "pin", "item": "1:1", "until": "2020-01-01T00:00"},
        {"action": "hide", "item": "1:1", "reason": "x" * 400},
    ],
)
def test_a_decision_that_is_none_is_refused_and_changes_nothing(
    sqlite_house: Installation, fields: dict[str, str | list[str]]
) -> None:
    waiting(sqlite_house.store, 1)
    answer = sqlite_house.visitor().post("/review/decide", fields)
    assert answer.status == 422
    assert not any("hid" in line for line in audit_lines(sqlite_house.store))
