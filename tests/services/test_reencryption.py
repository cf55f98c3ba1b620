"""Test that stored credentials are encrypted again under the present key."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from aggregator.config.credential_encryption import HeaderCipher
from aggregator.domain.access.credentials import Credential
from aggregator.domain.secrets import Secret
from aggregator.services import reencryption
from aggregator.services.reencryption import former_values, reencrypt
from storage.tables.api import credential
from storage.tables.polling import source
from tests.building import NOON, add_source

if TYPE_CHECKING:
    import pytest

    from storage.store import Store

FORMER, PRESENT = (HeaderCipher(Secret(f"{name} key of the installation")) for name in ("former", "present"))
BOTH = HeaderCipher(Secret("present key of the installation"), Secret("former key of the installation"))
HEADERS = {"Authorization": "Basic YTpi"}


def fill(store: Store, sources: int) -> None:
    for number in range(sources):
        made = add_source(store, f"s{number}")
        with store.engine.connect().execution_options(writing=True) as connection, connection.begin():
            sealed = FORMER.close(made.own_host, HEADERS)
            connection.execute(update(source).where(source.c.id == made.id).values(sealed=sealed))
    account = Credential(
        id=0, service="x", subject="9", name="ana", app="app", is_owner=True, access_expires=NOON, expires=NOON,
        created=NOON, renewed=NOON,
    )  # fmt: skip
    with store.writing() as tx:
        tx.api.credentials.put(account, FORMER.close("x:9", HEADERS))


def sealed(store: Store) -> list[str]:
    with store.engine.connect() as connection:
        rows = [*connection.execute(select(source.c.sealed)), *connection.execute(select(credential.c.sealed))]
    return [row.sealed for row in rows]


def test_everything_is_encrypted_under_the_present_key(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reencryption, "_BATCH", 2)
    fill(store, 5)
    with store.reading() as tx:
        assert len(list(former_values(tx, BOTH))) == 6
    assert reencrypt(store, BOTH, NOON, "test") == (6, 0)
    with store.reading() as tx:
        assert list(former_values(tx, PRESENT)) == []
        sources = list(tx.polling.sources.each())
        assert [line["detail"] for line in tx.moderation.audit.of("secret-key")] == [{"count": 6}]
    assert [PRESENT.open(each.own_host, each.sealed or "") for each in sources] == [HEADERS] * 5
    assert reencrypt(store, BOTH, NOON + timedelta(hours=1), "test") == (0, 0)


def test_what_no_key_decrypts_is_left_and_counted(store: Store) -> None:
    fill(store, 1)
    before = sealed(store)
    assert reencrypt(store, PRESENT, NOON, "test") == (0, 2)
    assert sealed(store) == before


def test_a_credential_that_was_replaced_meanwhile_stays(store: Store) -> None:
    fill(store, 1)
    with store.reading() as tx:
        [value, _] = former_values(tx, BOTH)
    newer = PRESENT.close("s0.example:443", {"Authorization": "Basic bmV3"})
    with store.writing() as tx:
        tx.polling.sources.change(value.id, sealed=newer)
        assert not tx.sealed_values.replace(value, "an older one")
    assert newer in sealed(store)
