"""Group the table classes by concern.

Each is imported and created on first use: a short command needs few of them, and their definitions are most of what it
would import.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from storage.access.accounts import Accounts
    from storage.access.api_tokens import Tokens
    from storage.access.desk_settings import DeskSettingsTable
    from storage.access.passkeys import Passkeys
    from storage.access.single_use import Links, SpentTokens
    from storage.access.totp import AuthenticatorApps
    from storage.api.credentials import ConnectedAccounts
    from storage.api.refusals import ApiRefusals
    from storage.billing.ledger import Spendings
    from storage.moderation.audit_log import Audit
    from storage.moderation.decisions import Decisions
    from storage.moderation.freezes import Freezes
    from storage.moderation.pending_edits import PendingEdits
    from storage.moderation.queue import Queue
    from storage.moderation.review_states import Reviews
    from storage.moderation.rules import Rules
    from storage.monitoring.alerts import Alerts
    from storage.monitoring.counts import Counts
    from storage.monitoring.facts import Facts
    from storage.monitoring.incidents import Incidents
    from storage.monitoring.server import Server
    from storage.monitoring.silences import Silences
    from storage.monitoring.wrong_sources import WrongSources
    from storage.polling.clock_correction import Clock
    from storage.polling.host_groups import Groups
    from storage.polling.hosts import Hosts
    from storage.polling.outages import Outages
    from storage.polling.pace import PaceTable
    from storage.polling.pushes import Pushes
    from storage.polling.schedule import Schedule
    from storage.polling.source_table import SourceTable
    from storage.polling.sources import Sources
    from storage.revision import Stream
    from storage.stream.activities import Activities
    from storage.stream.actors import Actors
    from storage.stream.content_reduction import ContentReduction
    from storage.stream.pictures import PictureOwners
    from storage.stream.sitemap import Sitemap
    from storage.stream.stories import Stories
    from storage.stream.tags import Tagging
    from storage.stream.unread_entries import UnreadEntries
    from storage.stream.uploads import Uploads
    from storage.stream.versions import Versions


class _Group:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection


class StreamRepositories(_Group):
    """The stream, within one transaction."""

    @cached_property
    def state(self) -> Stream:
        """The `stream` row."""
        from storage.revision import Stream

        return Stream(self._connection)

    @cached_property
    def activities(self) -> Activities:
        """The activities."""
        from storage.stream.activities import Activities

        return Activities(self._connection)

    @cached_property
    def actors(self) -> Actors:
        """The actors."""
        from storage.stream.actors import Actors

        return Actors(self._connection)

    @cached_property
    def pictures(self) -> PictureOwners:
        """Who names a picture."""
        from storage.stream.pictures import PictureOwners

        return PictureOwners(self._connection)

    @cached_property
    def sitemap(self) -> Sitemap:
        """The list for search engines."""
        from storage.stream.sitemap import Sitemap

        return Sitemap(self._connection)

    @cached_property
    def stories(self) -> Stories:
        """The stories."""
        from storage.stream.stories import Stories

        return Stories(self._connection)

    @cached_property
    def tags(self) -> Tagging:
        """The tags."""
        from storage.stream.tags import Tagging

        return Tagging(self._connection)

    @cached_property
    def reduction(self) -> ContentReduction:
        """The content that may no longer be stored."""
        from storage.stream.content_reduction import ContentReduction

        return ContentReduction(self._connection)

    @cached_property
    def unread(self) -> UnreadEntries:
        """The entries that can't be read yet."""
        from storage.stream.unread_entries import UnreadEntries

        return UnreadEntries(self._connection)

    @cached_property
    def uploads(self) -> Uploads:
        """The pictures of our own posts."""
        from storage.stream.uploads import Uploads

        return Uploads(self._connection)

    @cached_property
    def versions(self) -> Versions:
        """The former versions."""
        from storage.stream.versions import Versions

        return Versions(self._connection)


class PollingRepositories(_Group):
    """Polling, within one transaction."""

    @cached_property
    def sources(self) -> Sources:
        """The sources."""
        from storage.polling.sources import Sources

        return Sources(self._connection)

    @cached_property
    def source_table(self) -> SourceTable:
        """The sources in several orders."""
        from storage.polling.source_table import SourceTable

        return SourceTable(self._connection)

    @cached_property
    def schedule(self) -> Schedule:
        """The schedule and the fetch log."""
        from storage.polling.schedule import Schedule

        return Schedule(self._connection)

    @cached_property
    def paces(self) -> PaceTable:
        """The pace of each kind of source."""
        from storage.polling.pace import PaceTable

        return PaceTable(self._connection)

    @cached_property
    def clock(self) -> Clock:
        """Corrections after the clock was set back."""
        from storage.polling.clock_correction import Clock

        return Clock(self._connection)

    @cached_property
    def hosts(self) -> Hosts:
        """The rate limits of hosts."""
        from storage.polling.hosts import Hosts

        return Hosts(self._connection)

    @cached_property
    def host_groups(self) -> Groups:
        """The groups of hosts."""
        from storage.polling.host_groups import Groups

        return Groups(self._connection)

    @cached_property
    def outages(self) -> Outages:
        """The outages of host groups."""
        from storage.polling.outages import Outages

        return Outages(self._connection)

    @cached_property
    def pushes(self) -> Pushes:
        """The state of push listeners."""
        from storage.polling.pushes import Pushes

        return Pushes(self._connection)


