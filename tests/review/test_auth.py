"""Test access to the desk: sign-in, sessions, roles and forms."""

from __future__ import annotations

import http.client
import re
from typing import TYPE_CHECKING

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Route

from aggregator.config import passwords
from aggregator.domain.access.accounts import Role
from aggregator.domain.secrets import Secret
from aggregator.review.auth import safe_next
from tests.review.conftest import PASSWORD, Installation, Visitor, installed

if TYPE_CHECKING:
    from storage.store import Store
    from tests.review.conftest import Stopped

OPEN = {"/review/sign-in", "/review/sign-in/code", "/review/new-password", "/review/confirm-email"}  # without a session
VALUES = {
    "key": "user-1",
    "item_id": "1",
    "rule_id": "1",
    "slug": "news",
    "name": "zoe",
    "freeze_id": "1",
    "incident_id": "1",
    "view_id": "1",
    "passkey_id": "1",
}


def posts(house: Installation) -> list[str]:
    """Every path of the desk that takes a form, as it stands in the app: a new one can't be forgotten."""
    found = [
        re.sub(r"\{(\w+)\}", lambda match: VALUES[match[1]], route.path)
        for route in house.desk.router.routes
        if isinstance(route, Route | APIRoute) and "POST" in (route.methods or ())
    ]
    assert len(found) > 20
    return [path for path in found if path not in OPEN]


def state(store: Store) -> tuple[object, ...]:
    with store.reading() as tx:
        return (
            tx.stream.state.revision(), len(tx.moderation.audit.page(limit=1000, what="hid")),
            tx.moderation.rules.all(), [*tx.polling.sources.each()],
            tx.access.accounts.all(), tx.moderation.freezes.recent(10),
        )  # fmt: skip


def test_nothing_is_changed_without_sign_in_token_or_by_another_site(sqlite_house: Installation) -> None:
    house = sqlite_house
    admin, other = house.visitor("adam", Role.ADMIN), house.visitor("eve", Role.ADMIN)
    before = state(house.store)
    token, foreign = admin.csrf(), other.csrf()

    for path in posts(house):
        assert house.somebody().post(path, csrf="x").status == 401, path
        assert admin.post(path, csrf="").status == 403, path
        assert admin.post(path, csrf=foreign).status == 403, path
        assert admin.post(path, csrf=token[:-1] + ("1" if token.endswith("0") else "0")).status == 403, path
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
            assert admin.post(path, csrf=token, headers=headers).status == 403, path
    assert state(house.store) == before


def test_every_change_needs_its_role(sqlite_house: Installation) -> None:
    house = sqlite_house
    visitors = {role: house.visitor(role.value, role) for role in Role}
    tokens = {role: visitor.csrf() for role, visitor in visitors.items()}
    before = state(house.store)
    roles = house.desk.state.roles.items()
    needed = {re.sub(r"\{(\w+)\}", lambda match: VALUES[match[1]], path): role for path, role in roles}
    own = {
        *("/review/sign-out", "/review/account", "/review/account/sign-out-everywhere"),
        *("/review/account/digest", "/review/layout", "/review/views", "/review/views/1/delete"),
        *("/review/account/passkeys/required", "/review/account/passkeys/1/remove"),
        *("/review/account/totp", "/review/account/totp/codes", "/review/account/totp/remove"),
        *("/review/confirm", "/review/confirm/continue", "/review/account/email", "/review/account/email/again"),
    }

    for path in posts(house):
        for role in Role:
            if role.may(needed[path]):
                continue
            answer = visitors[role].post(path, csrf=tokens[role])
            assert answer.status == 403, (path, role)
            assert f"This needs the role {needed[path]}" in answer.text
    assert {path for path in posts(house) if needed[path] is Role.VIEWER} == own
    assert state(house.store) == before


def test_forms_of_a_former_key_are_accepted_as_long_as_it_is_listed(sqlite_store: Store, clock: Stopped) -> None:
    keys = [Secret("the former key of this installation")]
    with installed(sqlite_store, clock, keys=keys) as house:
        ana = house.visitor("ana")
        former = ana.csrf()
        keys.insert(0, Secret("the present key of this installation"))
        assert ana.csrf() not in {former, ""}  # still signed in
        assert ana.post("/review/account", csrf=former).status not in {401, 403}
        keys.pop()
        assert ana.post("/review/account", csrf=former).status == 403
        assert ana.post("/review/sign-out").status == 303


