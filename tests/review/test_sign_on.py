"""Test sign-ins at a provider of OpenID Connect, over HTTP and in Chromium."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from aggregator.config import passwords
from aggregator.domain.access.accounts import Role
from aggregator.services.doctor.sign_in_checks import check_sign_on
from tests.openid_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    OpenIdProvider,
    unsigned,
)
from tests.reader.conftest import browser
from tests.review.conftest import PASSWORD, Visitor, installed
from tests.review.sign_on_house import (
    MIRA,
    ProviderVisitor,
    complaint,
    desk_at,
    house,
    provider,
    who_is,
)
from tests.services.doctor.subjects import codes, subject

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from storage.store import Store
    from tests.review.conftest import Installation, Stopped

__all__ = ["browser", "house", "provider"]


def test_a_user_of_a_group_signs_in_with_its_role(house: Installation, provider: OpenIdProvider) -> None:
    mira = ProviderVisitor(house.address)

    answer = mira.sign_in_there()

    assert answer.headers["location"] == "/review"
    assert who_is(mira.get("/review")) == "mira.s"
    with house.store.reading() as tx:
        account = tx.access.accounts.by_subject(provider.issuer, MIRA["sub"])
        assert account is not None
        settings = tx.access.settings.get(account.id)
        notes = [(note["who"], note["what"]) for note in tx.moderation.audit.page()]
    assert (account.role, account.last_sign_in) == (Role.EDITOR, house.clock())
    assert (settings.email, settings.email_confirmed) == ("mira@example.org", house.clock())
    assert notes == [("mira.s", "signed in"), ("Harbor ID", "added an account")]


def test_roles_follow_groups_at_each_sign_in(house: Installation, provider: OpenIdProvider) -> None:
    first = ProviderVisitor(house.address)
    first.sign_in_there()
    provider.users["mira"]["groups"] = ["web", "comms"]
    second = ProviderVisitor(house.address)
    second.sign_in_there()
    assert second.get("/review/people").status == 200
    assert first.get("/review").status == 303  # sessions with another role have ended

    provider.users["mira"]["groups"] = ["staff"]
    refused = ProviderVisitor(house.address).sign_in_there()
    assert refused.status == 422
    assert "in no group that may use the review desk" in complaint(refused)


def test_a_user_is_never_merged_with_an_account_of_the_same_name_or_address(
    house: Installation, provider: OpenIdProvider
) -> None:
    local = house.visitor("adam", Role.VIEWER)
    with house.store.writing() as tx:
        tx.access.settings.change(1, email="mira@example.org", email_confirmed=house.clock())
    root, mira = ProviderVisitor(house.address), ProviderVisitor(house.address)
    root.sign_in_there("root")
    mira.sign_in_there()
    provider.users["other"] = {**MIRA, "sub": "another"}
    other = ProviderVisitor(house.address)
    other.sign_in_there("other")

    assert [who_is(visitor.get("/review")) for visitor in (local, root, mira, other)] == [
        "adam", "adam-2", "mira.s", "mira.s-2",
    ]  # fmt: skip
    assert Visitor(house.address).sign_in("adam-2").status == 422


def test_a_deactivated_user_is_refused(house: Installation) -> None:
    mira = ProviderVisitor(house.address)
    mira.sign_in_there()
    with house.store.writing() as tx:
        tx.access.accounts.change(1, disabled=house.clock())

    assert mira.get("/review").status == 303
    assert "deactivated" in complaint(ProviderVisitor(house.address).sign_in_there())


def test_only_the_issuers_own_private_address_is_reached(house: Installation, provider: OpenIdProvider) -> None:
    provider.published["jwks_uri"] = provider.issuer.replace("127.0.0.1", "127.0.0.2") + "/jwks"
    answer = ProviderVisitor(house.address).sign_in_there()
    assert "not responding" in complaint(answer)
    assert "GET /jwks" not in provider.requests


def test_groups_may_be_in_userinfo_only(house: Installation, provider: OpenIdProvider) -> None:
    provider.in_userinfo = frozenset({"groups", "email", "email_verified"})
    visitor = ProviderVisitor(house.address)
    assert visitor.sign_in_there().status == 303
    assert who_is(visitor.get("/review")) == "mira.s"


@pytest.mark.parametrize(
    ("in_token", "verified"),
    [({"email": "mira@example.org"}, True), ({"email": "boss@example.org"}, False), ({"email_verified": True}, False)],
)
def test_an_address_is_verified_only_where_it_is_named(
    house: Installation, provider: OpenIdProvider, in_token: dict[str, Any], verified: bool
) -> None:
    provider.in_userinfo = frozenset({"groups", "email", "email_verified"})
    provider.claimed = in_token
    provider.users["mira"]["email_verified"] = "email" in in_token
    assert ProviderVisitor(house.address).sign_in_there().status == 303
    with house.store.reading() as tx:
        assert (tx.access.settings.get(1).email is not None) == verified


def test_domains_restrict_who_signs_in(
    sqlite_store: Store, clock: Stopped, provider: OpenIdProvider, tmp_path: Path
) -> None:
    with desk_at(sqlite_store, clock, provider, tmp_path, AGGREGATOR_OIDC_EMAIL_DOMAINS="example.org") as (house, _):
        assert ProviderVisitor(house.address).sign_in_there().status == 303
        provider.users["mira"]["email_verified"] = False
        assert "e-mail address" in complaint(ProviderVisitor(house.address).sign_in_there())
        provider.users["mira"] |= {"email_verified": True, "email": "mira@example.org.evil.example"}
        assert "e-mail address" in complaint(ProviderVisitor(house.address).sign_in_there())


def test_only_named_accounts_use_a_password(
    sqlite_store: Store, clock: Stopped, provider: OpenIdProvider, tmp_path: Path
) -> None:
    with sqlite_store.writing() as tx:
        for name in ("rescue", "ana"):
            tx.access.accounts.add(name, Role.ADMIN, passwords.hashed(PASSWORD), clock())
    with desk_at(sqlite_store, clock, provider, tmp_path) as (house, _):
        before = Visitor(house.address)
        assert before.sign_in("ana").status == 303
        assert before.get("/review").status == 200
    with desk_at(sqlite_store, clock, provider, tmp_path, AGGREGATOR_LOCAL_SIGN_IN="rescue") as (house, _):
        assert Visitor(house.address).sign_in("rescue").status == 303
        refused = Visitor(house.address).sign_in("ana")
        assert "Incorrect name or password." in refused.text
        assert Visitor(house.address, before.jar).get("/review").status == 303  # the session has ended
    with desk_at(sqlite_store, clock, provider, tmp_path, AGGREGATOR_LOCAL_SIGN_IN="none") as (house, _):
        page = Visitor(house.address).get("/review/sign-in").text
        assert "Harbor ID" in page
        assert 'type="password"' not in page
        assert "passkey" not in page
        assert Visitor(house.address).sign_in("rescue").status == 403


def test_sessions_of_a_former_provider_end(
    sqlite_store: Store, clock: Stopped, provider: OpenIdProvider, tmp_path: Path
) -> None:
    with desk_at(sqlite_store, clock, provider, tmp_path) as (house, _):
        mira = ProviderVisitor(house.address)
        mira.sign_in_there()
        assert mira.get("/review").status == 200
    with desk_at(sqlite_store, clock, provider, tmp_path) as (house, _):
        assert Visitor(house.address, mira.jar).get("/review").status == 200
    other = {"AGGREGATOR_OIDC_ISSUER": "https://id.example"}
    with desk_at(sqlite_store, clock, provider, tmp_path, **other) as (house, _):
        assert Visitor(house.address, mira.jar).get("/review").status == 303
    with installed(sqlite_store, clock, host="localhost") as house:
        assert Visitor(house.address, mira.jar).get("/review").status == 303


def test_the_password_stays_if_the_provider_is_away(house: Installation, provider: OpenIdProvider) -> None:
    provider.published["issuer"] = "https://gone.example"
    house.visitor("rescue", Role.ADMIN)
    assert Visitor(house.address).get("/review/sign-in/provider").status == 503


def test_an_outage_of_the_provider_pauses_nobody(house: Installation, provider: OpenIdProvider) -> None:
    visitor = ProviderVisitor(house.address)
    provider.published["token_endpoint"] = provider.issuer + "/away"
    for _ in range(22):
        answer = visitor.sign_in_there()
        assert (answer.status, complaint(answer)) == (503, "The sign-in service is not responding. Try again later.")
    with house.store.reading() as tx:
        assert list(tx.moderation.audit.page()) == []
        assert tx.access.accounts.blocked(["sign-on:127.0.0.1"], house.clock()) is None


def test_signing_out_leads_to_the_provider(house: Installation) -> None:
    mira = ProviderVisitor(house.address)
    mira.sign_in_there()

    page = mira.post("/review/sign-out")

    found = re.search(r'href="([^"]+/end\?[^"]+)"', page.text)
    assert found
    query = parse_qs(urlsplit(found[1].replace("&amp;", "&")).query)
    assert query["post_logout_redirect_uri"] == [f"{house.address}/review/sign-in"]
    assert query["client_id"] == [CLIENT_ID]
    assert query["id_token_hint"][0].count(".") == 2
    assert mira.get("/review").status == 303
    with house.store.reading() as tx:
        assert tx.access.accounts.close_at_provider(1, None) == 0


def _session_of(house: Installation) -> tuple[ProviderVisitor, ProviderVisitor]:
    return ProviderVisitor(house.address), ProviderVisitor(house.address)


def test_the_provider_ends_sessions(house: Installation, provider: OpenIdProvider) -> None:
    here, there = _session_of(house)
    here.sign_in_there()
    there.sign_in_there()
    provider.claimed["sid"] = "a-session-of-its-own"
    third = ProviderVisitor(house.address)
    third.sign_in_there()

    def announce(token: str) -> int:
        return Visitor(house.address).post("/review/sign-in/ended", {"logout_token": token}, csrf="").status

    token = provider.logout_token(sid="a-session-of-its-own", sub=MIRA["sub"])
    assert announce(token) == 200
    assert third.get("/review").status == 303
    assert here.get("/review").status == 200
    assert announce(token) == 400  # once
    for wrong in (
        provider.logout_token(sub=MIRA["sub"], nonce="x"),
        provider.logout_token(sub=MIRA["sub"], events={}),
        provider.logout_token(sub=MIRA["sub"], aud="other"),
        provider.logout_token(sub=MIRA["sub"], iss="https://evil.example"),
        provider.logout_token(sub=MIRA["sub"], jti=None),
        provider.logout_token(),
        provider.logout_token(sub=MIRA["sub"], sid=7),
        provider.logout_token(sub=7),
        provider.logout_token(sub=MIRA["sub"], iat=int(provider.now()) - 90_000, exp=10**15),
        unsigned({"sub": MIRA["sub"]}),
        "",
    ):
        assert announce(wrong) == 400
    assert there.get("/review").status == 200
    assert announce(provider.logout_token(sub="unknown", exp=10**400)) == 200
    assert announce(provider.logout_token(sub=MIRA["sub"])) == 200
    assert here.get("/review").status == there.get("/review").status == 303


def test_nothing_secret_is_stored_in_clear(house: Installation, sqlite_store: Store) -> None:
    mira = ProviderVisitor(house.address)
    path = mira.callback(mira.begin(), "mira")
    assert mira.get(path).status == 303
    code, state = (parse_qs(urlsplit(path).query)[name][0] for name in ("code", "state"))
    lines: list[bytes] = []
    sqlite_store.dump(lines.append)
    everything = b"".join(lines).decode()
    assert MIRA["sub"] in everything
    for secret in (code, state, CLIENT_SECRET, "eyJ"):
        assert secret not in everything


@pytest.mark.browser
def test_through_a_browser_with_a_confirmation_and_sign_out(browser: Browser, house: Installation) -> None:
    """A form that needs a confirmation is kept while the user is at the provider."""
    context = browser.new_context()
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto(f"{house.address}/review/people")
    page.get_by_role("link", name="Sign in with Harbor ID").click()
    page.get_by_label("User").fill("root")
    page.get_by_role("button", name="Continue").click()
    page.locator(".who-am-i").wait_for()
    assert page.url == f"{house.address}/review/people"

    house.clock.pass_(minutes=11)
    page.get_by_role("textbox", name="Name").fill("zoe")
    page.get_by_label("Role").last.select_option("editor")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("heading", name="Confirm that it is you").wait_for()
    page.get_by_role("link", name="Confirm at Harbor ID").click()
    page.get_by_role("heading", name="Sign in to the provider").wait_for()  # although there is a session there
    page.get_by_label("User").fill("root")
    page.get_by_role("button", name="Continue").click()
    page.get_by_text("Your changes are not saved yet.").wait_for()
    page.get_by_role("button", name="Continue").click()
    page.get_by_text("Give this link to zoe").wait_for()
    with house.store.reading() as tx:
        added = tx.access.accounts.get("zoe")
    assert added is not None
    assert added.role is Role.EDITOR

    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_role("link", name="Sign out of Harbor ID, too").click()
    page.get_by_role("link", name="Sign in with Harbor ID").wait_for()
    assert page.url == f"{house.address}/review/sign-in"
    page.get_by_role("link", name="Sign in with Harbor ID").click()
    page.get_by_role("heading", name="Sign in to the provider").wait_for()  # the session there has ended
    context.close()


def test_a_confirmation_must_be_fresh_and_by_the_same_user(house: Installation, provider: OpenIdProvider) -> None:
    root = ProviderVisitor(house.address)
    root.sign_in_there("root")
    house.clock.pass_(minutes=11)
    sent = root.post("/review/people", {"name": "zoe", "role": "viewer"})
    assert sent.headers["location"] == "/review/confirm"

    address = root.begin("/review/confirm/sign-on")
    query = parse_qs(urlsplit(address).query)
    assert (query["prompt"], query["max_age"]) == (["login"], ["0"])
    other = root.get(root.callback(address, "mira"))
    assert "another user" in complaint(other)

    provider.claimed["auth_time"] = int((house.clock() - timedelta(minutes=11)).timestamp())
    stale = root.get(root.callback(root.begin("/review/confirm/sign-on"), "root"))
    assert "did not ask you to sign in again" in complaint(stale)
    provider.claimed = {"auth_time": None}
    without = root.get(root.callback(root.begin("/review/confirm/sign-on"), "root"))
    assert "did not ask you to sign in again" in complaint(without)
    assert root.post("/review/confirm/continue").headers["location"] == "/review/confirm"

    provider.claimed = {}
    done = root.get(root.callback(root.begin("/review/confirm/sign-on"), "root"))
    assert done.headers["location"] == "/review/confirm"
    assert "zoe" in root.post("/review/confirm/continue").text
    with house.store.reading() as tx:
        assert tx.access.accounts.get("zoe") is not None


def test_the_doctor_finds_what_is_wrong(
    sqlite_store: Store, clock: Stopped, provider: OpenIdProvider, tmp_path: Path
) -> None:
    with desk_at(sqlite_store, clock, provider, tmp_path) as (_, container):

        def found() -> set[str]:
            usual = subject({}, check_provider=container.check_sign_on)
            return codes(check_sign_on, replace(usual, settings=container.settings))

        assert found() == set()
        provider.published["jwks_uri"] = f"{provider.issuer}/nowhere"
        assert found() == set()  # the description is cached
    with desk_at(sqlite_store, clock, provider, tmp_path, AGGREGATOR_OIDC_GROUPS="a=viewer") as (_, container):
        assert found() == {"sign-on-unusable", "sign-on-without-admins"}
        provider.published.clear()
    with desk_at(sqlite_store, clock, provider, tmp_path) as (_, container):
        provider.redirect_urls.clear()
        assert found() == {"sign-on-redirect-unknown"}
    unencrypted = {"AGGREGATOR_PUBLIC_URL": "http://desk.example"}
    with desk_at(sqlite_store, clock, provider, tmp_path, **unencrypted) as (_, container):
        assert found() == {"sign-on-redirect-unknown", "sign-on-redirect-insecure"}
    assert codes(check_sign_on, subject({"LOCAL_SIGN_IN": "none"})) == {"sign-in-impossible"}
