"""Test the forms for our own posts over HTTP: preview, draft, schedule and edit."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
from PIL import Image

from aggregator.domain.access.accounts import Role
from aggregator.domain.activity import Review
from tests.building import NOON
from tests.pictures import picture, size_of

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
    assert _public(house) == 404
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
    assert _public(house) == 404
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


def _picture(colour: str = "teal") -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "A camera with a name"  # the maker
    return picture(2400, 1200, "JPEG", colour, exif=exif.tobytes())


def _media(house: Installation) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(house.somebody().get("/api/v1/activities/1").text)["media"]
    return found


def _bytes_at(url: str) -> bytes:
    with urlopen(url, timeout=60) as answer:
        assert answer.headers["content-type"] == "image/webp"
        body: bytes = answer.read()
    return body


def test_a_picture_is_written_anew_and_leaves_with_its_post(house: Installation) -> None:
    ana = house.visitor(role=Role.EDITOR)
    form = {**POST, "alt": "A  closed\ndoor", "do": "publish"}
    done = ana.follow(ana.upload("/review/add", form, _picture(), "door.jpg", field="picture"))
    assert done.message == "Post published."

    (media,) = _media(house)
    assert media["alt"] == "A closed door"
    assert media["url"].startswith(f"{house.address}/uploads/")
    body = _bytes_at(media["url"])
    assert size_of(body) == ("WEBP", (1600, 800))
    assert b"camera" not in body

    kept = ana.upload("/review/items/1/edit", {**form, "alt": "A door"}, b"", "", field="picture")
    assert kept.status == 303
    assert [(each["url"], each["alt"]) for each in _media(house)] == [(media["url"], "A door")]

    with house.store.writing() as tx:
        item = tx.stream.activities.get(1)
        source = tx.polling.sources.get("desk")
        assert item is not None
        assert source is not None
        tx.stream.activities.withdraw(source.id, [item.key], "gone", house.clock())
    path = media["url"].removeprefix(house.address)
    assert house.somebody().get(path).status == 404
    assert ana.get(f"/review{path}").status == 404


def test_pictures_of_drafts_are_seen_at_the_desk_alone_and_replaced_ones_nowhere(house: Installation) -> None:
    ana = house.visitor(role=Role.EDITOR)
    form = {**POST, "alt": "A door", "do": "draft"}
    ana.upload("/review/add", form, _picture(), "a.jpg", field="picture")
    path = _stored_path(ana.get("/review/items/1/edit").text)
    page = ana.get("/review/items/1").text
    [shown] = re.findall(r'src="(/review/pictures/1/[^"]+)"', page)
    assert size_of(ana.get_bytes(shown)) == ("WEBP", (320, 160))
    assert house.somebody().get(shown).status == 303
    assert house.somebody().get(shown.removeprefix("/review")).status == 404
    assert ana.get_bytes(path)[:4] == b"RIFF"
    assert house.somebody().get(path).status == 303  # to the sign-in
    assert house.somebody().get(path.removeprefix("/review")).status == 404

    ana.upload("/review/items/1/edit", form, _picture(colour="red"), "b.jpg", field="picture")
    assert _stored_path(ana.get("/review/items/1/edit").text) != path
    assert ana.get(path).status == 404
    ana.upload("/review/items/1/edit", {**form, "without_picture": "1"}, b"", "", field="picture")
    assert "/review/uploads/" not in ana.get("/review/items/1/edit").text


def _stored_path(page: str) -> str:
    found = re.search(r'src="(/review/uploads/[0-9a-f]{32}\.webp)"', page)
    assert found
    return found[1]


def test_a_previewed_picture_is_kept_for_the_next_step(sqlite_house: Installation) -> None:
    ana = sqlite_house.visitor(role=Role.EDITOR)
    form = {**POST, "alt": "A door"}
    page = ana.upload("/review/add", {**form, "do": "preview"}, _picture(), "a.jpg", field="picture").text
    previewed = re.search(r'name="previewed" value="([^"]+)"', page)
    assert previewed
    ana.upload("/review/add", {**form, "do": "publish", "previewed": previewed[1]}, b"", "", field="picture")
    assert len(_media(sqlite_house)) == 1


@pytest.mark.parametrize(
    ("body", "alt", "complaint"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "A door", "be read"),
        (b"GIF89a and nothing else", "A door", "be read"),
        (picture(), " ", "Describe the picture"),
    ],
)
def test_what_is_no_picture_or_has_no_description_is_refused(
    sqlite_house: Installation, body: bytes, alt: str, complaint: str
) -> None:
    ana = sqlite_house.visitor(role=Role.EDITOR)
    answer = ana.upload("/review/add", {**POST, "alt": alt, "do": "publish"}, body, "a.jpg", field="picture")
    assert answer.status == 422
    assert complaint in answer.text
    with sqlite_house.store.reading() as tx:
        assert tx.polling.sources.get("desk") is None


def test_other_names_of_pictures_lead_nowhere(sqlite_house: Installation) -> None:
    for name in ("x", "../app.py", "0" * 32, f"{'0' * 32}.webp", f"{'0' * 32}.svg"):
        assert sqlite_house.somebody().get(f"/uploads/{name}").status == 404