def test_pages_lead_to_the_sign_in_and_back(sqlite_house: Installation) -> None:
    sqlite_house.visitor("ana", Role.VIEWER)
    stranger = sqlite_house.somebody()

    sent = stranger.get("/review/rules?x=1")
    assert (sent.status, sent.headers["location"]) == (303, "/review/sign-in?next=/review/rules%3Fx%3D1")
    done = stranger.sign_in("ana", next="/review/rules?x=1")
    assert done.headers["location"] == "/review/rules?x=1"


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/", "//evil.example/review", "/review//evil.example", "/\\evil.example", "/reviewer",
        "/review/../..//evil", "javascript:alert(1)", "/review\nSet-Cookie: a=b", "/review/%2f%2fevil", " /review", "",
        "/review@evil.example", "/api/v1/activities",
    ],
)  # fmt: skip
def test_signing_in_leads_nowhere_else(path: str) -> None:
    assert safe_next(path) == "/review"


def test_a_session_known_before_is_worth_nothing_after(sqlite_house: Installation) -> None:
    ana = sqlite_house.visitor("ana")
    first = {cookie.name: cookie.value for cookie in ana.jar}["desk"]
    ana.post("/review/sign-out")
    victim = sqlite_house.somebody()
    answer = victim.get("/review/sign-in", {"Cookie": f"desk={first}", "Accept": "text/html"})
    assert answer.status == 200  # no session
    victim.sign_in("ana")

    assert {cookie.name: cookie.value for cookie in victim.jar}["desk"] != first
    assert sqlite_house.somebody().get("/review", {"Cookie": f"desk={first}"}).status == 303


def test_cookies_are_kept_from_scripts_and_other_sites(sqlite_store: Store, clock: Stopped) -> None:
    with installed(sqlite_store, clock, public_url="https://stream.example") as house:
        with house.store.writing() as tx:
            tx.access.accounts.add("ana", Role.VIEWER, passwords.hashed(PASSWORD), clock())
        page = house.somebody().get("/review/sign-in")
        form = page.headers["set-cookie"]
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
        assert token
        cookie = {"Cookie": form.partition(";")[0], "Origin": "https://stream.example"}
        fields = {"name": "ana", "password": PASSWORD}
        done = house.somebody().post("/review/sign-in", fields, csrf=token[1], headers=cookie)

    session = done.headers["set-cookie"]
    assert session.startswith("__Host-desk=")
    for part in ("HttpOnly", "Secure", "Path=/", "SameSite=lax"):
        assert part in session
    assert "Domain" not in session
    assert form.startswith("__Host-desk-form=")


def test_no_page_is_kept_framed_or_scripted_by_others(sqlite_house: Installation) -> None:
    admin = sqlite_house.visitor("adam", Role.ADMIN)
    pages = [
        "",
        "/rules",
        "/rules/new",
        "/sources",
        "/sources/add",
        "/freezes",
        "/history",
        "/people",
        "/account",
        "/add",
    ]

    for path in [f"/review{page}" for page in pages] + ["/review/nothing", "/review/items/99"]:
        answer = admin.get(path)
        assert answer.status in {200, 404}, path
        assert answer.headers["cache-control"] == "no-store", path
        assert answer.headers["x-frame-options"] == "DENY", path
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=|javascript:", answer.text), path


def test_signing_in_fails_slower_and_slower_but_not_for_others(house: Installation) -> None:
    house.visitor("ana")
    guesser = house.somebody()

    answers = [guesser.sign_in("ana", "a wrong password").status for _ in range(7)]
    right = guesser.sign_in("ana")
    house.clock.pass_(seconds=31)
    after = house.somebody().sign_in("ana")

    assert answers == [422] * 5 + [429] * 2
    assert right.status == 429
    assert int(right.headers["retry-after"]) <= 31
    assert "Too many failed sign-ins. Try again in 31 seconds." in right.text
    assert after.status == 303


def test_pauses_double_up_to_a_quarter_of_an_hour(sqlite_house: Installation) -> None:
    sqlite_house.visitor("ana")
    waits: list[int] = []
    for _ in range(7):
        answers = [sqlite_house.somebody().sign_in("ana", "a wrong password") for _ in range(6 if not waits else 2)]
        answer = answers[-1]
        assert answer.status == 429
        waits.append(int(answer.headers["retry-after"]) - 1)
        sqlite_house.clock.pass_(seconds=waits[-1] + 1)

    assert waits[:5] == [30, 60, 120, 240, 480]
    assert max(waits) == 900


def test_who_does_not_exist_is_not_told_from_who_does(sqlite_house: Installation) -> None:
    sqlite_house.visitor("ana")

    known = sqlite_house.somebody().sign_in("ana", "a wrong password").text
    unknown = sqlite_house.somebody().sign_in("nobody", "a wrong password").text

    def plain(page: str) -> str:
        return re.sub(r'value="[^"]*"', "", page)

    assert plain(known) == plain(unknown)


