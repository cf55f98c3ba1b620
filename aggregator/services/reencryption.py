"""Encrypt stored credentials under the present key, so that a former key can be removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from storage.sealed_values import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from aggregator.config.credential_encryption import HeaderCipher
    from storage.sealed_values import SealedValue
    from storage.store import Store, Transaction

_BATCH = 100  # values per transaction


class Reencrypted(NamedTuple):
    """The number of credentials by result."""

    changed: int
    unreadable: int  # no listed key can decrypt them


def former_values(tx: Transaction, cipher: HeaderCipher) -> Iterator[SealedValue]:
    """Yield the values that are not encrypted under the present key."""
    for table in TABLES:
        after = 0
        while page := tx.sealed_values.page(table, after, _BATCH):
            yield from (value for value in page if not cipher.is_present(value.sealed))
            after = page[-1].id


def reencrypt(store: Store, cipher: HeaderCipher, now: datetime, who: str) -> Reencrypted:
    """Encrypt everything under the present key, in batches; return the counts. May be repeated."""
    with store.reading() as tx:
        values = list(former_values(tx, cipher))
    changed = unreadable = 0
    for start in range(0, len(values), _BATCH):
        with store.writing() as tx:
            for value in values[start : start + _BATCH]:
                sealed = cipher.encrypted_again(value.sealed)
                if sealed is None:
                    unreadable += 1
                else:
                    changed += tx.sealed_values.replace(value, sealed)
    if changed:
        with store.writing() as tx:
            tx.moderation.audit.note(now, who, "credentials encrypted again", "secret-key", {"count": changed})
    return Reencrypted(changed, unreadable)
