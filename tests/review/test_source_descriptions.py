"""Test descriptions of images at the desk: by editors, in the stream, and the report for a publisher."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.activity import Media
from aggregator.domain.descriptions import image_key
from tests.building import add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from tests.review.conftest import Installation

SEA, CITY = "https://pictures.example/sea.jpg", "https://pictures.example/city.jpg"


def _published(house: Installation) -> int:
    source = add_source(house.store)
    media = (Media("image", SEA), Media("image", CITY, alt="A city"))
    ingest_now(house.store, source, [an_activity("a", media=media), an_activity("b")])
    with house.store.reading() as tx:
        return tx.stream.activities.known(source.id, ["a"])["a"].id


def _form(page: str) -> dict[str, str]:
    revision = re.search(r'name="revision" value="(\d+)"', page)
    assert revision
    return {"revision": revision[1]}


def test_editors_describe_an_image_and_readers_see_by_whom(house: Installation) -> None:
    id_ = _published(house)
    ana = house.visitor(role=Role.EDITOR)
    path, field = f"/review/items/{id_}", f"alt-{image_key(SEA)}"
    page = ana.get(path).text
    assert f'name="{field}"' in page
    assert f'name="alt-{image_key(CITY)}"' not in page

    fields = {**_form(page), field: "Waves  at\nthe pier", f"alt-{image_key(CITY)}": "not mine to describe"}
    done = ana.follow(ana.post(f"{path}/descriptions", fields))

    assert done.message == "Saved the image descriptions of 1 item."
    assert "Image descriptions by the editors." in done.text
    assert "Image descriptions: <ins>Waves at the pier</ins>" in done.text
    public = house.somebody().get(f"/api/v1/activities/{id_}", headers={"Accept": "application/json"})
    item = json.loads(public.text)
    assert [media["alt"] for media in item["media"]] == ["Waves at the pier", "A city"]
    assert item["editors"]["described_images"] == [SEA]
    assert 'alt="Waves at the pier"' in house.somebody().get(f"/activities/{id_}").text
    with house.store.reading() as tx:
        notes = json.dumps([note["detail"] for note in tx.moderation.audit.page()])
    assert "pictures.example" not in notes

    undone = ana.follow(ana.post("/review/undo"))
    assert "Image descriptions by the editors." not in undone.text


def test_descriptions_outlast_an_edit_and_leave_with_the_item(house: Installation) -> None:
    id_ = _published(house)
    ana = house.visitor(role=Role.EDITOR)
    path = f"/review/items/{id_}"
    ana.post(f"{path}/descriptions", {**_form(ana.get(path).text), f"alt-{image_key(SEA)}": "Waves"})
    with house.store.reading() as tx:
        source = tx.polling.sources.get("news")
    assert source is not None

    again = an_activity("a", title="Another title", media=(Media("image", SEA),))
    ingest_now(house.store, source, [replace(again, entry_digest="2")])
    with house.store.writing() as tx:
        item = tx.stream.activities.get(id_)
        assert item is not None
        assert [media.alt for media in item.content.media] == ["Waves"]
        tx.stream.activities.withdraw(source.id, [item.key], "gone", house.clock())
        gone = tx.stream.activities.get(id_)
    assert gone is not None
    assert gone.descriptions == {}


def test_the_report_names_what_the_publisher_left_undescribed(house: Installation) -> None:
    id_ = _published(house)
    ana = house.visitor(role=Role.EDITOR)
    path = f"/review/items/{id_}"
    ana.post(f"{path}/descriptions", {**_form(ana.get(path).text), f"alt-{image_key(SEA)}": "Waves"})

    assert "1 of 2 images have no description by their publisher" in ana.get("/review/sources/news/descriptions").text
    text = ana.get("/review/sources/news/descriptions.txt")
    assert text.headers["content-type"].startswith("text/plain")
    assert f"without description: {SEA}" in text.text
    assert CITY not in text.text
    add_source(house.store, "empty")
    assert "No images" in ana.get("/review/sources/empty/descriptions").text
    assert ana.get("/review/sources/none/descriptions").status == 404
