"""Test the table of tokens on both databases."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from aggregator.domain.access.api_tokens import (
    NewToken,
    PortalToken,
    Scope,
    digest_of,
    id_in,
    is_name,
    is_same,
    make_token,
)
from tests.building import NOON

if TYPE_CHECKING:
    from storage.store import Store

MINUTE = timedelta(minutes=1)


def _create(store: Store, name: str = "portal") -> NewToken:
    made = make_token()
    with store.writing() as tx:
        assert tx.access.tokens.create(PortalToken(made.id, name, Scope.READ, made.digest, NOON))
    return made


def test_a_token_says_nothing_of_its_name_and_is_never_the_same() -> None:
    made = {make_token().text for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(token) == len("agg_") + 12 + 1 + 43 and id_in(token) == token[4:16] for token in made)


def test_what_is_no_token_has_no_id() -> None:
    made = make_token().text
    for wrong in ("", "agg_", made[:-1], made + "a", made.upper(), f" {made}", made + "\n", made.replace("_", "-", 2)):
        assert id_in(wrong) is None


def test_digests_are_compared_whole() -> None:
    digest = digest_of("a")
    assert is_same(digest, digest_of("a"))
    assert not is_same(digest, digest_of("b"))
    assert not is_same(digest, digest[:-1])


def test_names() -> None:
    assert all(is_name(name) for name in ("a", "portal", "Portal.2-b_c", "x" * 64))
    assert not any(is_name(name) for name in ("", "-a", "a-", "a b", "ä", "x" * 65, "a\n"))


def test_a_token_is_found_by_its_digest_alone(store: Store) -> None:
    made = _create(store)
    with store.reading() as tx:
        assert tx.access.tokens.by_hash(made.digest) == PortalToken(made.id, "portal", Scope.READ, made.digest, NOON)
        assert tx.access.tokens.by_hash(made.text) is None
        assert tx.access.tokens.by_hash(digest_of("other")) is None


def test_the_database_never_holds_the_token(store: Store) -> None:
    made = _create(store)
    with store.engine.connect() as connection:
        rows = str(
            [*connection.execute(text("SELECT * FROM portal_token")), *connection.execute(text("SELECT * FROM audit"))]
        )
    assert made.digest in rows
    assert made.text not in rows
    assert made.text[17:] not in rows


def test_a_name_is_free_again_once_its_token_is_revoked(store: Store) -> None:
    first = _create(store)
    second = make_token()
    with store.writing() as tx:
        assert not tx.access.tokens.create(PortalToken(second.id, "portal", Scope.READ, second.digest, NOON))
        assert tx.access.tokens.revoke("portal", NOON + MINUTE)
        assert not tx.access.tokens.revoke("portal", NOON + MINUTE)
        assert tx.access.tokens.by_hash(first.digest) is None
        assert tx.access.tokens.create(PortalToken(second.id, "portal", Scope.READ, second.digest, NOON + MINUTE))
    with store.reading() as tx:
        assert [(token.id, token.revoked) for token in tx.access.tokens.all()] == [
            (first.id, NOON + MINUTE),
            (second.id, None),
        ]


def test_of_many_who_take_a_name_at_once_one_gets_it(store: Store) -> None:
    got: list[bool] = []
    barrier = threading.Barrier(4)

    def take() -> None:
        made = make_token()
        barrier.wait()
        with store.writing() as tx:
            got.append(tx.access.tokens.create(PortalToken(made.id, "portal", Scope.READ, made.digest, NOON)))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False, False, False, True]


def test_what_became_of_a_token_is_in_the_audit(store: Store) -> None:
    made = _create(store)
    with store.writing() as tx:
        tx.access.tokens.revoke("portal", NOON + MINUTE)
        tx.access.tokens.revoke("nobody", NOON + MINUTE)
        notes = tx.moderation.audit.of("token:portal")
        assert tx.moderation.audit.of("token:nobody") == []
    assert [(note["what"], note["who"], note["detail"]["id"]) for note in notes] == [
        ("token revoked", "operator", made.id),
        ("token created", "operator", made.id),
    ]


def test_last_use_is_written_once_a_minute(store: Store) -> None:
    made = _create(store)
    with store.writing() as tx:
        touched = [
            tx.access.tokens.touch(made.id, NOON + timedelta(seconds=after), every=MINUTE) for after in (0, 59, 60, 61)
        ]
        assert touched == [True, False, True, False]
        assert tx.access.tokens.all()[0].last_used == NOON + MINUTE
