"""Test that attempts to sign in are limited, and delay no other user."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from aggregator.config import passwords

if TYPE_CHECKING:
    import pytest

    from tests.review.conftest import Installation


def _many(house: Installation, count: int, name: str, password: str) -> list[int]:
    """Sign in concurrently and return the responses."""
    visitor = house.somebody()
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', visitor.get("/review/sign-in").text)
    assert token
    fields = {"name": name, "password": password}

    def sign_in(number: int) -> int:
        named = {**fields, "name": fields["name"].format(number)}
        return visitor.post("/review/sign-in", named, csrf=token[1]).status

    with ThreadPoolExecutor(count) as clients:
        return list(clients.map(sign_in, range(count)))


def test_of_many_attempts_at_once_no_more_are_tried_than_may_fail(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.visitor("ana")
    fits = passwords.fits
    tried: list[str] = []

    def counted(hash_: str | None, password: str) -> bool:
        tried.append(password)
        return fits(hash_, password)

    monkeypatch.setattr(passwords, "fits", counted)
    answers = _many(house, 100, "ana", "a wrong password")
    assert len(tried) == 5
    assert sorted(answers) == [422] * 5 + [429] * 95


def test_good_sign_ins_from_one_address_count_as_no_failure(sqlite_house: Installation) -> None:
    """A whole office may have one."""
    sqlite_house.visitor("ana")
    for _ in range(25):
        assert sqlite_house.somebody().sign_in("ana").status == 303


def test_passwords_that_are_tried_keep_nobody_waiting(
    sqlite_house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = sqlite_house.visitor("ana")
    may_end = threading.Event()

    def slow(_hash: str | None, _password: str) -> bool:
        may_end.wait(20)
        return False

    monkeypatch.setattr(passwords, "fits", slow)
    with ThreadPoolExecutor(1) as aside:
        guesses = aside.submit(_many, sqlite_house, 60, "guess{}", "a wrong password")
        try:
            for path in ("/review/account", "/api/v1/activities", "/healthz"):
                assert ana.get(path).status == 200
            assert not guesses.done()
        finally:
            may_end.set()
        assert set(guesses.result()) <= {422, 429}
