"""Test stored connected accounts on both databases: replacement, renewal claims, authorizations and uses."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.domain.access.credentials import Credential
from storage.api.credentials import AuthorizationRequest
from tests.building import NOON, add_source

if TYPE_CHECKING:
    from storage.store import Store

HOUR = timedelta(hours=1)
NEW = Credential(0, "x", "7", "@desk", "app", True, NOON + 2 * HOUR, NOON + 999 * HOUR, NOON, NOON)


def _put(store: Store, connected: Credential = NEW, sealed: str = "sealed") -> Credential:
    with store.writing() as tx:
        return tx.api.credentials.put(connected, sealed)


def test_one_of_the_same_account_and_app_is_replaced(store: Store) -> None:
    first = _put(store)
    again = _put(store, replace(NEW, name="@renamed", renewed=NOON + HOUR, problem=None), "newer")
    other = _put(store, replace(NEW, app="another"))
    assert first.id == again.id != other.id
    with store.reading() as tx:
        stored = tx.api.credentials.get(first.id)
        assert stored is not None
        assert (stored.credential, stored.sealed) == (again, "newer")
        assert [row.id for row in tx.api.credentials.all("x")] == [first.id, other.id]
        assert tx.api.credentials.all("another-service") == []
        assert tx.api.credentials.get(999) is None


def test_one_process_at_a_time_renews(store: Store) -> None:
    connected = _put(store)
    with store.writing() as tx:
        credentials = tx.api.credentials
        early = NOON + HOUR
        assert not credentials.claim_renewal(connected.id, NOON, NOON + HOUR, early)  # not due
        due = connected.access_expires
        assert credentials.claim_renewal(connected.id, NOON, NOON + HOUR, due)
        assert not credentials.claim_renewal(connected.id, NOON, NOON + HOUR, due)
        assert credentials.claim_renewal(connected.id, NOON + HOUR, NOON + 2 * HOUR, due)  # its holder is dead
        credentials.end_renewal(connected.id)
        assert credentials.claim_renewal(connected.id, NOON, NOON + HOUR, due)
        credentials.end_renewal(connected.id, "It was revoked.")
        [stored] = credentials.all()
        assert stored.problem == "It was revoked."
        assert not stored.is_usable(NOON)
    assert _put(store).problem is None  # connected again


def test_a_renewal_ends_with_the_new_tokens(store: Store) -> None:
    connected = _put(store)
    with store.writing() as tx:
        tx.api.credentials.expire(connected.id, NOON)
        assert tx.api.credentials.claim_renewal(connected.id, NOON, NOON + HOUR, NOON)
    renewed = _put(store, replace(connected, access_expires=NOON + 4 * HOUR))
    with store.writing() as tx:
        assert not tx.api.credentials.claim_renewal(connected.id, NOON, NOON + HOUR, NOON + HOUR)
    assert renewed.access_expires == NOON + 4 * HOUR


def test_the_sources_at_the_owners_price(store: Store) -> None:
    desk = add_source(store, "desk", "twitter", options={"user_id": "7"})
    add_source(store, "river", "twitter", options={"user_id": "8"})
    _put(store)
    _put(store, replace(NEW, subject="8", is_owner=False))
    with store.reading() as tx:
        assert tx.api.credentials.owned_sources("x", "twitter", NOON) == {desk.id}
        assert tx.api.credentials.owned_sources("x", "twitter", NOON + 1000 * HOUR) == set()


def test_an_authorization_is_taken_once_by_its_user(store: Store) -> None:
    request = AuthorizationRequest("x", "ana", True, "http://127.0.0.1/", "sealed", NOON + HOUR)
    with store.writing() as tx:
        tx.api.credentials.begin("a", request)
        tx.api.credentials.begin("b", request)
        assert tx.api.credentials.take("a", "ben", NOON) is None
        assert tx.api.credentials.take("a", "ana", NOON) == request
        assert tx.api.credentials.take("a", "ana", NOON) is None
        assert tx.api.credentials.take("b", "ana", NOON + HOUR) is None  # expired


def test_uses_are_recorded_now_and_then(store: Store) -> None:
    with store.writing() as tx:
        for minutes in (0, 5, 30):
            tx.api.credentials.used("x", "app", NOON + timedelta(minutes=minutes), every=timedelta(minutes=10))
            if minutes == 5:
                assert tx.api.credentials.uses() == {("x", "app"): NOON}
        assert tx.api.credentials.uses() == {("x", "app"): NOON + timedelta(minutes=30)}


def test_a_removed_account_is_gone(store: Store) -> None:
    connected = _put(store)
    with store.writing() as tx:
        tx.api.credentials.remove(connected.id)
        assert tx.api.credentials.all() == []
