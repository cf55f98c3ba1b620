"""Test the forms for our own posts over HTTP: preview, draft, schedule and edit."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.activity import Review
from tests.building import NOON

if TYPE_CHECKING:
    from tests.review.conftest import Installation

POST = {"title": "Office closed", "text": "On <b>Friday</b>.", "lang": "en"}


def _public(house: Installation) -> int:
    return house.somebody().get("/api/v1/activities/1").status


def test_a_preview_shows_the_card_and_stores_nothing(house: Installation) -> None:
    ana = house.visitor(role=Role.EDITOR)
    page = ana.post("/review/add", {**POST, "do": "preview"})
    assert page.status == 200
    assert 'class="card card-article"' in page.text
    assert "On &lt;b&gt;Friday&lt;/b&gt;." in page.text
    assert 'value="Office closed"' in page.text
    with house.store.reading() as tx:
        assert [len(tx.stream.activities.in_review(review, 10)) for review in Review] == [0, 0, 0, 0]


def test_a_draft_waits_for_its_publication(house: Installation) -> None:
    ana = house.visitor(role=Role.EDITOR)
    done = ana.follow(ana.post("/review/add", {**POST, "do": "draft"}))
    assert done.message == "Draft saved."
    assert "a draft of ana" in done.text
    assert _public(house) == 410
    assert "Office closed" in ana.get("/review?pile=hidden&source=desk").text
    assert "Publish now" in ana.get("/review/items/1/edit").text

    shown = ana.follow(ana.post("/review/items/1/edit", {**POST, "do": "publish"}))
    assert shown.message == "Post published."
    assert _public(house) == 200
    assert "Publish now" not in ana.get("/review/items/1/edit").text


def test_a_post_is_scheduled_in_the_time_zone_of_the_desk(house: Installation) -> None:
    ana = house.visitor(role=Role.EDITOR)
    done = ana.follow(ana.post("/review/add", {**POST, "do": "schedule", "due": "2026-03-03T09:30"}))
    assert done.message == "Post scheduled for March 3, 2026, 9:30 AM."
    assert "Published automatically on" in done.text
    assert 'name="due" value="2026-03-03T09:30"' in ana.get("/review/items/1/edit").text
    house.clock.now = NOON + timedelta(days=1)
    with house.store.writing() as tx:
        tx.moderation.reviews.apply_due(house.clock())
    assert _public(house) == 410
    house.clock.now = NOON + timedelta(days=2)
    with house.store.writing() as tx:
        tx.moderation.reviews.apply_due(house.clock())
    assert _public(house) == 200


def test_times_that_can_not_be_are_refused(sqlite_house: Installation) -> None:
    ana = sqlite_house.visitor(role=Role.EDITOR)
    for due in ("", "2026-03-01T09:30", "2028-01-01T00:00", "soon"):
        refused = ana.post("/review/add", {**POST, "do": "schedule", "due": due})
        assert refused.status == 422, due
        assert 'value="Office closed"' in refused.text
    with sqlite_house.store.reading() as tx:
        assert tx.polling.sources.get("desk") is None


def test_drafts_need_an_editor(sqlite_house: Installation) -> None:
    assert sqlite_house.visitor().post("/review/add", {**POST, "do": "draft"}).status == 403
