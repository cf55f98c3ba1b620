"""Test the queue and reviewers' actions over HTTP."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.source import Policy
from tests.building import add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.store import Store
    from tests.review.conftest import Installation


def waiting(store: Store, count: int, slug: str = "news") -> list[int]:
    source = add_source(store, slug, policy=Policy.HOLD)
    ingest_now(store, source, [an_activity(f"{slug}{n}") for n in range(count)])
    with store.reading() as tx:
        known = tx.stream.activities.known(source.id, [f"{slug}{n}" for n in range(count)])
    return [known[f"{slug}{n}"].id for n in range(count)]


def eventually(holds: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Return whether something comes true within some seconds: readers keep answers for a moment."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def marks(text: str) -> dict[int, str]:
    return {int(id_): f"{id_}:{rev}" for id_, rev in re.findall(r'data-mark="(\d+):(\d+)"', text)}


def test_an_approved_item_is_shown_and_undo_takes_it_back(house: Installation) -> None:
    (id_,) = waiting(house.store, 1)
    ana = house.visitor()
    page = ana.get("/review")
    assert "Title news0" in page.text
    assert house.somebody().get(f"/api/v1/activities/{id_}").status == 404

    done = ana.follow(ana.post("/review/decide", {"one": f"approve {marks(page.text)[id_]}", "back": "/review"}))
    assert done.message == "Approved 1 item."
    assert house.somebody().get(f"/api/v1/activities/{id_}").status == 200

    undone = ana.follow(ana.post("/review/undo"))
    assert undone.message == "Undid 1 item."
    assert "Title news0" in undone.text
    assert eventually(lambda: house.somebody().get(f"/api/v1/activities/{id_}").status == 404)


def test_everything_about_an_item_is_on_its_page(house: Installation) -> None:
    (id_,) = waiting(house.store, 1)
    ana = house.visitor(role=Role.EDITOR)
    mark = marks(ana.get("/review").text)[id_]
    ana.post("/review/decide", {"one": f"hide {mark} 3"})

    page = ana.get(f"/review/items/{id_}")

    assert "Not published: advertising or spam." in page.text
    assert "hid it: " in page.text
    assert "Original ID" in page.text
