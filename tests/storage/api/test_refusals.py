"""Test stored refusals on both databases: scopes, one probe at a time, and which sources become due."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.errors import CredentialsError, CreditsError, NotAllowedError
from aggregator.domain.polling.api_refusals import ApiCall, Refusal
from aggregator.domain.polling.results import Failure
from aggregator.services.poll_records import failure_record
from tests.building import NOON, add_source

if TYPE_CHECKING:
    from storage.store import Store

HOUR = timedelta(hours=1)
POSTS = ApiCall("x", "app", "/posts")
PEOPLE = ApiCall("x", "app", "/people")


def _refusal(endpoint: str = "", credential: str = "app", code: str = "credentials") -> Refusal:
    return Refusal("x", credential, endpoint, code, "No.", NOON, NOON + HOUR, 0, polls=True)


def _put(store: Store, *refusals: Refusal) -> None:
    with store.writing() as tx:
        for refusal in refusals:
            tx.api.refusals.put(refusal)


def _wait(store: Store, error: CredentialsError) -> int:
    """Store a source whose last poll was refused; return its id."""
    source = add_source(store, "waiting")
    with store.writing() as tx:
        tx.polling.schedule.claim_these([source.id], NOON, lease=HOUR, token="t")
        error.until = NOON + HOUR
        tx.polling.schedule.settle([failure_record(source, Failure(error), NOON, "t")])
    return source.id


def test_a_refusal_affects_its_endpoint_or_all_of_its_credential(store: Store) -> None:
    _put(store, _refusal("/posts", code="not-allowed"), _refusal(credential="other"))
    with store.reading() as tx:
        assert [row.code for row in tx.api.refusals.affecting(POSTS)] == ["not-allowed"]
        assert tx.api.refusals.affecting(PEOPLE) == []
        assert len(tx.api.refusals.affecting(PEOPLE._replace(credential="other"))) == 1
    _put(store, _refusal())
    with store.reading() as tx:
        assert len(tx.api.refusals.affecting(POSTS)) == 2
        assert len(tx.api.refusals.affecting(PEOPLE)) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [("credentials", CredentialsError), ("not-allowed", NotAllowedError), ("credits", CreditsError)],
    ids=["token", "permission", "credits"],
)
def test_a_stored_refusal_gives_its_error(store: Store, code: str, kind: type[Exception]) -> None:
    _put(store, _refusal(code=code))
    with store.reading() as tx:
        [stored] = tx.api.refusals.all()
    assert stored == _refusal(code=code)
    error = stored.error()
    assert type(error) is kind
    assert (str(error), error.until) == ("No.", NOON + HOUR)


def test_a_probe_is_claimed_once(store: Store) -> None:
    _put(store, _refusal())
    later = NOON + 2 * HOUR
    with store.writing() as tx:
        assert not tx.api.refusals.claim_probe(_refusal(), NOON, later)  # not due yet
        assert tx.api.refusals.claim_probe(_refusal(), NOON + HOUR, later)
        assert not tx.api.refusals.claim_probe(_refusal(), NOON + HOUR, later)


def test_its_end_makes_the_waiting_sources_due(store: Store) -> None:
    _put(store, _refusal(), _refusal("/people"))
    _wait(store, CredentialsError("No."))
    later = NOON + timedelta(minutes=5)
    with store.writing() as tx:
        assert tx.api.refusals.end(PEOPLE, later) == 1
        assert tx.api.refusals.all() == []
        assert tx.api.refusals.end(PEOPLE, later) == 0
    with store.reading() as tx:
        [source] = tx.polling.sources.each()
    assert source.poll.due == later


def test_another_credential_in_the_settings_makes_sources_due_once(store: Store) -> None:
    _put(store, _refusal())
    _wait(store, CredentialsError("No."))
    with store.writing() as tx:
        assert tx.api.refusals.follow_settings("x", "app", NOON) == 0
        assert tx.api.refusals.follow_settings("x", "new", NOON) == 1
        assert tx.api.refusals.follow_settings("x", "new", NOON) == 0
        assert tx.api.refusals.follow_settings("other", "new", NOON) == 0
        assert [row.credential for row in tx.api.refusals.all()] == ["app"]


def test_a_stored_credential_is_none_of_the_settings(store: Store) -> None:
    _put(store, _refusal(credential="user-7"))
    with store.writing() as tx:
        assert tx.api.refusals.follow_settings("x", "app", NOON) == 0


def test_a_person_makes_the_next_probe_due(store: Store) -> None:
    _put(store, _refusal())
    with store.writing() as tx:
        tx.api.refusals.probe_now(["other"], NOON)
        assert tx.api.refusals.all()[0].until == NOON + HOUR
        tx.api.refusals.probe_now(["x"], NOON)
        assert tx.api.refusals.all()[0].until == NOON


def test_refusals_that_nothing_probes_are_deleted(store: Store) -> None:
    _put(store, _refusal())
    with store.writing() as tx:
        assert tx.api.refusals.forget(NOON) == 0
        assert tx.api.refusals.forget(NOON + 2 * HOUR) == 1


def test_refused_values_are_kept_by_endpoint_for_a_while(store: Store) -> None:
    with store.writing() as tx:
        tx.api.refusals.refuse_values("x:443", "/posts", ["b", "a"], NOON)
        tx.api.refusals.refuse_values("x:443", "/posts", ["a"], NOON + 2 * HOUR)
    with store.reading() as tx:
        assert tx.api.refusals.values("x:443", "/posts", NOON) == {"a", "b"}
        assert tx.api.refusals.values("x:443", "/posts", NOON + HOUR) == {"a"}
        assert tx.api.refusals.values("x:443", "/people", NOON) == frozenset()
        assert tx.api.refusals.values("other:443", "/posts", NOON) == frozenset()
    with store.writing() as tx:
        tx.api.refusals.forget(NOON + HOUR)
        assert tx.api.refusals.values("x:443", "/posts", NOON) == {"a"}
