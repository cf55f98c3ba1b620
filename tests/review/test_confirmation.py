"""Test that users prove again who they are before they change accounts, and lose nothing meanwhile."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.access.accounts import Role
from tests.reader.conftest import browser
from tests.review.conftest import PASSWORD, installed
from tests.review.sign_on_house import complaint
from tests.review.test_passkeys import add_passkey, authenticator, named, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from storage.store import Store
    from tests.review.conftest import Installation, Stopped

__all__ = ["browser", "named"]
ZOE = {"name": "zoe", "role": "editor"}


def names(house: Installation) -> list[str]:
    with house.store.reading() as tx:
        return [account.name for account in tx.access.accounts.all()]


def test_a_form_waits_for_the_password(house: Installation) -> None:
    admin = house.visitor("adam", Role.ADMIN)
    assert admin.post("/review/people", {"name": "early", "role": "viewer"}).status == 200  # just signed in
    house.clock.pass_(minutes=10, seconds=1)

    sent = admin.post("/review/people", ZOE)
    assert "What you entered is kept" in admin.follow(sent).text
    wrong = admin.post("/review/confirm", {"password": "a wrong password"})
    assert names(house) == ["adam", "early"]
    done = admin.post("/review/confirm", {"password": PASSWORD})

    assert sent.headers["location"] == "/review/confirm"
    assert (wrong.status, complaint(wrong)) == (422, "The password is incorrect.")
    assert "Give this link to" in done.text
    assert names(house) == ["adam", "early", "zoe"]
    with house.store.reading() as tx:
        found = tx.access.accounts.get("zoe")
    assert found is not None
    assert found.role is Role.EDITOR
    assert admin.post("/review/people/zoe/role", {"role": "viewer"}).status == 303  # confirmed for ten minutes
    assert admin.post("/review/confirm/continue").headers["location"] == "/review/account"  # once


def test_what_waits_is_encrypted_and_belongs_to_its_session(house: Installation) -> None:
    admin = house.visitor("adam", Role.ADMIN)
    house.clock.pass_(minutes=11)
    admin.post("/review/people", {"name": "a-rare-name", "role": "viewer"})
    lines: list[bytes] = []
    house.store.dump(lines.append)
    assert b"a-rare-name" not in b"".join(lines)

    other = house.somebody()
    other.sign_in("adam")
    assert other.post("/review/confirm/continue").headers["location"] == "/review/account"
    assert admin.post("/review/confirm/continue").headers["location"] == "/review/confirm"  # not confirmed
    house.clock.pass_(minutes=16)
    done = admin.post("/review/confirm", {"password": PASSWORD})
    assert done.headers["location"] == "/review/account"  # it has waited too long
    assert names(house) == ["adam"]


def test_what_waits_is_checked_again(house: Installation) -> None:
    """The role may be lost meanwhile, and so may the user that the form is about."""
    admin = house.visitor("adam", Role.ADMIN)
    house.clock.pass_(minutes=11)
    admin.post("/review/people/gone/role", {"role": "viewer"})
    assert admin.post("/review/confirm", {"password": PASSWORD}).status == 404

    house.clock.pass_(minutes=11)
    admin.post("/review/people", ZOE)
    with house.store.writing() as tx:
        tx._connection.exec_driver_sql("UPDATE account SET role = 'viewer' WHERE name = 'adam'")
    assert admin.post("/review/confirm", {"password": PASSWORD}).status == 403
    assert names(house) == ["adam"]


def test_what_waits_is_sent_once_however_often_it_is_asked_for(house: Installation) -> None:
    admin = house.visitor("adam", Role.ADMIN)
    house.clock.pass_(minutes=11)
    admin.post("/review/people", ZOE)
    with house.store.writing() as tx:
        tx._connection.exec_driver_sql("UPDATE session SET confirmed = last_used")
    token, answers = admin.csrf(), []

    def resume() -> None:
        answers.append(admin.post("/review/confirm/continue", csrf=token))

    threads = [threading.Thread(target=resume) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answer.status for answer in answers) == [200, 303, 303, 303, 303, 303]


def test_a_user_who_signs_out_leaves_nothing_that_waits(house: Installation) -> None:
    admin = house.visitor("adam", Role.ADMIN)
    house.clock.pass_(minutes=11)
    admin.post("/review/people", ZOE)
    admin.post("/review/sign-out")
    admin.sign_in("adam")
    assert admin.post("/review/confirm/continue").headers["location"] == "/review/account"
    assert names(house) == ["adam"]


def test_guesses_are_paused(sqlite_house: Installation) -> None:
    admin = sqlite_house.visitor("adam", Role.ADMIN)
    sqlite_house.clock.pass_(minutes=11)
    answers = [admin.post("/review/confirm", {"password": "a wrong password"}).status for _ in range(6)]
    assert answers == [422] * 5 + [429]
    assert admin.post("/review/confirm", {"password": PASSWORD}).status == 429


@pytest.mark.parametrize(
    "path",
    [
        "/review/people", "/review/people/ana/role", "/review/people/ana/email", "/review/people/ana/link",
        "/review/people/ana/passkeys", "/review/people/ana/totp", "/review/people/ana/disabled",
        "/review/account/email", "/review/account/totp", "/review/account/totp/codes", "/review/account/totp/remove",
        "/review/account/passkeys/required", "/review/account/passkeys/1/remove", "/review/connections",
        "/review/connections/x/remove",
    ],
)  # fmt: skip
def test_changes_of_accounts_need_a_confirmation(sqlite_house: Installation, path: str) -> None:
    admin = sqlite_house.visitor("adam", Role.ADMIN)
    sqlite_house.clock.pass_(minutes=11)
    assert admin.post(path, {"email": "x@y.example"}).headers["location"] == "/review/confirm"


def test_a_form_that_is_too_large_is_not_kept(sqlite_house: Installation) -> None:
    admin = sqlite_house.visitor("adam", Role.ADMIN)
    sqlite_house.clock.pass_(minutes=11)
    assert admin.post("/review/people", {"name": "x" * 70_000}).status == 409


def test_below_a_path_prefix(sqlite_store: Store, clock: Stopped) -> None:
    with installed(sqlite_store, clock, public_url="http://portal.example/news") as house:
        admin = house.visitor("adam", Role.ADMIN)
        house.clock.pass_(minutes=11)
        assert admin.post("/review/people", ZOE).headers["location"] == "/news/review/confirm"
        assert "/news/review/new-password?token=" in admin.post("/review/confirm", {"password": PASSWORD}).text
    with installed(sqlite_store, clock, public_url="https://portal.example/news") as house:
        stranger = house.somebody()
        page = stranger.get("/review/sign-in").text
        assert 'data-options="/news/review/sign-in/passkey"' in page


@pytest.mark.browser
def test_a_passkey_confirms(browser: Browser, named: Installation) -> None:
    with authenticator(browser) as (page, _, _):
        sign_in(page, named, "adam")
        add_passkey(page, named)
        named.clock.pass_(minutes=11)
        page.goto(f"{named.address}/review/people")
        page.get_by_role("textbox", name="Name").fill("zoe")
        page.get_by_role("button", name="Add", exact=True).click()
        page.get_by_role("button", name="Use a passkey").click()
        page.get_by_text("Give this link to zoe").wait_for()

        named.clock.pass_(minutes=11)
        page.goto(f"{named.address}/review/account")
        page.get_by_role("link", name="Add a passkey").click()  # a page that needs a confirmation
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Confirm").click()
        page.get_by_role("heading", name="Add a passkey").wait_for()
    assert "zoe" in names(named)
