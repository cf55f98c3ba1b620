"""Register and use passkeys with Chromium's virtual authenticator, and send hostile messages."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.config import passwords
from aggregator.domain.access.accounts import Passkey, Role
from aggregator.review.passkey_ceremonies import RelyingParty
from tests.openid_provider import b64
from tests.reader.conftest import browser
from tests.review.conftest import PASSWORD, Visitor, installed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, CDPSession, Page

    from storage.store import Store
    from tests.review.conftest import Installation, Stopped

__all__ = ["browser"]

_OPTIONS = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def named(sqlite_store: Store, clock: Stopped) -> Iterator[Installation]:
    """Serve an installation at a host name, without which browsers make no passkeys."""
    with installed(sqlite_store, clock, host="localhost") as installation:
        with sqlite_store.writing() as tx:
            for name, role in (("ana", Role.EDITOR), ("adam", Role.ADMIN)):
                tx.access.accounts.add(name, role, passwords.hashed(PASSWORD), clock())
        yield installation


@contextmanager
def authenticator(browser: Browser, **options: Any) -> Iterator[tuple[Page, CDPSession, str]]:
    context = browser.new_context()
    context.set_default_timeout(20_000)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    added = session.send("WebAuthn.addVirtualAuthenticator", {"options": {**_OPTIONS, **options}})
    yield page, session, added["authenticatorId"]
    context.close()


def sign_in(page: Page, house: Installation, name: str = "ana") -> None:
    page.goto(f"{house.address}/review/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator(".who-am-i").wait_for()


def add_passkey(page: Page, house: Installation, name: str = "My phone") -> None:
    page.goto(f"{house.address}/review/account")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Add passkey").click()
    page.get_by_text(f"The passkey “{name}” is added.").wait_for()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_role("button", name="Sign in with a passkey").wait_for()


def notes(store: Store) -> list[tuple[str, str]]:
    with store.reading() as tx:
        return [(note["who"], note["what"]) for note in tx.moderation.audit.page()]


@pytest.mark.browser
def test_a_passkey_is_added_and_signs_in_without_a_password(browser: Browser, named: Installation) -> None:
    with authenticator(browser) as (page, _, _):
        sign_in(page, named)
        add_passkey(page, named)
        sign_out(page)
        named.clock.pass_(minutes=1)
        page.goto(f"{named.address}/review/rules")  # leads to the sign-in and back
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.locator(".who-am-i").wait_for()
        assert page.url == f"{named.address}/review/rules"
        page.goto(f"{named.address}/review/account")
        assert "last used" in (page.locator(".versions").text_content() or "")

    with named.store.reading() as tx:
        [stored] = tx.access.passkeys.of(1)
    assert (stored.name, stored.last_used) == ("My phone", named.clock())
    assert stored.sign_count > 0
    assert notes(named.store)[0] == ("ana", "signed in")


@pytest.mark.browser
def test_several_passkeys_are_removed_one_by_one(browser: Browser, named: Installation) -> None:
    with authenticator(browser) as (page, session, first):
        sign_in(page, named)
        add_passkey(page, named, "Laptop")
        page.goto(f"{named.address}/review/account/passkeys")
        page.get_by_role("button", name="Add passkey").click()
        page.get_by_text("This device already has a passkey for your account.").wait_for()
        session.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": first})
        session.send("WebAuthn.addVirtualAuthenticator", {"options": {**_OPTIONS, "transport": "usb"}})
        add_passkey(page, named, "Key")
        page.get_by_role("button", name="Remove passkey Laptop").click()
        page.get_by_text("The passkey “Laptop” is removed.").wait_for()

    with named.store.reading() as tx:
        assert [passkey.name for passkey in tx.access.passkeys.of(1)] == ["Key"]


@pytest.mark.browser
def test_a_passkey_is_the_second_factor_where_the_user_wants_it(browser: Browser, named: Installation) -> None:
    with authenticator(browser) as (page, _, _):
        sign_in(page, named)
        add_passkey(page, named)
        page.get_by_label("Ask for a passkey after the password").check()
        page.get_by_role("button", name="Save setting of passkeys").click()
        page.get_by_text("Your password alone is not enough now.").wait_for()
        sign_out(page)

        wrong = Visitor(named.address).sign_in("ana", "a wrong password")
        right = Visitor(named.address).sign_in("ana")
        assert "Incorrect name or password." in wrong.text
        assert right.status == 422
        assert "Now use your passkey to sign in." in right.text
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.locator(".who-am-i").wait_for()

        page.goto(f"{named.address}/review/account")
        page.get_by_role("button", name="Remove passkey My phone").click()
        page.get_by_text("is removed.").wait_for()
    assert Visitor(named.address).sign_in("ana").status == 303  # removing the last one locks no user out


@pytest.mark.browser
def test_a_user_who_is_not_verified_is_refused(browser: Browser, named: Installation) -> None:
    with authenticator(browser) as (page, session, id_):
        sign_in(page, named)
        add_passkey(page, named)
        sign_out(page)
        session.send("WebAuthn.setUserVerified", {"authenticatorId": id_, "isUserVerified": False})
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.get_by_text("No passkey was used. Try again, or choose another way.").wait_for()


def answered(page: Page, path: str = "/review/sign-in/passkey") -> dict[str, str]:
    """Return the fields that the script would send."""
    page.evaluate("HTMLFormElement.prototype.submit = function () { window.sent = this; }")
    page.locator(f"form[action$='{path}'] button").click()
    page.wait_for_function("window.sent")
    fields: dict[str, str] = page.evaluate("Object.fromEntries(new FormData(window.sent))")
    return fields


def browsers_visitor(page: Page, house: Installation) -> Visitor:
    """Return a visitor with the cookies of a page."""
    visitor = Visitor(house.address)
    header = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in page.context.cookies())
    usual = visitor._ask

    def ask(request: Any) -> Any:
        request.add_header("Cookie", header)
        return usual(request)

    visitor._ask = ask  # type: ignore[method-assign]
    return visitor


@pytest.mark.browser
def test_messages_are_accepted_once_in_time_in_their_browser(browser: Browser, named: Installation) -> None:
    with authenticator(browser) as (page, _, _):
        sign_in(page, named)
        add_passkey(page, named)
        sign_out(page)
        fields = answered(page)
        csrf = fields.pop("csrf")
        own = browsers_visitor(page, named)
        changed = json.loads(fields["credential"])
        changed["response"]["signature"] = changed["response"]["signature"][:-8] + "AAAAAAAA"
        elsewhere = Visitor(named.address)
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', elsewhere.get("/review/sign-in").text)
        assert token

        def post(**values: str) -> int:
            return own.post("/review/sign-in/passkey", {**fields, **values}, csrf=csrf).status

        assert elsewhere.post("/review/sign-in/passkey", fields, csrf=token[1]).status == 422
        assert post(challenge=fields["challenge"][:-1] + "0") == 422
        assert post(challenge="") == 422
        assert post() == 303
        assert post() == 422  # the challenge was used

        page.goto(f"{named.address}/review/sign-in")
        fields = answered(page)
        fields.pop("csrf")
        assert post(credential=json.dumps(changed)) == 422
        assert post() == 422  # a failed attempt has used it, too

        page.goto(f"{named.address}/review/sign-in")
        fields = answered(page)
        fields.pop("csrf")
        named.clock.pass_(minutes=6)
        assert post() == 422  # too late


@pytest.mark.browser
def test_a_counter_that_does_not_grow_is_a_copied_passkey(browser: Browser, named: Installation) -> None:
    with authenticator(browser) as (page, session, id_):
        sign_in(page, named)
        add_passkey(page, named)
        sign_out(page)
        [copied] = session.send("WebAuthn.getCredentials", {"authenticatorId": id_})["credentials"]
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.locator(".who-am-i").wait_for()
        sign_out(page)
        session.send("WebAuthn.removeCredential", {"authenticatorId": id_, "credentialId": copied["credentialId"]})
        session.send("WebAuthn.addCredential", {"authenticatorId": id_, "credential": {**copied, "signCount": 0}})
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.get_by_text("The passkey was not accepted.").wait_for()


@pytest.mark.browser
def test_a_disabled_user_and_a_restricted_one_are_refused(browser: Browser, named: Installation) -> None:
    with authenticator(browser) as (page, _, _):
        sign_in(page, named)
        add_passkey(page, named)
        sign_out(page)
        with named.store.writing() as tx:
            tx.access.accounts.change(1, disabled=named.clock())
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.get_by_text("This passkey is not registered here.").wait_for()


@pytest.mark.parametrize(
    ("credential", "status"),
    [
        ("", 422), ("{}", 422), ("[]", 422), ('{"id": 1}', 422), ("[" * 10_000, 422), ('{"id": "AAAA"}', 422),
        ('{"id": "AAAA", "response": null}', 422), ("x" * 20_000, 422), ('{"id": "' + "A" * 5000 + '"}', 422),
    ],
)  # fmt: skip
def test_hostile_messages_are_refused(named: Installation, credential: str, status: int) -> None:
    stranger = Visitor(named.address)
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', stranger.get("/review/sign-in").text)
    options = json.loads(stranger.get("/review/sign-in/passkey").text)
    assert token

    fields = {"challenge": options["challenge"], "credential": credential}
    answer = stranger.post("/review/sign-in/passkey", fields, csrf=token[1])

    assert answer.status == status
    assert options["options"]["userVerification"] == "required"
    assert options["options"]["rpId"] == "localhost"


@pytest.mark.parametrize("authenticator_data", [b"", b"\xff", b"\x05", b"\xa1\x63fmt\x05", b"\x81" * 5000])
def test_hostile_messages_about_new_passkeys_are_refused(named: Installation, authenticator_data: bytes) -> None:
    ana = Visitor(named.address)
    ana.sign_in("ana")
    challenge = json.loads(ana.get("/review/account/passkeys/options").text)["challenge"]
    client = {"type": "webauthn.create", "challenge": b64(challenge.encode()), "origin": named.address}
    message = {
        "id": "AAAA",
        "rawId": "AAAA",
        "type": "public-key",
        "response": {
            "clientDataJSON": b64(json.dumps(client).encode()),
            "attestationObject": b64(authenticator_data),
        },
    }
    answer = ana.post("/review/account/passkeys", {"challenge": challenge, "credential": json.dumps(message)})
    assert answer.status == 422
    assert "message about the new passkey is invalid" in answer.text


def test_a_password_alone_confirms_nothing_where_the_user_wants_a_passkey(named: Installation) -> None:
    ana = Visitor(named.address)
    ana.sign_in("ana")
    with named.store.writing() as tx:
        tx.access.passkeys.add(Passkey(0, 1, "AAAA", "Phone", b"key", 0, named.clock()))
        tx.access.accounts.require_passkey(1, required=True)
    named.clock.pass_(minutes=11)
    assert ana.post("/review/account/passkeys/required").headers["location"] == "/review/confirm"
    page = ana.get("/review/confirm").text
    assert 'action="/review/confirm/passkey"' in page
    assert 'type="password"' not in page
    refused = ana.post("/review/confirm", {"password": PASSWORD})
    assert refused.status == 422
    assert "Your password alone is not enough." in refused.text
    assert ana.post("/review/confirm/continue").headers["location"] == "/review/confirm"


def test_guesses_are_paused(named: Installation) -> None:
    stranger = Visitor(named.address)
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', stranger.get("/review/sign-in").text)
    assert token
    answers = [
        stranger.post("/review/sign-in/passkey", {"challenge": "x", "credential": "{}"}, csrf=token[1])
        for _ in range(22)
    ]
    assert [answer.status for answer in answers] == [422] * 20 + [429] * 2
    assert int(answers[-1].headers["retry-after"]) > 0


def test_passkeys_need_a_site_with_a_name_and_encryption() -> None:
    assert RelyingParty.of("https://stream.example/news") == RelyingParty("stream.example", "https://stream.example")
    assert RelyingParty.of("http://localhost:8080") == RelyingParty("localhost", "http://localhost:8080")
    for url in (None, "http://stream.example", "https://192.0.2.7", "https://[::1]:8080"):
        assert RelyingParty.of(url) is None


def test_without_a_name_there_are_no_passkeys(sqlite_house: Installation) -> None:
    ana = sqlite_house.visitor("ana")
    assert "passkey" not in ana.get("/review/account").text.lower()
    assert ana.get("/review/account/passkeys").status == 404
    assert "passkey" not in sqlite_house.somebody().get("/review/sign-in").text.lower()
