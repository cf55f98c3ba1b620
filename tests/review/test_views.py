"""Test the layout of the queue and saved views over HTTP, on both databases."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aggregator.domain.access.desk_settings import MOST_VIEWS
from tests.review.test_queue import marks, waiting

if TYPE_CHECKING:
    from tests.review.conftest import Installation


def test_the_layout_is_remembered_for_the_user_alone(house: Installation) -> None:
    ids = waiting(house.store, 60)
    ana, ben = house.visitor(), house.visitor("ben")
    assert len(marks(ana.get("/review").text)) == 50

    answer = ana.post("/review/layout", {"layout": "list", "back": "/review?pile=all"})

    assert answer.headers["location"] == "/review?pile=all"
    page = ana.get("/review").text
    assert list(marks(page)) == ids
    assert 'class="seen line' in page
    assert 'class="seen line' not in ben.get("/review").text


def test_a_view_is_saved_replaced_and_deleted(house: Installation) -> None:
    waiting(house.store, 2)
    ana, ben = house.visitor(), house.visitor("ben")
    saved = ana.follow(ana.post("/review/views", {"name": " From  news ", "back": "/review?source=news"}))
    assert saved.message == "The view “From news” is saved."
    assert 'href="/review?source=news" aria-current="true"' in saved.text

    ana.follow(ana.post("/review/views", {"name": "From news", "back": "/review?source=news&kind=article"}))
    page = ana.get("/review").text
    assert page.count("From news") == 2  # its link, and its deletion
    assert "/review?source=news&amp;kind=article" in page
    assert "From news" not in ben.get("/review").text

    (delete,) = re.findall(r'action="(/review/views/\d+/delete)"', page)
    assert ben.post(delete).status == 404
    assert ana.follow(ana.post(delete)).message == "The view is deleted."
    assert "From news" not in ana.get("/review").text


def test_views_lead_to_the_queue_alone_and_are_limited(sqlite_house: Installation) -> None:
    ana = sqlite_house.visitor()
    for elsewhere in ("https://evil.example/", "//evil.example", "/review/people", "/review?x=\r\nSet-Cookie: a"):
        assert ana.post("/review/views", {"name": "x", "back": elsewhere}).headers["location"] == "/review"
    for number in range(MOST_VIEWS - 1):
        assert ana.post("/review/views", {"name": f"n{number}", "back": "/review"}).status == 303
    refused = ana.post("/review/views", {"name": "another", "back": "/review"})
    assert refused.status == 422
    assert "delete one first" in refused.text
    assert ana.post("/review/views", {"name": "x", "back": "/review?kind=video"}).status == 303  # replaces


def test_an_empty_tab_names_what_would_be_there(sqlite_house: Installation) -> None:
    ana = sqlite_house.visitor()
    assert "Nothing is assigned to you" in ana.get("/review?pile=mine").text
    assert "No items are waiting at present." in ana.get("/review?pile=mine").text
    assert "Nothing is hidden" in ana.get("/review?pile=hidden").text
    assert "No results" in ana.get("/review?pile=mine&q=word").text
    waiting(sqlite_house.store, 1)
    assert "reserves the items that have waited longest" in ana.get("/review?pile=mine").text


def test_the_decision_on_one_item_of_several_is_undone(house: Installation) -> None:
    ids = waiting(house.store, 3)
    ana = house.visitor()
    seen = marks(ana.get("/review").text)
    ana.post("/review/decide", {"action": "hide", "item": list(seen.values())})

    undone = ana.follow(ana.post("/review/undo", {"undo_item": str(ids[1])}))

    assert undone.message == "Undid 1 item."
    assert list(marks(undone.text)) == [ids[1]]
    assert "Last action: hid 2 items." in undone.text
    assert ana.follow(ana.post("/review/undo", {"undo_item": str(ids[1])})).message == "Nothing to undo."
    rest = ana.follow(ana.post("/review/undo"))
    assert rest.message.startswith("Undid 2 items.")
    assert list(marks(rest.text)) == ids


def test_a_user_asks_for_the_daily_summary(house: Installation) -> None:
    ana = house.visitor()
    for wrong in ("ana", "ana@portal.example\r\nBcc: all@portal.example", "a@b@c", "ana@portal.example,ben@b.example"):
        assert ana.post("/review/account/email", {"email": wrong}).status == 422, wrong
    assert ana.post("/review/account/digest", {"digest": "1"}).status == 422

    saved = ana.follow(ana.post("/review/account/email", {"email": "ana@portal.example"}))
    done = ana.follow(ana.post("/review/account/digest", {"digest": "1"}))

    assert "no mail server is configured" in saved.message
    assert done.message == "Settings saved."
    assert 'value="ana@portal.example"' in done.text
    with house.store.writing() as tx:
        account = tx.access.accounts.get("ana")
        assert account is not None
        settings = tx.access.settings.get(account.id)
        assert (settings.digest, settings.digest_sent, settings.email_confirmed) == (True, house.clock(), None)
    with house.store.reading() as tx:
        assert "portal.example" not in str([note["detail"] for note in tx.moderation.audit.page()])
