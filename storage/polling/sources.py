"""Add, move, change and remove sources. `storage/polling/schedule.py` has their due times."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import case, literal, select, update

from aggregator.domain.errors import BadRequestError
from aggregator.domain.source import (
    Place,
    Policy,
    Source,
    SourceState,
)
from aggregator.text.urls import LONGEST_SLUG
from storage.moderation.audit_log import Audit
from storage.polling.host_groups import Groups
from storage.polling.leases import Leases
from storage.polling.source_lists import SourceLists
from storage.revision import Stream
from storage.tables.polling import source, source_address
from storage.tables.stream import activity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from aggregator.domain.polling.results import Discovery


_CHANGEABLE = frozenset(
    {
        *("name", "every", "ceiling", "floor", "options", "sealed", "moving", "fetch_state", "appetite"),
        *("policy", "delay", "on_edit", "trusted", "managed", "undescribed", "folder"),
    }
)
# The columns of a source that was never polled, also of one that is added again.
_AS_ADDED: Mapping[str, Any] = {
    "state": SourceState.ACTIVE.value,
    "state_reason": "",
    "failures": 0,
    "strain": 0.0,
    "fetch_state": {},
    "rhythm": None,
    "speed": None,
    "appetite": None,
    "moving": None,
    "watch": None,
    "silent_from": None,
}


_OTHER_KIND = "0:"  # a fingerprint of no scheme


class FormerAddress(NamedTuple):
    """A former address of a source, with its end and the reason."""

    place: Place
    left: datetime
    reason: str


class Sources(SourceLists):
    """The sources, within one transaction: `SourceLists` with writes."""

    def add(
        self,
        found: Discovery,
        *,
        slug: str,
        policy: Policy,
        now: datetime,
        sealed: str | None = None,
        delay: timedelta | None = None,
        polled: bool = True,
    ) -> Source:
        """Add a source, due now; a removed source is restored with its items.

        A source that is not `polled` is never due: people write its items.

        Raises:
            BadRequestError: the address or the slug is taken.
        """
        revision = Stream(self._connection).take(1)
        former = self.at(found.kind, found.address)
        if former and former.state is not SourceState.REMOVED:
            raise BadRequestError(f"{found.address} already exists as {former.slug!r}.")
        due, due_reason = (now, "just added") if polled else (None, "nobody polls it")
        values = {
            **_AS_ADDED,
            **self._discovered(found),
            "slug": slug,
            "policy": policy.value,
            "delay": round(delay.total_seconds()) if delay else None,
            "due": due,
            "due_reason": due_reason,
            "sealed": sealed,
            "revision": revision,
        }
        self._put(former, values, now)
        added = self.get(slug)
        if added is None:
            raise BadRequestError(f"The source {slug!r} was removed meanwhile.")
        return added

    def convert(self, former: Source, found: Discovery, now: datetime, *, who: str) -> Source:
        """Let another kind read a source from now on; it keeps its name, its policy and its items.

        Raises:
            BadRequestError: that kind has a source at the address, which was removed.
        """
        if self.at(found.kind, found.address) is not None:
            raise BadRequestError(f"{found.address} already exists as {former.slug!r}.")
        columns = {name: value for name, value in self._discovered(found).items() if name not in {"name", "every"}}
        values = {**columns, **_AS_ADDED, "due": now, "due_reason": "just converted", "sealed": None}
        revision = Stream(self._connection).take(1)
        self._connection.execute(update(source).where(source.c.id == former.id).values(**values, revision=revision))
        # What the new kind reads differently is its rendering, not an edit of the publisher.
        kept = (activity.c.source_id == former.id) & activity.c.gone.is_(None)
        self._connection.execute(update(activity).where(kept).values(fingerprint=_OTHER_KIND))
        details = {"from": former.kind, "to": found.kind}
        Audit(self._connection).note(now, who, "source converted", f"source:{former.slug}", details)
        converted = self.get(former.slug)
        if converted is None:
            raise BadRequestError(f"The source {former.slug!r} was removed meanwhile.")
        return converted

    def of_other_kind(self, found: Discovery) -> Source | None:
        """Return a source at an address that another kind reads."""
        chosen = select(source.c.kind).where(
            source.c.address == found.address,
            source.c.kind != found.kind,
            source.c.state != SourceState.REMOVED.value,
        )
        kind: str | None = self._connection.execute(chosen.order_by(source.c.id).limit(1)).scalar()
        return self.at(kind, found.address) if kind is not None else None

    def _discovered(self, found: Discovery) -> dict[str, Any]:
        """Return the columns that discovery fills."""
        return {
            "kind": found.kind,
            "name": found.name,
            "address": found.address,
            "own_host": found.host,
            "host": Groups(self._connection).group_of(found.host),
            "options": dict(found.options),
            "every": round(found.every.total_seconds()) if found.every else None,
            "floor": round(found.floor.total_seconds()),
            "interval": round((found.every or found.floor).total_seconds()),
        }

    def _put(self, former: Source | None, values: dict[str, Any], now: datetime) -> None:
        """Insert a source, or overwrite the removed one that had its address."""
        slug = values["slug"]
        if self._connection.execute(
            select(source.c.id).where(source.c.slug == slug, source.c.id != (former.id if former else 0))
        ).first():
            raise BadRequestError(f"The slug {slug!r} is taken; choose another with --slug.")
        if former:
            self._connection.execute(update(source).where(source.c.id == former.id).values(**values))
        else:
            self._connection.execute(source.insert().values(**values, created=now))

    def move(self, moved: Source, place: Place, reason: str, now: datetime, *, who: str) -> bool:
        """Change a source's address, store the former one and add an audit entry.

        Returns False if another source has that address.
        """
        taken = self.at(moved.kind, place.address)
        if taken is not None and taken.id != moved.id:
            return False
        revision = Stream(self._connection).take(1)
        self._connection.execute(
            source_address.insert().values(
                source_id=moved.id, address=moved.address, host=moved.own_host, left=now, reason=reason
            )
        )
        self._connection.execute(
            update(source)
            .where(source.c.id == moved.id)
            .values(
                address=place.address,
                own_host=place.host,
                host=Groups(self._connection).group_of(place.host),
                revision=revision,
            )
        )
        Audit(self._connection).note(
            now,
            who,
            "source moved",
            f"source:{moved.slug}",
            {"from": moved.address, "to": place.address, "why": reason},
        )
        return True

    def former_addresses(self, source_id: int) -> list[FormerAddress]:
        """Return the former addresses of a source, newest first."""
        rows = self._connection.execute(
            select(source_address).where(source_address.c.source_id == source_id).order_by(source_address.c.id.desc())
        )
        return [FormerAddress(Place(row.address, row.host), row.left, row.reason) for row in rows]

    def change(self, source_id: int, **values: Any) -> None:  # noqa: ANN401  # columns of different types
        """Set columns by name; `every`, `ceiling`, `floor` and `delay` are in seconds."""
        unknown = set(values) - _CHANGEABLE
        if unknown:
            raise ValueError(f"Unknown columns of a source: {sorted(unknown)}")
        revision = Stream(self._connection).take(1)
        self._connection.execute(update(source).where(source.c.id == source_id).values(**values, revision=revision))

    def free_slug(self, slug: str) -> str:
        """Return an unused slug, reserved until the transaction ends: "a", "a-2", ...

        The number is found by doubling and bisection, so that thousands of sources may share a name.
        """
        Stream(self._connection).take(1)  # takes the lock that all adders of sources take
        if not self.slug_taken(slug):
            return slug

        def numbered(number: int) -> str:
            suffix = f"-{number}"
            return f"{slug[: LONGEST_SLUG - len(suffix)].rstrip('-')}{suffix}"

        def free(number: int) -> bool:
            return not self.slug_taken(numbered(number))

        most = 2
        while not free(most):
            most *= 2
        return numbered(bisect_left(range(most), True, lo=most // 2 + 1, key=free))

    def set_state(self, source_id: int, state: SourceState, reason: str, now: datetime) -> None:
        """Pause, resume, stop or remove a source.

        A resumed source is due now. Any lease ends, and a requested poll is cancelled unless the source is resumed.
        """
        revision = Stream(self._connection).take(1)
        Leases(self._connection).revoke(source_id)
        active = state is SourceState.ACTIVE
        due = case((source.c.due.is_not(None), literal(now, source.c.due.type)))  # if it is polled
        self._connection.execute(
            update(source)
            .where(source.c.id == source_id)
            .values(
                state=state.value,
                state_reason=reason,
                revision=revision,
                **({"due": due, "due_reason": "resumed", "failures": 0, "strain": 0.0} if active else {"asked": None}),
            )
        )