class ModerationRepositories(_Group):
    """Moderation, within one transaction."""

    @cached_property
    def audit(self) -> Audit:
        """The audit log."""
        from storage.moderation.audit_log import Audit

        return Audit(self._connection)

    @cached_property
    def reviews(self) -> Reviews:
        """The review states."""
        from storage.moderation.review_states import Reviews

        return Reviews(self._connection)

    @cached_property
    def decisions(self) -> Decisions:
        """The decisions of people."""
        from storage.moderation.decisions import Decisions

        return Decisions(self._connection)

    @cached_property
    def pending_edits(self) -> PendingEdits:
        """The pending edits."""
        from storage.moderation.pending_edits import PendingEdits

        return PendingEdits(self._connection)

    @cached_property
    def queue(self) -> Queue:
        """The review queue."""
        from storage.moderation.queue import Queue

        return Queue(self._connection)

    @cached_property
    def rules(self) -> Rules:
        """The rules."""
        from storage.moderation.rules import Rules

        return Rules(self._connection)

    @cached_property
    def freezes(self) -> Freezes:
        """The freezes."""
        from storage.moderation.freezes import Freezes

        return Freezes(self._connection)


class BillingRepositories(_Group):
    """Billing, within one transaction."""

    @cached_property
    def ledger(self) -> Spendings:
        """The ledger of metered services."""
        from storage.billing.ledger import Spendings

        return Spendings(self._connection)


class ApiRepositories(_Group):
    """The APIs of services, within one transaction."""

    @cached_property
    def refusals(self) -> ApiRefusals:
        """The current refusals."""
        from storage.api.refusals import ApiRefusals

        return ApiRefusals(self._connection)

    @cached_property
    def credentials(self) -> ConnectedAccounts:
        """The connected accounts."""
        from storage.api.credentials import ConnectedAccounts

        return ConnectedAccounts(self._connection)


class AccessRepositories(_Group):
    """Access, within one transaction."""

    @cached_property
    def accounts(self) -> Accounts:
        """The accounts and sessions of people."""
        from storage.access.accounts import Accounts

        return Accounts(self._connection)

    @cached_property
    def tokens(self) -> Tokens:
        """The API tokens."""
        from storage.access.api_tokens import Tokens

        return Tokens(self._connection)

    @cached_property
    def settings(self) -> DeskSettingsTable:
        """The settings and saved views of the desk's users."""
        from storage.access.desk_settings import DeskSettingsTable

        return DeskSettingsTable(self._connection)

    @cached_property
    def passkeys(self) -> Passkeys:
        """The passkeys of the desk's users."""
        from storage.access.passkeys import Passkeys

        return Passkeys(self._connection)

    @cached_property
    def totp(self) -> AuthenticatorApps:
        """The authenticator apps of the desk's users, and their recovery codes."""
        from storage.access.totp import AuthenticatorApps

        return AuthenticatorApps(self._connection)

    @cached_property
    def links(self) -> Links:
        """The single-use links of accounts."""
        from storage.access.single_use import Links

        return Links(self._connection)

    @cached_property
    def spent(self) -> SpentTokens:
        """The single-use tokens that were used."""
        from storage.access.single_use import SpentTokens

        return SpentTokens(self._connection)


class MonitoringRepositories(_Group):
    """Monitoring, within one transaction."""

    @cached_property
    def alerts(self) -> Alerts:
        """The alerts."""
        from storage.monitoring.alerts import Alerts

        return Alerts(self._connection)

    @cached_property
    def counts(self) -> Counts:
        """The counts of polls and items."""
        from storage.monitoring.counts import Counts

        return Counts(self._connection)

    @cached_property
    def facts(self) -> Facts:
        """The facts about the present state that metrics and `status` show."""
        from storage.monitoring.facts import Facts

        return Facts(self._connection)

    @cached_property
    def server(self) -> Server:
        """The database server's own settings."""
        from storage.monitoring.server import Server

        return Server(self._connection)

    @cached_property
    def incidents(self) -> Incidents:
        """The incidents."""
        from storage.monitoring.incidents import Incidents

        return Incidents(self._connection)

    @cached_property
    def silences(self) -> Silences:
        """The silent sources."""
        from storage.monitoring.silences import Silences

        return Silences(self._connection)

    @cached_property
    def wrong_sources(self) -> WrongSources:
        """The sources that answer with pages."""
        from storage.monitoring.wrong_sources import WrongSources

        return WrongSources(self._connection)
