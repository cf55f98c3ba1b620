"""Reset passwords and confirm addresses with mailed links, over a real mail server; manage users."""

from __future__ import annotations

import email
import email.policy
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from aggregator.config import passwords
from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.domain.access.accounts import Passkey, Role
from aggregator.review.entrance import SignInOptions
from tests.building import NOON
from tests.processes import eventually
from tests.review.conftest import PASSWORD, Visitor, installed
from tests.review.sign_on_house import complaint
from tests.services.test_alert_rounds import Post

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage.store import Store
    from tests.review.conftest import Answer, Installation, Stopped

NEW = "a very different one"
FIELDS = {"password": NEW, "again": NEW}


class MailHouse:
    """A desk with a mail server."""

    def __init__(self, house: Installation, post: Post) -> None:
        self.house = house
        self.post = post

    def received(self, count: int) -> list[tuple[str, str, str]]:
        """Wait for a number of mails; return receiver, subject and text of each."""
        eventually("the mails have arrived", lambda: len(self.post.mails) >= count)
        found = [email.message_from_string(text, policy=email.policy.default) for text in self.post.mails]
        return [(str(mail["To"]), str(mail["Subject"]), mail.get_content()) for mail in found]

    def link(self, count: int) -> str:
        """Return the path of the link in the newest of a number of mails."""
        return link_in(self.received(count)[-1][2], self.house)

    def ask(self, address: str, visitor: Visitor | None = None) -> Answer:
        visitor = visitor or Visitor(self.house.address)
        return visitor.post("/review/reset", {"email": address}, csrf=visitor.open_csrf("/review/reset"))


def link_in(text: str, house: Installation) -> str:
    found = re.search(rf"{house.address}(/review/[a-z-]+[?]token=[A-Za-z0-9_-]{{43}})", text)
    assert found, text
    return found[1]


