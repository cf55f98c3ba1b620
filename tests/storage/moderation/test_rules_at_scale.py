"""Test the preview of a rule over a hundred thousand items."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from aggregator.domain.moderation.conditions import Condition, Field
from aggregator.domain.moderation.rules import Action, Rule
from storage.store import Store
from tests.building import NOON, add_source
from tests.conftest import _database, _migrate
from tests.storage.moderation.test_rules import CASINO, IS, MATCHES, _some, brought, preview

if TYPE_CHECKING:
    from collections.abc import Iterator

_BATCH = 5_000  # rows per statement


@pytest.mark.slow
@pytest.mark.parametrize(
    "condition",
    [CASINO, Condition(Field.TEXT, MATCHES, "casin[o0]"), Condition(Field.AUTHOR, IS, "@jose")],
    ids=["text", "expression", "author"],
)
def test_a_hundred_thousand_items_are_rehearsed_in_seconds(many: Store, condition: Condition) -> None:
    start = time.perf_counter()
    result = preview(many, Rule(0, "r", Action.HIDE, (condition,)), NOON + timedelta(days=1))
    took = time.perf_counter() - start

    assert result.looked_at == 100_000
    print(f"{took:.2f} s")
    assert took < 60  # about one on an idle machine


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Give a store with 100,000 activities of a month."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('many') / 'many.sqlite3'}"
        _migrate(url)
        with closing(Store.open(url)) as store:
            _fill(store)
            yield store
        return
    server, template = (request.getfixturevalue(name) for name in ("postgresql_server", "postgresql_template"))
    with _database(server, template) as url, closing(Store.open(url)) as store:
        _fill(store)
        yield store


def _fill(store: Store) -> None:
    brought(store, add_source(store), [_some(1), replace(_some(2), native_id="casino")])
    columns = [
        "source_id", "native_id", "key", "kind", "network", "actor_id", "url", "title", "text", "html", "lang",
        "published", "detail", "search_text", "first_seen", "entry_digest", "fingerprint", "position",
        "revision", "upstream", "review", "review_by", "review_reason", "visible",
    ]  # fmt: skip
    numbers = (
        "SELECT value FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS value"
        if store.engine.dialect.name == "postgresql"
        else "WITH RECURSIVE n(value) AS (SELECT :first UNION ALL SELECT value + 1 FROM n WHERE value < :last) "
        "SELECT value FROM n"
    )
    long = (
        "'The words of an article of a usual length that go on. ' || text || "
        "' and on and on, until there are about as many of them as in a post or the beginning of a text.'"
    )
    chosen = {
        "native_id": "'m' || value", "key": "'web:m' || value", "text": long, "search_text": f"lower({long})",
        "revision": "value",
    }  # fmt: skip
    selected = ", ".join(chosen.get(name, f"activity.{name}") for name in columns)
    insert = text(
        f"INSERT INTO activity ({', '.join(columns)}) SELECT {selected} FROM ({numbers}) AS numbers "
        "CROSS JOIN activity WHERE activity.id = (SELECT min(id) FROM activity)"
    )
    for first in range(1, 99_999, _BATCH):  # one statement for all would take longer than the server allows
        with store.engine.begin() as connection:
            connection.execute(insert, {"first": first, "last": min(first + _BATCH - 1, 99_998)})