def test_guesses_of_the_current_password_are_paused(sqlite_house: Installation) -> None:
    ana = sqlite_house.visitor("ana")
    fields = {"former": "a wrong password", "password": "a very different one", "again": "a very different one"}
    assert [ana.post("/review/account", fields).status for _ in range(6)] == [422] * 5 + [429]
    assert ana.post("/review/account", {**fields, "former": PASSWORD}).status == 429
    sqlite_house.clock.pass_(minutes=1)
    assert ana.post("/review/account", {**fields, "former": PASSWORD}).status == 303


def test_a_new_password_ends_every_other_session(sqlite_house: Installation) -> None:
    here = sqlite_house.visitor("ana")
    there = Visitor(sqlite_house.address)
    there.sign_in("ana")
    fields = {"former": PASSWORD, "password": "a very different one", "again": "a very different one"}

    done = here.post("/review/account", fields)

    assert done.status == 303
    assert here.follow(done).status == 200
    assert there.get("/review").status == 303
    assert Visitor(sqlite_house.address).sign_in("ana").status == 422
    assert Visitor(sqlite_house.address).sign_in("ana", "a very different one").status == 303


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"former": "wrong", "password": "x" * 12, "again": "x" * 12}, "is incorrect"),
        ({"former": PASSWORD, "password": "correct staple 1", "again": "correct staple 2"}, "do not match"),
        ({"former": PASSWORD, "password": "short", "again": "short"}, "12 to 256 characters"),
        ({"former": PASSWORD, "password": "aaaaaaaaaaaaaaa", "again": "aaaaaaaaaaaaaaa"}, "too easy to guess"),
        ({"former": PASSWORD, "password": "anastasia12345", "again": "anastasia12345"}, "too easy to guess"),
    ],
)
def test_a_poor_password_is_refused(sqlite_house: Installation, fields: dict[str, str], message: str) -> None:
    answer = sqlite_house.visitor("ana").post("/review/account", fields)
    assert answer.status == 422
    assert message in answer.text


def test_sessions_end_by_themselves(sqlite_house: Installation) -> None:
    idle = sqlite_house.visitor("ana")
    busy = sqlite_house.visitor("ben")
    for _ in range(12):
        sqlite_house.clock.pass_(hours=1, seconds=-1)
        assert busy.get("/review").status == 200
    assert idle.get("/review").status == 303
    sqlite_house.clock.pass_(minutes=5)
    assert busy.get("/review").status == 303


def test_who_is_disabled_is_out_at_once(sqlite_house: Installation) -> None:
    ana, admin = sqlite_house.visitor("ana"), sqlite_house.visitor("adam", Role.ADMIN)
    assert ana.get("/review").status == 200

    admin.post("/review/people/ana/disabled", {"to": "off"})

    assert ana.get("/review").status == 303
    assert Visitor(sqlite_house.address).sign_in("ana").status == 422


def test_an_admin_makes_people_and_no_admin_locks_the_last_one_out(sqlite_house: Installation) -> None:
    admin = sqlite_house.visitor("adam", Role.ADMIN)

    made = admin.post("/review/people", {"name": "zoe", "role": "editor"})
    link = re.search(r'<code class="secret">http://[^/]+([^<]+)</code>', made.text)
    own = admin.post("/review/people/adam/role", {"role": "viewer"})

    assert link
    zoe = Visitor(sqlite_house.address)
    assert 'value="zoe"' in zoe.get(link[1]).text
    fields = {"password": "a very different one", "again": "a very different one"}
    assert zoe.post(link[1], fields, csrf=zoe.open_csrf(link[1])).status == 200
    assert zoe.sign_in("zoe", "a very different one").status == 303
    assert own.status == 409
    assert admin.get("/review/people").status == 200


def test_sign_ins_are_in_the_history_and_passwords_nowhere(house: Installation) -> None:
    house.visitor("ana")
    house.somebody().sign_in("ana", "a wrong password")
    house.somebody().sign_in("my password 1234", "ana")  # typed into the wrong field

    with house.store.reading() as tx:
        text = [(note["who"], note["what"], note["subject"]) for note in tx.moderation.audit.page()]
        everything = str(tx.moderation.audit.page())
    assert text == [
        ("somebody", "failed to sign in", "account:unknown"),
        ("somebody", "failed to sign in", "account:ana"),
        ("ana", "signed in", "account:ana"),
    ]
    assert "password" not in everything


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/json"}, b"{}", 422),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--", 422),
        ({}, b"a=" + b"x" * 300_000, 422),
        ({}, b"&".join(b"a=1" for _ in range(4000)), 422),
        ({}, b"csrf=%ff%fe", 422),
    ],
)
def test_forms_that_are_none_are_refused(
    sqlite_house: Installation, headers: dict[str, str], body: bytes, status: int
) -> None:
    connection = http.client.HTTPConnection(sqlite_house.address.removeprefix("http://"), timeout=60)
    usual = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    connection.request("POST", "/review/decide", body, {**usual, **headers})
    answer = connection.getresponse()
    assert answer.status == status
    answer.read()
    connection.close()
