"""Remember posts that a stream announced until they are stored: a poll may come before the network's API has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

MOST = 20_000  # announced posts
AGES = (20.0, 120.0)  # seconds after which a post that is not stored causes another poll
_AT_ONCE = 1000


class _Announced(NamedTuple):
    account: str
    at: float
    looks: int


class AnnouncedPosts:
    """Announced posts by native id. Above `MOST`, the oldest are left to the usual polls."""

    def __init__(self) -> None:
        self._waiting: tuple[dict[str, _Announced], ...] = tuple({} for _ in AGES)  # oldest first, by number of looks

    def add(self, native_id: str, account: str, now: float) -> None:
        """Remember a post; nothing if its id is empty or known."""
        if native_id and all(native_id not in waiting for waiting in self._waiting):
            self._put(native_id, _Announced(account, now, 0))

    def due(self, now: float) -> list[str]:
        """Return posts that should be stored by now."""
        due: list[str] = []
        for age, waiting in zip(AGES, self._waiting, strict=True):
            for native_id, announced in waiting.items():
                if now - announced.at < age or len(due) >= _AT_ONCE:
                    break
                due.append(native_id)
        return due

    def missing(self, native_ids: Collection[str], known: Collection[str], now: float) -> set[str]:
        """Return the accounts of those posts that are not known, and forget the others."""
        accounts = set()
        for native_id in native_ids:
            found = next((waiting.pop(native_id) for waiting in self._waiting if native_id in waiting), None)
            if found is None or native_id in known:
                continue
            accounts.add(found.account)
            if found.looks + 1 < len(AGES):
                self._put(native_id, found._replace(at=now, looks=found.looks + 1))
        return accounts

    def _put(self, native_id: str, announced: _Announced) -> None:
        waiting = self._waiting[announced.looks]
        if len(waiting) >= MOST:
            del waiting[next(iter(waiting))]
        waiting[native_id] = announced
