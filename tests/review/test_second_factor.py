"""Sign in with codes of an authenticator app and recovery codes, over HTTP and in Chromium."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import threading
from typing import TYPE_CHECKING

import pytest

from aggregator.config.credential_encryption import HeaderCipher
from aggregator.domain.access.accounts import Passkey, Role
from aggregator.domain.secrets import Secret
from aggregator.services.reencryption import reencrypt
from tests.building import NOON
from tests.review.conftest import PASSWORD, SECRET, installed
from tests.review.sign_on_house import complaint

if TYPE_CHECKING:
    from datetime import datetime

    from storage.store import Store
    from tests.review.conftest import Answer, Installation, Stopped, Visitor


def code_at(key: str, now: datetime, steps: int = 0) -> str:
    """Compute a code as RFC 6238 describes, independently of the library."""
    counter = struct.pack(">Q", int(now.timestamp()) // 30 + steps)
    mac = hmac.new(base64.b32decode(key.replace(" ", "")), counter, hashlib.sha1).digest()
    start = mac[-1] & 15
    return f"{(int.from_bytes(mac[start : start + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def value_of(name: str, page: Answer) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found, page.text
    return found[1]


def key_in(page: Answer) -> str:
    found = re.search(r'Key: <code class="secret">([A-Z2-7 ]+)</code>', page.text)
    assert found, page.text
    return found[1].replace(" ", "")


def set_up(house: Installation, visitor: Visitor) -> tuple[str, list[str]]:
    """Set up an app; return its key and the recovery codes. The next code is valid when the function returns."""
    page = visitor.get("/review/account/totp")
    key = key_in(page)
    fields = {"sealed": value_of("sealed", page), "code": code_at(key, house.clock())}
    done = visitor.post("/review/account/totp", fields)
    assert done.status == 200, done.text
    house.clock.pass_(seconds=30)
    return key, re.findall(r"<li><code>([A-Z2-7-]{19})</code></li>", done.text)


def enter(visitor: Visitor, page: Answer, code: str) -> Answer:
    fields = {"token": value_of("token", page), "code": code}
    return visitor.post("/review/sign-in/code", fields, csrf=value_of("csrf", page))


def is_in(visitor: Visitor) -> bool:
    return visitor.get("/review").status == 200


def notes(store: Store) -> list[tuple[str, str, object]]:
    with store.reading() as tx:
        return [(note["who"], note["what"], note["detail"].get("with")) for note in tx.moderation.audit.page()]


def test_the_password_is_not_enough(house: Installation) -> None:
    ana = house.visitor("ana")
    key, codes = set_up(house, ana)
    assert len(set(codes)) == 10
    assert "10 recovery codes left" in ana.get("/review/account").text

    visitor = house.somebody()
    page = visitor.sign_in("ana", next="/review/rules")
    assert page.status == 200
    assert not is_in(visitor)
    wrong = enter(visitor, page, "000000" if code_at(key, house.clock()) != "000000" else "000001")
    assert wrong.status == 422
    assert "The code is incorrect" in complaint(wrong)
    assert not is_in(visitor)
    done = enter(visitor, page, code_at(key, house.clock()))
    assert done.headers["location"] == "/review/rules"
    assert is_in(visitor)
    assert notes(house.store)[0] == ("ana", "signed in", "the password and a code")
    assert ("ana", "added an authenticator app", None) in notes(house.store)


def test_a_code_is_accepted_once_within_one_step(house: Installation) -> None:
    key, _ = set_up(house, house.visitor("ana"))

    def status(steps: int) -> int:
        visitor = house.somebody()
        return enter(visitor, visitor.sign_in("ana"), code_at(key, house.clock(), steps)).status

    house.clock.pass_(minutes=5)
    assert [status(steps) for steps in (-2, 2)] == [422, 422]
    assert [status(steps) for steps in (-1, -1, 0, 0, 1, 0, 1)] == [303, 422, 303, 422, 303, 422, 422]


def test_the_first_code_can_not_be_used_again(sqlite_house: Installation) -> None:
    key, _ = set_up(sqlite_house, sqlite_house.visitor("ana"))
    visitor = sqlite_house.somebody()
    assert enter(visitor, visitor.sign_in("ana"), code_at(key, sqlite_house.clock(), -1)).status == 422


def test_concurrent_uses_of_a_code_let_one_in(house: Installation) -> None:
    """Each on PostgreSQL and SQLite, with an app's code and with a recovery code."""
    key, codes = set_up(house, house.visitor("ana"))
    for code in (code_at(key, house.clock()), codes[0]):
        visitors = [house.somebody() for _ in range(4)]
        pages = [visitor.sign_in("ana") for visitor in visitors]
        results: list[int] = []

        def use(visitor: Visitor, page: Answer, code: str, results: list[int]) -> None:
            results.append(enter(visitor, page, code).status)

        threads = [
            threading.Thread(target=use, args=(visitor, page, code, results))
            for visitor, page in zip(visitors, pages, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert results.count(303) == 1
        assert set(results) <= {303, 422, 429}  # the fifth failure pauses others
        assert [is_in(visitor) for visitor in visitors].count(True) == 1


def test_recovery_codes_work_once(house: Installation) -> None:
    ana = house.visitor("ana")
    key, codes = set_up(house, ana)
    visitor, again = house.somebody(), house.somebody()
    done = enter(visitor, visitor.sign_in("ana"), codes[3].lower().replace("-", " "))
    assert "Recovery codes left: 9." in visitor.follow(done).message
    assert enter(again, again.sign_in("ana"), codes[3]).status == 422
    assert notes(house.store)[1] == ("ana", "signed in", "the password and a recovery code")

    made = ana.post("/review/account/totp/codes")
    assert "Former recovery codes are no longer valid." in made.text
    assert enter(again, again.sign_in("ana"), codes[4]).status == 422
    new = re.findall(r"<li><code>([A-Z2-7-]{19})</code></li>", made.text)
    assert enter(again, again.sign_in("ana"), new[0]).status == 303
    lines: list[bytes] = []
    house.store.dump(lines.append)
    stored = b"".join(lines)
    assert not [text for text in (key, codes[5], new[5].replace("-", "")) if text.encode() in stored]


def test_guesses_of_codes_are_paused_even_between_correct_passwords(sqlite_house: Installation) -> None:
    key, _ = set_up(sqlite_house, sqlite_house.visitor("ana"))
    visitor = sqlite_house.somebody()

    def tried(code: str) -> Answer:
        return enter(visitor, visitor.sign_in("ana"), code)

    assert [tried("x").status for _ in range(6)] == [422] * 5 + [429]
    blocked = tried(code_at(key, sqlite_house.clock()))
    assert blocked.status == 429
    assert 0 < int(blocked.headers["retry-after"]) <= 31
    sqlite_house.clock.pass_(seconds=31)
    assert tried("x").status == 422
    blocked = tried(code_at(key, sqlite_house.clock()))
    assert int(blocked.headers["retry-after"]) > 31  # pauses double
    sqlite_house.clock.pass_(minutes=2)
    assert tried(code_at(key, sqlite_house.clock())).status == 303
    failures = [note for note in notes(sqlite_house.store) if note[1] == "failed to sign in"]
    assert failures == [("somebody", "failed to sign in", "a code")] * 3


def test_the_page_for_the_code_is_bound_to_its_browser_time_and_password(sqlite_house: Installation) -> None:
    house = sqlite_house
    key, _ = set_up(house, house.visitor("ana"))
    visitor, other = house.somebody(), house.somebody()
    page = visitor.sign_in("ana")
    stolen = {"token": value_of("token", page), "code": code_at(key, house.clock())}
    assert other.post("/review/sign-in/code", stolen, csrf="x").status == 403
    csrf = other.open_csrf("/review/sign-in")
    assert other.post("/review/sign-in/code", stolen, csrf=csrf).headers["location"] == "/review/sign-in"
    with house.store.writing() as tx:
        tx.access.accounts.change(1, password_set=house.clock())
    assert enter(visitor, page, code_at(key, house.clock())).headers["location"] == "/review/sign-in"

    page = visitor.sign_in("ana")
    with house.store.writing() as tx:
        tx.access.accounts.change(1, disabled=house.clock())
    assert enter(visitor, page, code_at(key, house.clock())).headers["location"] == "/review/sign-in"
    with house.store.writing() as tx:
        tx.access.accounts.change(1, disabled=None)
    house.clock.pass_(minutes=6)
    assert enter(visitor, page, code_at(key, house.clock())).headers["location"] == "/review/sign-in"
    assert not is_in(visitor)

    page = visitor.sign_in("ana")
    code = code_at(key, house.clock())
    assert enter(visitor, page, code).status == 303
    house.clock.pass_(seconds=30)
    assert enter(visitor, page, code_at(key, house.clock())).headers["location"] == "/review/sign-in"  # once


def test_a_confirmation_needs_the_code_too(sqlite_house: Installation) -> None:
    house = sqlite_house
    ana = house.visitor("ana")
    key, codes = set_up(house, ana)
    house.clock.pass_(minutes=11)
    waiting = ana.post("/review/account/totp/remove")
    assert waiting.headers["location"] == "/review/confirm"
    assert 'name="code"' in ana.get("/review/confirm").text
    assert ana.post("/review/confirm", {"password": PASSWORD}).status == 422
    assert ana.post("/review/confirm", {"password": PASSWORD, "code": "123"}).status == 422
    wrong = ana.post("/review/confirm", {"password": "wrong password", "code": code_at(key, house.clock())})
    assert complaint(wrong) == "The password is incorrect."
    with house.store.reading() as tx:
        assert tx.access.totp.get(1) is not None
    done = ana.post("/review/confirm", {"password": PASSWORD, "code": code_at(key, house.clock())})
    assert done.headers["location"] == "/review/account"
    with house.store.reading() as tx:
        assert tx.access.totp.get(1) is None
    assert house.somebody().sign_in("ana").status == 303
    assert ana.post("/review/account/totp/remove").status == 409
    assert ana.post("/review/account/totp/codes").status == 409
    assert codes


def test_guesses_at_a_confirmation_are_paused(sqlite_house: Installation) -> None:
    ana = sqlite_house.visitor("ana")
    set_up(sqlite_house, ana)
    sqlite_house.clock.pass_(minutes=11)
    answers = [ana.post("/review/confirm", {"password": PASSWORD, "code": "1"}).status for _ in range(6)]
    assert answers == [422] * 5 + [429]


def test_setting_up_needs_a_right_code_of_the_own_key_in_time(sqlite_house: Installation) -> None:
    house = sqlite_house
    ana, ben = house.visitor("ana"), house.visitor("ben")
    page = ana.get("/review/account/totp")
    key, sealed = key_in(page), value_of("sealed", page)
    assert key not in sealed

    def add(visitor: Visitor, sealed: str) -> Answer:
        return visitor.post("/review/account/totp", {"sealed": sealed, "code": code_at(key, house.clock())})

    wrong = ana.post("/review/account/totp", {"sealed": sealed, "code": "12"})
    assert (wrong.status, key_in(wrong)) == (422, key)  # the same key, so that the app fits
    assert add(ben, sealed).status == 422
    assert add(ana, "").status == 422
    house.clock.pass_(minutes=31)
    assert ana.post("/review/confirm", {"password": PASSWORD}).status == 303
    assert key_in(add(ana, sealed)) != key
    with house.store.reading() as tx:
        assert tx.access.totp.accounts() == set()
    set_up(house, ana)
    page = ana.get("/review/account/totp")
    fields = {"sealed": value_of("sealed", page), "code": code_at(key_in(page), house.clock())}
    assert ana.post("/review/account/totp", fields).status == 409  # one app per user


def test_an_admin_removes_a_lost_second_factor(sqlite_house: Installation) -> None:
    house = sqlite_house
    ana = house.visitor("ana")
    admin = house.visitor("adam", Role.ADMIN)
    set_up(house, ana)
    assert "Authenticator app." in admin.get("/review/people").text
    done = admin.post("/review/people/ana/totp")
    assert admin.follow(done).message == "ana signs in without a code now, and is signed out everywhere."
    assert not is_in(ana)
    assert house.somebody().sign_in("ana").status == 303
    assert admin.post("/review/people/ana/totp").status == 409
    assert "adam removed the authenticator app of" in re.sub("<[^>]*>", "", admin.get("/review/history").text)


def test_a_passkey_or_a_code_is_needed_where_both_exist(sqlite_store: Store, clock: Stopped) -> None:
    with installed(sqlite_store, clock, host="localhost") as house:
        key, _ = set_up(house, house.visitor("ana"))
        with sqlite_store.writing() as tx:
            tx.access.passkeys.add(Passkey(0, 1, "AAAA", "Phone", b"key", 0, NOON))
            tx.access.accounts.require_passkey(1, required=True)
        visitor = house.somebody()
        page = visitor.sign_in("ana")
        assert "Use a passkey" in page.text
        assert enter(visitor, page, code_at(key, clock())).status == 303


def test_keys_are_encrypted_again_with_other_credentials(sqlite_store: Store, clock: Stopped) -> None:
    keys = [SECRET]
    with installed(sqlite_store, clock, keys=keys) as house:
        key, codes = set_up(house, house.visitor("ana"))
        keys.insert(0, Secret("the present key of this installation"))
        assert reencrypt(sqlite_store, HeaderCipher(*keys), clock(), "test") == (1, 0)
        keys.pop()
        visitor, other = house.somebody(), house.somebody()
        assert enter(visitor, visitor.sign_in("ana"), code_at(key, clock())).status == 303
        keys[0] = Secret("another key, after the former one was lost")
        clock.pass_(seconds=30)
        assert enter(other, other.sign_in("ana"), code_at(key, clock())).status == 409
        assert enter(other, other.sign_in("ana"), codes[0]).status == 303


@pytest.mark.parametrize("code", ["", "1", "x" * 41, "\uff11\uff12\uff13\uff14\uff15\uff16", "A" * 16, "123456 " * 5])
def test_hostile_codes_are_refused(sqlite_house: Installation, code: str) -> None:
    set_up(sqlite_house, sqlite_house.visitor("ana"))
    visitor = sqlite_house.somebody()
    assert enter(visitor, visitor.sign_in("ana"), code).status == 422
