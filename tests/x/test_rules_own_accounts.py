"""Test own accounts: connected by OAuth 2.0, read with the cheapest token, renewed by one process, and noticed."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.cli.budget import View, metered_service
from aggregator.domain.errors import BadRequestError, CredentialsError, NotFoundError
from tests.x_api.bill import OWNED_PRICE, POST_PRICE, USER_PRICE
from tests.x_api.oauth import CLIENT_ID, CLIENT_SECRET

if TYPE_CHECKING:
    from collections.abc import Callable

    from aggregator.demo.world import Account
    from aggregator.domain.access.credentials import Credential
    from tests.x.following import Following, Time
    from tests.x_api.upstream import SimulatedUpstream

    Follower = Callable[..., Following]

SETTINGS = {"x_client_id": CLIENT_ID, "x_client_secret": CLIENT_SECRET}
REDIRECT = "http://127.0.0.1:8000/callback"


def connect(installation: Following, x: SimulatedUpstream, account: Account, *, is_owner: bool = True) -> Credential:
    connection = installation.container.account_connection
    address = connection.begin("x", "ana", REDIRECT, is_owner=is_owner)
    return connection.finish(x.x.oauth.grant(address, account.id), "ana")


@pytest.fixture
def desk(x: SimulatedUpstream) -> Account:
    """Give an account that owns the app."""
    account = x.world.add_account("desk")
    x.x.oauth.owner = account.id
    return account


@pytest.mark.slow
def test_a_month_of_an_own_account_costs_twelve_cents_and_its_lookups(
    x: SimulatedUpstream, follower: Follower, time: Time, desk: Account
) -> None:
    time.now = datetime(2026, 6, 1, tzinfo=UTC)
    installation = follower(x.url, polls_per_hour="0.05", **SETTINGS)
    connect(installation, x, desk)
    installation.follow("@desk")
    for _ in range(30 * 4):
        x.world.write(desk, "News of the day", time.now + timedelta(hours=1))
        time.passes(hours=6)
        installation.tick()
        installation.container.profiles.run()
    installation.poll()
    bill = x.x.bill
    assert len(installation.ids()) == 120
    assert (len(bill.owned), len(bill.posts)) == (120, 120)
    lookups = len(bill.users) * USER_PRICE
    assert lookups == pytest.approx((1 + 4) * USER_PRICE)  # connected and followed on one day; profiles weekly
    assert round(bill.dollars - lookups, 6) == 0.12
    requests, posts, users, dollars = installation.ledger()
    assert (posts, users, round(dollars, 6)) == (120, len(bill.users), round(bill.dollars, 6))
    assert requests == sum(bill.requests.values())
    view = View(installation.container, metered_service(installation.container, None))
    assert view.forecast.needed == pytest.approx(dollars, abs=0.02)
    assert installation.source("desk").poll.daily_cost == pytest.approx(4 * OWNED_PRICE, rel=0.3)


def test_other_accounts_are_read_with_the_token_of_the_settings(
    x: SimulatedUpstream, follower: Follower, desk: Account
) -> None:
    river = x.world.add_account("river")
    installation = follower(x.url, **SETTINGS)
    connect(installation, x, desk)
    installation.follow("@desk", "@river")
    for account in (desk, river):
        x.world.write(account, "Hello")
    installation.poll()
    assert len(x.x.bill.owned) == 1
    assert len(x.x.bill.posts) == 2
    assert installation.ledger()[3] == pytest.approx(x.x.bill.dollars)


@pytest.mark.usefixtures("desk")
def test_an_account_that_owns_no_app_has_the_full_price(x: SimulatedUpstream, follower: Follower) -> None:
    river = x.world.add_account("river")
    installation = follower(x.url, **SETTINGS)
    connect(installation, x, river, is_owner=False)
    installation.follow("@river")
    x.world.write(river, "Hello")
    installation.poll()
    assert (len(x.x.bill.owned), len(x.x.bill.posts)) == (0, 1)
    assert installation.rows("SELECT sum(micros), sum(owned) FROM spend WHERE purpose = 'poll'") == [(5000, 0)]


def test_what_it_quotes_has_the_full_price(x: SimulatedUpstream, follower: Follower, desk: Account) -> None:
    river = x.world.add_account("river")
    original = x.world.write(river, "Original")
    installation = follower(x.url, **SETTINGS)
    connect(installation, x, desk)
    installation.follow("@desk")
    x.world.write(desk, "Read this", references=(("quoted", original.id),))
    installation.poll()
    posts = (len(x.x.bill.posts) - len(x.x.bill.owned)) * POST_PRICE + len(x.x.bill.owned) * OWNED_PRICE
    assert round(posts, 6) == 0.006
    assert installation.rows("SELECT sum(micros), sum(owned) FROM spend WHERE purpose = 'poll'") == [(6000, 1)]


def test_it_works_without_a_token_in_the_settings(x: SimulatedUpstream, follower: Follower, desk: Account) -> None:
    installation = follower(x.url, x_bearer_token="", **SETTINGS)
    with pytest.raises(CredentialsError, match="aggregator x connect"):
        installation.follow("@desk")
    connect(installation, x, desk)
    installation.follow("@desk")
    x.world.write(desk, "Hello")
    installation.poll()
    assert len(installation.ids()) == 1


def test_a_source_that_was_there_is_read_with_it_at_once(
    x: SimulatedUpstream, follower: Follower, time: Time, desk: Account
) -> None:
    installation = follower(x.url, **SETTINGS)
    installation.follow("@desk")
    x.world.write(desk, "Hello", time.now - timedelta(hours=1))
    installation.poll()
    before = installation.source("desk").poll.daily_cost
    assert before
    connect(installation, x, desk)
    source = installation.source("desk")
    assert source.poll.due == time.now
    assert source.poll.daily_cost == pytest.approx(before / 5)
    x.world.write(desk, "Again")
    assert installation.tick() == 1
    assert len(x.x.bill.owned) == 1


def test_one_process_renews_a_token_and_the_others_wait(
    x: SimulatedUpstream, follower: Follower, time: Time, desk: Account
) -> None:
    installation = follower(x.url, **SETTINGS)
    credential = connect(installation, x, desk)
    time.passes(hours=3)
    tokens: list[str] = []
    others = [installation, *(installation.beside() for _ in range(3))]

    def ask(process: Following) -> None:
        from functools import partial

        from aggregator.sources.twitter.plugin import KIND

        async def work() -> str:
            context = await process.container.context()
            return await context.credentials.access_token(credential, partial(KIND.renew, context=context))

        tokens.append(process.container.run(work()))

    threads = [threading.Thread(target=ask, args=[process]) for process in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(tokens) == 4
    assert len(set(tokens)) == 1
    renewals = [form for form in x.x.oauth.requests if form["grant_type"] == "refresh_token"]
    assert len(renewals) == 1


def test_days_of_renewals(x: SimulatedUpstream, follower: Follower, time: Time, desk: Account) -> None:
    installation = follower(x.url, **SETTINGS)
    first = connect(installation, x, desk)
    installation.follow("@desk")
    for _ in range(12):
        x.world.write(desk, "Hello")
        time.passes(hours=5)
        installation.poll()
    assert len(installation.ids()) == 12
    with installation.container.store.reading() as tx:
        [credential] = tx.api.credentials.all()
        uses = tx.api.credentials.uses()
    assert credential.renewed > first.renewed
    assert credential.expires == credential.renewed + timedelta(days=180)
    assert ("x", credential.key) in uses


def test_a_revoked_token_is_noticed_and_another_reads_on(
    x: SimulatedUpstream, follower: Follower, time: Time, desk: Account
) -> None:
    installation = follower(x.url, **SETTINGS)
    connect(installation, x, desk)
    installation.follow("@desk")
    installation.poll()
    x.x.oauth.revoke(desk.id)
    x.world.write(desk, "Hello")
    time.passes(hours=3)
    installation.poll()
    assert len(installation.ids()) == 1  # with the token of the settings, at the full price
    assert installation.source("desk").poll.last_error is None
    installation.container.notifier.attend()
    with installation.container.store.reading() as tx:
        [alert] = tx.monitoring.alerts.open()
    assert alert.kind == "credential-expiring"
    assert "@desk" in alert.sentence
    assert "aggregator x connect" in alert.sentence
    connect(installation, x, desk)
    installation.container.notifier.attend()
    with installation.container.store.reading() as tx:
        assert tx.monitoring.alerts.open() == []
    x.world.write(desk, "Again")
    installation.poll()
    assert len(x.x.bill.owned) == 1


def test_an_access_token_that_is_rejected_early_is_renewed(
    x: SimulatedUpstream, follower: Follower, time: Time, desk: Account
) -> None:
    installation = follower(x.url, **SETTINGS)
    connect(installation, x, desk)
    installation.follow("@desk")
    time.passes(minutes=90)
    x.x.oauth._access.clear()
    installation.poll()
    x.world.write(desk, "Hello")
    time.passes(minutes=1)
    installation.poll()
    assert len(x.x.bill.owned) == 1


@pytest.mark.parametrize(
    ("days", "notices"),
    [(31, []), (29, [30]), (6, [7, 30]), (0.5, [1, 7, 30])],
    ids=["early", "month", "week", "day"],
)
def test_notices_before_the_end(
    x: SimulatedUpstream, follower: Follower, time: Time, desk: Account, days: float, notices: list[int]
) -> None:
    installation = follower(x.url, **SETTINGS)
    connect(installation, x, desk)
    time.passes(days=180 - days)
    installation.container.notifier.attend()
    with installation.container.store.reading() as tx:
        subjects = [alert.subject for alert in tx.monitoring.alerts.open() if alert.kind == "credential-expiring"]
    assert sorted(int(subject.rpartition(":")[2]) for subject in subjects) == notices


def test_an_expired_access_is_noticed(x: SimulatedUpstream, follower: Follower, time: Time, desk: Account) -> None:
    installation = follower(x.url, **SETTINGS)
    connect(installation, x, desk)
    time.passes(days=181)
    installation.container.notifier.attend()
    with installation.container.store.reading() as tx:
        [alert] = [alert for alert in tx.monitoring.alerts.open() if alert.kind == "credential-expiring"]
    assert "has ended" in alert.sentence


def test_tokens_are_nowhere_in_clear(
    x: SimulatedUpstream, follower: Follower, time: Time, desk: Account, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    installation = follower(x.url, **SETTINGS)
    connect(installation, x, desk)
    installation.follow("@desk")
    time.passes(hours=5)
    installation.poll()
    installation.container.account_connection.begin("x", "ana", REDIRECT, is_owner=True)
    oauth = x.x.oauth
    verifiers = [form["code_verifier"] for form in oauth.requests if "code_verifier" in form]
    secrets = [CLIENT_SECRET, *oauth._access, *oauth._refresh, *verifiers]
    assert len(secrets) >= 4
    tables = installation.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    stored = " ".join(str(installation.rows(f'SELECT * FROM "{table[0]}"')) for table in tables)
    assert [secret for secret in secrets if secret in stored or secret in caplog.text] == []
    assert CLIENT_SECRET not in repr(installation.container.settings)


def test_an_authorization_ends_once_in_time_and_for_the_same_user(
    x: SimulatedUpstream, follower: Follower, time: Time, desk: Account
) -> None:
    installation = follower(x.url, **SETTINGS)
    connection = installation.container.account_connection
    answer = x.x.oauth.grant(connection.begin("x", "ana", REDIRECT, is_owner=True), desk.id)
    with pytest.raises(BadRequestError, match="unknown or has expired"):
        connection.finish(answer, "ben")
    connection.finish(answer, "ana")
    with pytest.raises(BadRequestError, match="unknown or has expired"):
        connection.finish(answer, "ana")
    late = x.x.oauth.grant(connection.begin("x", "ana", REDIRECT, is_owner=True), desk.id)
    time.passes(minutes=16)
    with pytest.raises(BadRequestError, match="unknown or has expired"):
        connection.finish(late, "ana")
    with pytest.raises(BadRequestError, match="not granted"):
        connection.finish(f"{REDIRECT}?error=access_denied&state=x", "ana")
    with pytest.raises(BadRequestError, match="no code"):
        connection.finish("nonsense", "ana")
    with pytest.raises(BadRequestError, match="must be https"):
        connection.begin("x", "ana", "http://portal.example/callback", is_owner=True)


def test_a_protected_own_account_is_read(x: SimulatedUpstream, follower: Follower, desk: Account) -> None:
    installation = follower(x.url, **SETTINGS)
    connect(installation, x, desk)
    x.world.restrict(desk, "protected")
    x.world.write(desk, "For followers")
    installation.follow("@desk")
    installation.poll()
    assert installation.source("desk").poll.last_error_code is None
    assert len(installation.ids()) == 1


def test_a_removed_account_leaves_nothing(x: SimulatedUpstream, follower: Follower, desk: Account) -> None:
    installation = follower(x.url, **SETTINGS)
    connect(installation, x, desk)
    installation.follow("@desk")
    installation.container.account_connection.remove("@desk", "ana")
    assert installation.rows("SELECT count(*) FROM credential") == [(0,)]
    x.world.write(desk, "Hello")
    installation.poll()
    assert (len(x.x.bill.owned), len(x.x.bill.posts)) == (0, 1)
    with pytest.raises(NotFoundError, match="aggregator credentials"):
        installation.container.account_connection.remove("@desk", "ana")


def test_connecting_again_replaces_the_tokens(x: SimulatedUpstream, follower: Follower, desk: Account) -> None:
    installation = follower(x.url, **SETTINGS)
    first, second = (connect(installation, x, desk) for _ in range(2))
    assert first.id == second.id
    with installation.container.store.reading() as tx:
        assert len(tx.api.credentials.all()) == 1


def test_a_token_that_is_refused_at_once_leaves_nothing(
    x: SimulatedUpstream, follower: Follower, desk: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = follower(x.url, **SETTINGS)
    monkeypatch.setattr(x.x.oauth, "user_of", lambda _: None)
    with pytest.raises(CredentialsError, match="new token"):
        connect(installation, x, desk)
    with installation.container.store.reading() as tx:
        assert tx.api.refusals.all() == []
        assert tx.api.credentials.all() == []
