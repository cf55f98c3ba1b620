"""Group the table classes by concern; each is created on first use."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from storage.access.accounts import Accounts
from storage.access.api_tokens import Tokens
from storage.billing.ledger import Spendings
from storage.moderation.audit_log import Audit
from storage.moderation.decisions import Decisions
from storage.moderation.freezes import Freezes
from storage.moderation.pending_edits import PendingEdits
from storage.moderation.queue import Queue
from storage.moderation.review_states import Reviews
from storage.moderation.rules import Rules
from storage.monitoring.alerts import Alerts
from storage.polling.clock_correction import Clock
from storage.polling.host_groups import Groups
from storage.polling.hosts import Hosts
from storage.polling.pace import PaceTable
from storage.polling.schedule import Schedule
from storage.polling.sources import Sources
from storage.revision import Stream
from storage.stream.activities import Activities
from storage.stream.actors import Actors
from storage.stream.stories import Stories
from storage.stream.tags import Tagging
from storage.stream.unread_entries import UnreadEntries
from storage.stream.versions import Versions

if TYPE_CHECKING:
    from sqlalchemy import Connection


class _Group:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection


class StreamRepositories(_Group):
    """The stream, within one transaction."""

    @cached_property
    def state(self) -> Stream:
        """The `stream` row."""
        return Stream(self._connection)

    @cached_property
    def activities(self) -> Activities:
        """The activities."""
        return Activities(self._connection)

    @cached_property
    def actors(self) -> Actors:
        """The actors."""
        return Actors(self._connection)

    @cached_property
    def stories(self) -> Stories:
        """The stories."""
        return Stories(self._connection)

    @cached_property
    def tags(self) -> Tagging:
        """The tags."""
        return Tagging(self._connection)

    @cached_property
    def unread(self) -> UnreadEntries:
        """The entries that can't be read yet."""
        return UnreadEntries(self._connection)

    @cached_property
    def versions(self) -> Versions:
        """The former versions."""
        return Versions(self._connection)


class PollingRepositories(_Group):
    """Polling, within one transaction."""

    @cached_property
    def sources(self) -> Sources:
        """The sources."""
        return Sources(self._connection)

    @cached_property
    def schedule(self) -> Schedule:
        """The schedule and the fetch log."""
        return Schedule(self._connection)

    @cached_property
    def paces(self) -> PaceTable:
        """The pace of each kind of source."""
        return PaceTable(self._connection)

    @cached_property
    def clock(self) -> Clock:
        """Corrections after the clock was set back."""
        return Clock(self._connection)

    @cached_property
    def hosts(self) -> Hosts:
        """The rate limits of hosts."""
        return Hosts(self._connection)

    @cached_property
    def host_groups(self) -> Groups:
        """The groups of hosts."""
        return Groups(self._connection)


class ModerationRepositories(_Group):
    """Moderation, within one transaction."""

    @cached_property
    def audit(self) -> Audit:
        """The audit log."""
        return Audit(self._connection)

    @cached_property
    def reviews(self) -> Reviews:
        """The review states."""
        return Reviews(self._connection)

    @cached_property
    def decisions(self) -> Decisions:
        """The decisions of people."""
        return Decisions(self._connection)

    @cached_property
    def pending_edits(self) -> PendingEdits:
        """The pending edits."""
        return PendingEdits(self._connection)

    @cached_property
    def queue(self) -> Queue:
        """The review queue."""
        return Queue(self._connection)

    @cached_property
    def rules(self) -> Rules:
        """The rules."""
        return Rules(self._connection)

    @cached_property
    def freezes(self) -> Freezes:
        """The freezes."""
        return Freezes(self._connection)


class BillingRepositories(_Group):
    """Billing, within one transaction."""

    @cached_property
    def ledger(self) -> Spendings:
        """The ledger of metered services."""
        return Spendings(self._connection)


class AccessRepositories(_Group):
    """Access, within one transaction."""

    @cached_property
    def accounts(self) -> Accounts:
        """The accounts and sessions of people."""
        return Accounts(self._connection)

    @cached_property
    def tokens(self) -> Tokens:
        """The API tokens."""
        return Tokens(self._connection)


class MonitoringRepositories(_Group):
    """Monitoring, within one transaction."""

    @cached_property
    def alerts(self) -> Alerts:
        """The alerts."""
        return Alerts(self._connection)
