"""Test ids in forms and paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.domain.access.accounts import Role
from aggregator.review.form import id_in

if TYPE_CHECKING:
    from tests.review.conftest import Installation


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("7", 7, id="an id"),
        pytest.param(str(2**63 - 1), 2**63 - 1, id="the largest"),
        pytest.param(str(2**63), None, id="above the largest"),
        pytest.param("0", None, id="zero"),
        pytest.param("9" * 5000, None, id="endless"),
        pytest.param("²", None, id="no decimal"),
        pytest.param("7\n", None, id="a line feed"),
        pytest.param("", None, id="empty"),
    ],
)
def test_only_ids_are_ids(text: str, expected: int | None) -> None:
    assert id_in(text) == expected


@pytest.mark.parametrize("path", ["rules/{}/delete", "freezes/{}/end", "items/{}/words", "incidents/{}/mute"])
def test_an_endless_id_in_a_path_is_not_found(sqlite_house: Installation, path: str) -> None:
    ana = sqlite_house.visitor("ana", Role.ADMIN)
    assert ana.post("/review/" + path.format("9" * 5000), {}).status == 404
