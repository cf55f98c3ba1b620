"""Test the table of sources over HTTP."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from tests.building import add_source
from tests.counting import counted_statements

if TYPE_CHECKING:
    from tests.review.conftest import Installation


def _shown(text: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/review/sources/([^"]+)"', text)


def test_sources_are_sorted_and_paged(house: Installation) -> None:
    for number in range(60):
        add_source(house.store, f"s{number:02}", name=f"Source {59 - number:02}")
    ana = house.visitor()

    first = ana.get("/review/sources?state=active").text
    assert _shown(first) == [f"s{number:02}" for number in range(59, 9, -1)]
    (more,) = re.findall(r'href="(/review/sources[^"]*after=[^"]*)"', first)
    assert _shown(ana.get(more.replace("&amp;", "&")).text) == [f"s{number:02}" for number in range(9, -1, -1)]
    assert 'aria-sort="ascending"><a href="/review/sources?sort=folder"' in ana.get("/review/sources?sort=folder").text
    assert ana.get("/review/sources?sort=color").status == 422


def test_sources_are_grouped_into_folders(house: Installation) -> None:
    for slug in ("a", "b", "c"):
        add_source(house.store, slug)
    with house.store.writing() as tx:
        managed = tx.polling.sources.get("c")
        assert managed is not None
        tx.polling.sources.change(managed.id, managed="sources.toml")
    ana = house.visitor(role=Role.EDITOR)

    done = ana.follow(ana.post("/review/sources/folder", {"slug": ["a", "b", "c"], "folder": " Ministries  of state "}))

    assert done.message == "2 sources are in the folder “Ministries of state”."
    assert _shown(done.text) == ["a", "b"]
    assert "Folder: Ministries of state" in re.sub(r"<[^>]+>", "", ana.get("/review/history").text)
    gone = ana.follow(ana.post("/review/sources/folder", {"slug": "a", "folder": ""}))
    assert gone.message == "1 source is in no folder."
    assert _shown(ana.get("/review/sources?folder=Ministries+of+state").text) == ["b"]
    assert ana.post("/review/sources/folder", {"folder": "x"}).status == 422


def test_any_number_of_sources_takes_the_same_number_of_queries(sqlite_house: Installation) -> None:
    ana = sqlite_house.visitor()

    def statements() -> int:
        with counted_statements(sqlite_house.store) as seen:
            ana.get("/review/sources?sort=folder")
        return len(seen)

    for number in range(2):
        add_source(sqlite_house.store, f"s{number}")
    few = statements()
    for number in range(2, 40):
        add_source(sqlite_house.store, f"s{number}")
    assert statements() == few