@contextmanager
def mailing(store: Store, clock: Stopped, folder: Path, **settings: str) -> Iterator[MailHouse]:
    post = Post()
    thread = threading.Thread(target=post.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    containers: list[Container] = []

    def sign_in(address: str) -> SignInOptions:
        environment = {
            "AGGREGATOR_DATA_DIR": str(folder),
            "AGGREGATOR_DATABASE_URL": store.engine.url.render_as_string(hide_password=False),
            "AGGREGATOR_PUBLIC_URL": address,
            "AGGREGATOR_MAIL_SERVER": "smtp://{}:{}".format(*post.server.server_address[:2]),
            "AGGREGATOR_MAIL_FROM": "desk@portal.example",
            "AGGREGATOR_MAIL_TO": "ops@portal.example",
            **settings,
        }
        containers.append(Container(Settings.from_environment(environment), clock))
        return SignInOptions(containers[0].settings.local_sign_in, mail=containers[0].account_mail)

    with installed(store, clock, host="localhost", sign_in=sign_in) as house:
        try:
            yield MailHouse(house, post)
        finally:
            containers[0].close()
            post.server.shutdown()
            post.server.server_close()
            thread.join(10)


@pytest.fixture
def mails(store: Store, clock: Stopped, tmp_path: Path) -> Iterator[MailHouse]:
    with mailing(store, clock, tmp_path) as found:
        yield found


@pytest.fixture
def sqlite_mails(sqlite_store: Store, clock: Stopped, tmp_path: Path) -> Iterator[MailHouse]:
    with mailing(sqlite_store, clock, tmp_path) as found:
        yield found


def with_address(house: Installation, name: str = "ana", address: str = "ana@portal.example") -> None:
    with house.store.writing() as tx:
        account = tx.access.accounts.get(name)
        if account is None:
            tx.access.accounts.add(name, Role.EDITOR, passwords.hashed(PASSWORD), NOON)
            account = tx.access.accounts.get(name)
        assert account is not None
        tx.access.settings.change(account.id, email=address, email_confirmed=NOON)


def set_password(visitor: Visitor, path: str) -> int:
    return visitor.post(path, FIELDS, csrf=visitor.open_csrf(path)).status


def test_an_address_is_confirmed_by_a_link(mails: MailHouse) -> None:
    house = mails.house
    ana = house.visitor("ana")

    saved = ana.follow(ana.post("/review/account/email", {"email": "ana@portal.example"}))
    assert saved.message == "A link was sent to ana@portal.example. Open it to confirm the address."
    assert "not confirmed yet" in saved.text
    path = mails.link(1)
    reader = Visitor(house.address)
    assert "ana@portal.example" in reader.get(path).text
    assert "not confirmed yet" in ana.get("/review/account").text  # opening the link confirms nothing
    done = reader.post(path, csrf=reader.open_csrf(path))

    assert "is confirmed" in done.text
    assert "not confirmed yet" not in ana.get("/review/account").text
    assert reader.get(path).status == 404  # once
    with house.store.reading() as tx:
        assert tx.access.settings.get(1).email_confirmed == house.clock()


def test_a_link_of_a_former_address_confirms_nothing(sqlite_mails: MailHouse) -> None:
    ana = sqlite_mails.house.visitor("ana")
    ana.post("/review/account/email", {"email": "old@portal.example"})
    old = sqlite_mails.link(1)
    ana.post("/review/account/email", {"email": "new@portal.example"})
    new = sqlite_mails.link(2)
    reader = Visitor(sqlite_mails.house.address)
    assert reader.get(old).status == 404
    sqlite_mails.house.clock.pass_(days=1, seconds=1)
    assert reader.get(new).status == 404

    ana = sqlite_mails.house.somebody()
    ana.sign_in("ana")
    ana.post("/review/account/email/again")
    path = sqlite_mails.link(3)
    reader.post(path, csrf=reader.open_csrf(path))
    ana.post("/review/account/email", {"email": "third@portal.example"})
    receivers = sorted(mail[0] for mail in sqlite_mails.received(5)[3:])
    assert receivers == ["new@portal.example", "third@portal.example"]  # a notice, and the link


def test_a_password_is_reset_once_within_an_hour(mails: MailHouse) -> None:
    house = mails.house
    ana = house.visitor("ana", Role.EDITOR)
    with_address(house)

    answer = mails.ask("Ana@Portal.example")
    path = mails.link(1)
    stranger = Visitor(house.address)
    page = stranger.get(path)
    poor = stranger.post(path, {"password": "short", "again": "short"}, csrf=stranger.open_csrf(path))
    other = stranger.post(path, {"password": NEW, "again": "x"}, csrf=stranger.open_csrf(path))

    assert "a link is on its way" in answer.text
    assert page.status == 200
    assert page.headers["referrer-policy"] == "same-origin"
    assert (poor.status, other.status) == (422, 422)
    assert set_password(stranger, path) == 200
    assert set_password(stranger, path) != 200
    assert stranger.get(path).status == 404
    assert ana.get("/review").status == 303  # all sessions have ended
    assert Visitor(house.address).sign_in("ana").status == 422
    assert Visitor(house.address).sign_in("ana", NEW).status == 303
    assert [mail[1] for mail in mails.received(2)] == [
        "Review desk: set a new password",
        "Review desk: your account was changed",
    ]
    lines: list[bytes] = []
    house.store.dump(lines.append)
    assert path.rpartition("=")[2].encode() not in b"".join(lines)


def test_links_end_with_time_with_the_next_and_with_the_account(sqlite_mails: MailHouse) -> None:
    house = sqlite_mails.house
    with_address(house)
    stranger = Visitor(house.address)
    sqlite_mails.ask("ana@portal.example")
    first = sqlite_mails.link(1)
    sqlite_mails.ask("ana@portal.example")
    second = sqlite_mails.link(2)
    assert (stranger.get(first).status, stranger.get(second).status) == (404, 200)
    house.clock.pass_(hours=1, seconds=1)
    assert stranger.get(second).status == 404

    house.visitor("adam", Role.ADMIN).post("/review/people/ana/disabled", {"to": "off"})
    sqlite_mails.ask("ana@portal.example")
    with_address(house, "ben", "ben@portal.example")
    sqlite_mails.ask("ben@portal.example")
    assert [mail[0] for mail in sqlite_mails.received(3)][2:] == ["ben@portal.example"]


def test_the_response_does_not_reveal_who_has_an_account(sqlite_mails: MailHouse) -> None:
    with_address(sqlite_mails.house)
    known, unknown = sqlite_mails.ask("ana@portal.example"), sqlite_mails.ask("eve@portal.example")

    def plain(answer: Answer) -> str:
        return re.sub(r'value="[^"]*"|(ana|eve)@', "", answer.text)

    assert plain(known) == plain(unknown)
    assert known.status == unknown.status == 200
    for address in ("ana@portal.example", "eve@portal.example"):
        answers = [sqlite_mails.ask(address) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert "Too many mails were requested" in complaint(answers[-1])
    sqlite_mails.received(3)
    sqlite_mails.house.clock.pass_(hours=1, seconds=1)
    assert sqlite_mails.ask("ana@portal.example").status == 200
    sqlite_mails.received(4)


def test_mail_goes_to_the_stored_address_and_never_to_the_typed_one(sqlite_mails: MailHouse) -> None:
    """The sign of Kelvin has the lower case of the letter k."""
    with_address(sqlite_mails.house, "mike", "mike@portal.example")
    assert sqlite_mails.ask("mi\N{KELVIN SIGN}e@portal.example").status == 200
    assert sqlite_mails.received(1)[0][0] == "mike@portal.example"


def test_links_to_a_former_address_end(sqlite_mails: MailHouse) -> None:
    ana = sqlite_mails.house.visitor("ana")
    with_address(sqlite_mails.house)
    sqlite_mails.ask("ana@portal.example")
    path = sqlite_mails.link(1)
    stranger = Visitor(sqlite_mails.house.address)
    assert stranger.get(path).status == 200
    ana.post("/review/account/email", {"email": "new@portal.example"})
    assert stranger.get(path).status == 404


@pytest.mark.parametrize("address", ["=?utf-8?q??=@portal.example", "=?utf-8?q?evil=40evil.example?=@portal.example"])
def test_an_address_that_mail_reads_otherwise_is_refused(sqlite_house: Installation, address: str) -> None:
    assert sqlite_house.visitor("ana").post("/review/account/email", {"email": address}).status == 422


def test_a_mail_that_fails_stops_no_later_one(sqlite_mails: MailHouse) -> None:
    house = sqlite_mails.house
    with_address(house)
    with_address(house, "ben", "ben@portal.example")
    with house.store.writing() as tx:
        tx.access.settings.change(1, email="=?utf-8?q??=@portal.example")  # of a former release
    house.visitor("adam", Role.ADMIN).post("/review/people/ana/link", {"by": "mail"})
    sqlite_mails.ask("ben@portal.example")
    assert [mail[0] for mail in sqlite_mails.received(1)] == ["ben@portal.example"]


def test_two_uses_of_a_link_at_once_set_one_password(mails: MailHouse) -> None:
    with_address(mails.house)
    mails.ask("ana@portal.example")
    path = mails.link(1)
    visitors = [Visitor(mails.house.address) for _ in range(4)]
    tokens = [visitor.open_csrf(path) for visitor in visitors]
    results: list[int] = []

    def use(number: int) -> None:
        new = f"a very different one {number}"
        sent = {"password": new, "again": new}
        results.append(visitors[number].post(path, sent, csrf=tokens[number]).status)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == [200, 404, 404, 404]


def test_one_visitor_requests_no_mail_to_many(sqlite_mails: MailHouse) -> None:
    statuses = [sqlite_mails.ask(f"user{number}@portal.example").status for number in range(12)]
    assert statuses == [200] * 10 + [429] * 2
    assert sqlite_mails.ask("nothing").status == 422


def test_an_address_that_is_not_confirmed_gets_no_link(sqlite_mails: MailHouse) -> None:
    house = sqlite_mails.house
    with_address(house)
    with house.store.writing() as tx:
        tx.access.settings.change(1, email_confirmed=None)
    with_address(house, "ben", "ben@portal.example")
    sqlite_mails.ask("ana@portal.example")
    sqlite_mails.ask("ben@portal.example")
    assert [mail[0] for mail in sqlite_mails.received(1)] == ["ben@portal.example"]


def test_users_without_local_sign_in_get_no_link(sqlite_store: Store, clock: Stopped, tmp_path: Path) -> None:
    with mailing(sqlite_store, clock, tmp_path, AGGREGATOR_LOCAL_SIGN_IN="ben") as mails:
        with_address(mails.house)
        with_address(mails.house, "ben", "ben@portal.example")
        mails.ask("ana@portal.example")
        mails.ask("ben@portal.example")
        assert [mail[0] for mail in mails.received(1)] == ["ben@portal.example"]


def test_a_mail_server_that_fails_changes_no_response(sqlite_mails: MailHouse) -> None:
    with_address(sqlite_mails.house)
    sqlite_mails.post.server.shutdown()
    sqlite_mails.post.server.socket.close()
    assert sqlite_mails.ask("ana@portal.example").status == 200


def test_without_a_mail_server_no_link_is_offered(sqlite_house: Installation) -> None:
    assert "Forgot" not in sqlite_house.somebody().get("/review/sign-in").text
    assert sqlite_house.somebody().get("/review/reset").status == 404
    assert sqlite_house.somebody().get("/review/new-password?token=x").status == 404


def test_admins_hand_over_and_mail_links(sqlite_mails: MailHouse) -> None:
    house = sqlite_mails.house
    admin = house.visitor("adam", Role.ADMIN)
    with_address(house)
    shown = admin.post("/review/people/ana/link")
    handed = link_in(shown.text, house)
    assert set_password(Visitor(house.address), handed) == 200

    mailed = admin.follow(admin.post("/review/people/ana/link", {"by": "mail"}))
    assert mailed.message == "A link was sent to ana."
    receivers = [mail[0] for mail in sqlite_mails.received(2)]
    assert receivers == ["ana@portal.example"] * 2
    added = admin.post("/review/people", {"name": "zoe", "role": "viewer", "email": "zoe@portal.example"})
    assert "Give this link to" in added.text
    assert sqlite_mails.received(3)[2][0] == "zoe@portal.example"
    assert admin.post("/review/people/zoe/link", {"by": "mail"}).status == 409  # not confirmed
    changed = admin.follow(admin.post("/review/people/ana/email", {"email": ""}))
    assert changed.message == "The e-mail address of ana is deleted."
    assert "admin changed the e-mail address" in sqlite_mails.received(4)[3][2]


def test_the_last_active_admin_stays_one(house: Installation) -> None:
    adam, eve = house.visitor("adam", Role.ADMIN), house.visitor("eve", Role.ADMIN)
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda who=who, whom=whom: results.append(_deactivate(who, whom)))
        for who, whom in ((adam, "eve"), (eve, "adam"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    with house.store.reading() as tx:
        assert tx.access.accounts.admins() == 1
    assert min(results) == 303
    left = adam if adam.get("/review").status == 200 else eve
    name = "eve" if left is adam else "adam"
    again = left.follow(left.post(f"/review/people/{name}/disabled", {"to": "on"}))
    assert again.message == f"{name} is reactivated."
    with house.store.reading() as tx:
        whats = [(note["who"], note["what"]) for note in tx.moderation.audit.page(limit=2)]
    assert whats[0][1] == "enabled an account"  # history keeps the names


def _deactivate(who: Visitor, whom: str) -> int:
    return who.post(f"/review/people/{whom}/disabled", {"to": "off"}).status


def test_admins_remove_passkeys_of_a_lost_phone(sqlite_house: Installation) -> None:
    admin = sqlite_house.visitor("adam", Role.ADMIN)
    sqlite_house.visitor("ana")
    with sqlite_house.store.writing() as tx:
        tx.access.passkeys.add(Passkey(0, 2, "AAAA", "Phone", b"key", 0, NOON))
        tx.access.accounts.require_passkey(2, required=True)
    assert sqlite_house.somebody().sign_in("ana").status == 422
    assert "1 passkey, asked for after the password" in admin.get("/review/people").text
    admin.post("/review/people/ana/passkeys")
    assert sqlite_house.somebody().sign_in("ana").status == 303
