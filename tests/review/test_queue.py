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
    assert "<title>Title news0 " in page.text
    assert '<h1 dir="auto">Title news0</h1>' in page.text
    assert re.search(r"ana</bdi></strong> hid .*Reason: .*advertising or spam", page.text)
    assert "Original ID" in page.text


def test_one_form_hides_an_item_or_everything_from_its_author(house: Installation) -> None:
    ids = waiting(house.store, 3)
    ana = house.visitor(role=Role.EDITOR)
    revision = marks(ana.get("/review").text)[ids[0]].partition(":")[2]
    page = ana.get(f"/review/items/{ids[0]}").text
    assert page.count('class="danger"') == 1

    done = ana.post(f"/review/items/{ids[0]}/hide", {"revision": revision, "reason": "3", "words": "an old notice"})
    assert "Not published: an old notice." in ana.follow(done).text
    again = ana.follow(ana.post(f"/review/items/{ids[0]}/hide", {"revision": revision, "reason": "3"}))
    assert "You hid item" in again.message

    all_ = ana.post(f"/review/items/{ids[1]}/hide", {"revision": "0", "reason": "3", "scope": "author"})
    assert ana.follow(all_).message == "Hid 2 items. A rule hides new items from News Desk."
    assert "Not published: advertising or spam." in ana.get(f"/review/items/{ids[2]}").text


def test_another_story_is_found_by_its_words(house: Installation) -> None:
    ids = waiting(house.store, 3)
    ana = house.visitor(role=Role.EDITOR)

    page = ana.get(f"/review/items/{ids[0]}?story=news2").text
    revision = re.search(r'name="revision" value="(\d+)"', page)
    assert f'name="other" value="{ids[2]}"' in page
    assert f'name="other" value="{ids[1]}"' not in page
    assert revision
    ana.post(f"/review/items/{ids[0]}/story", {"revision": revision[1], "do": "join", "other": str(ids[2])})

    members = ana.get(f"/review/items/{ids[0]}").text.partition('id="story-title"')[2]
    assert f'<a href="/review/items/{ids[2]}" dir="auto">Title news2</a>' in members
    assert "No results for “casino”." in ana.get(f"/review/items/{ids[0]}?story=casino").text
    assert 'class="complaint"' in ana.get(f"/review/items/{ids[0]}?story=%22").text
