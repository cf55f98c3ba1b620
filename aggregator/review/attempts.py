"""Count attempts to sign in, and pause those that fail too often."""

from __future__ import annotations

import hashlib
import ipaddress
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from aggregator.review.errors import TooManyTriesError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from starlette.requests import Request

    from storage.store import Store, Transaction

_COUNTED = timedelta(days=1)  # how long failed attempts are counted
_FIRST_PAUSE = timedelta(seconds=30)

Subjects = dict[str, str]  # counted keys, by the kind of their limit


class Limit(NamedTuple):
    """Number of failed attempts before sign-ins pause, and the first and the longest pause; pauses double."""

    tries: int
    longest: timedelta
    first: timedelta = _FIRST_PAUSE


# Guesses from one address are paused for a long time. Guesses at one name from many addresses pause its owner for at
# most half a minute at a time, which leaves about three thousand guesses a day.
_LIMITS = {
    "both": Limit(5, timedelta(minutes=15)),
    "address": Limit(20, timedelta(minutes=15)),
    "name": Limit(50, _FIRST_PAUSE),
    "code": Limit(5, timedelta(minutes=15)),  # of one user; only those who know the password get there
    "mails to": Limit(3, timedelta(hours=1), timedelta(hours=1)),
    "mails from": Limit(10, timedelta(hours=1), timedelta(hours=1)),  # requested by one visitor
}


class Attempts:
    """The attempts of visitors, counted before they are checked: concurrent ones can't exceed a limit."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def check(self, subjects: Subjects, now: datetime) -> None:
        """Refuse an attempt while attempts are paused; that writes nothing.

        Raises:
            TooManyTriesError: they are.
        """
        with self._store.reading() as tx:
            until = tx.access.accounts.blocked(list(subjects.values()), now)
        if until is not None:
            raise _pausing(subjects, until, now)

    def count(self, subjects: Subjects, now: datetime) -> int:
        """Count an attempt as failed; a successful one is subtracted afterwards.

        Returns the greatest number of attempts of the first subject.

        Raises:
            TooManyTriesError: too many attempts have failed or are in progress.
        """
        with self._store.writing(lock_stream=False) as tx:
            counts = tx.access.accounts.count_attempt(list(subjects.values()), now, since=now - _COUNTED)
            until = tx.access.accounts.blocked(list(subjects.values()), now)
            if until is not None:
                raise _pausing(subjects, until, now)  # rolls the count back
            for kind, subject in subjects.items():
                limit = _LIMITS[kind]
                over = counts[subject] - limit.tries
                if over >= 0:
                    tx.access.accounts.block(subject, now + min(limit.first * (1 << min(over, 10)), limit.longest))
        return counts[next(iter(subjects.values()))]

    def note_failure(self, subjects: Subjects, count: int, now: datetime, detail: Mapping[str, object]) -> None:
        """Log the first failure and each that extends the pause, so that the audit log stays small."""
        kind = next(iter(subjects))
        if 1 < count < _LIMITS[kind].tries:
            return
        with self._store.writing() as tx:
            name = str(detail.get("name", ""))
            known = name and tx.access.accounts.get(name) is not None
            rest = {key: value for key, value in detail.items() if key != "name"}
            subject = f"account:{name}" if known else "account:unknown"
            tx.moderation.audit.note(now, "somebody", "failed to sign in", subject, {**rest, "tries": count})


def succeeded(tx: Transaction, subjects: Subjects) -> None:
    """Forget the failures of a name; those of an address are reduced by this attempt, since many people may have it."""
    # In the order in which attempts are counted, since another order could deadlock with them.
    if "address" in subjects:
        tx.access.accounts.uncount(subjects["address"], _LIMITS["address"].tries)
    tx.access.accounts.forgive([subject for kind, subject in subjects.items() if kind in {"both", "name", "code"}])


def subjects_of(name: str, address: str) -> Subjects:
    """Return what an attempt to sign in with a name counts for."""
    who = _hidden(name)  # people type passwords there by mistake
    return {"both": f"both:{who}:{address}", "address": f"address:{address}", "name": f"name:{who}"}


def subjects_of_code(account_id: int, address: str) -> Subjects:
    """Return what an attempt with a code counts for; correct passwords don't reduce it."""
    return {"code": f"code:{account_id}", "address": f"address:{address}"}


def subjects_of_mail(email: str, address: str) -> Subjects:
    """Return what a request for mail counts for."""
    return {"mails to": f"mail to:{_hidden(email.lower())}", "mails from": f"mail from:{address}"}


def client_of(request: Request) -> str:
    """Return the key under which attempts of an address are counted; IPv6 addresses count by network."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "unknown"
    if address.version == 6:  # noqa: PLR2004
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _hidden(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _pausing(subjects: Subjects, until: datetime, now: datetime) -> TooManyTriesError:
    seconds = max(int((until - now).total_seconds()) + 1, 1)
    wait = f"{seconds} seconds" if seconds < 100 else f"{seconds // 60 + 1} minutes"  # noqa: PLR2004
    what = "mails were requested" if "mails to" in subjects else "failed sign-ins"
    return TooManyTriesError(f"Too many {what}. Try again in {wait}.", seconds)
