"""Store the result of a poll or an archive page in one transaction."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.matching.edit_decisions import EditPolicy
from aggregator.domain.moderation.screening import held_for_review
from aggregator.domain.monitoring.watching import watched
from aggregator.domain.polling import permanent_redirects
from aggregator.domain.polling.results import PollStatus
from aggregator.services.incidents import report_wrongness
from aggregator.services.new_entry_rules import NewEntryRules
from aggregator.services.poll_records import success_record
from aggregator.services.poll_report import Report
from aggregator.services.screen_entries import screened_all
from aggregator.services.upstream_updates import update_embedding, with_known_objects
from aggregator.system.product_version import product_version

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from aggregator.domain.activity import (
        ScreenedActivity,
    )
    from aggregator.domain.polling.results import FetchResult, PollRecord
    from aggregator.domain.polling.schedule import PollBudget
    from aggregator.domain.source import Source
    from aggregator.domain.tagging.tagger import Tagger
    from storage.store import Store, Transaction
    from storage.stream.activities import Stored

log = structlog.get_logger(__name__)


def store_result(
    tx: Transaction,
    source: Source,
    result: FetchResult,
    screening: Sequence[ScreenedActivity],
    *,
    now: datetime,
    token: str,
    pace: PollBudget | None,
    edits_always_show: bool = False,
    may_backdate: bool = True,
    may_be_pushed: bool = False,
) -> PollRecord:
    """Write a result and the source's new schedule in one transaction."""
    last_look = source.poll.last_success if may_backdate and source.poll.last_new else None
    if edits_always_show:
        screening = with_known_objects(tx, screening)
    stored = tx.stream.activities.store(
        source.id,
        screening,
        now,
        present=result.present,
        recognising=source.poll.last_new is not None and source.options.get("identity", "layers") == "layers",
        judge=partial(NewEntryRules(tx, now).apply, source, last_look=last_look),
        edit_policy=EditPolicy(source.on_edit, edits_always_show),
        pushed_since=source.poll.last_success if may_be_pushed else None,
    )
    if stored.pending_edits:
        log.info("edits held for review", source=source.slug, count=stored.pending_edits)
    if edits_always_show:
        update_embedding(tx, result.activities, now)
    _keep_unread(tx, source, result, now)
    _withdraw_gone(tx, source, result, now)
    sighting, note = _follow_redirect(tx, source, result, stored, now)
    watch = watched(source.poll.watch, result, stored.times, now)
    record = success_record(source, result, now, token, pace, stored, sighting.moving, note, watch)
    if tx.polling.schedule.settle([record]):
        report_wrongness(tx, source, watch, now)
    return record


def _keep_unread(tx: Transaction, source: Source, result: FetchResult, now: datetime) -> None:
    if result.unread:
        tx.stream.unread.keep(source.id, result.unread, product_version(), now)
        log.warning(
            "entries not readable", source=source.slug, count=len(result.unread), reason=result.unread[0].reason
        )


def _withdraw_gone(tx: Transaction, source: Source, result: FetchResult, now: datetime) -> None:
    if result.gone:
        tx.stream.activities.withdraw(source.id, result.gone, "gone at the source", now)
    if result.account_gone:
        tx.stream.activities.withdraw_all(source.id, "its account is gone at the source", now)


def store_archive(
    store: Store,
    source: Source,
    result: FetchResult,
    now: datetime,
    tagger: Tagger | None = None,
    *,
    edits_always_show: bool = False,
) -> Report:
    """Write a page of a source's archive: old entries are no burst, and the schedule doesn't change."""
    with store.writing() as tx:
        stored = store_entries(tx, source, result, now, tagger, edits_always_show=edits_always_show)
        if result.unread:
            tx.stream.unread.keep(source.id, result.unread, product_version(), now)
    return Report(
        source.slug,
        PollStatus.NEW if stored.new else PollStatus.UNCHANGED,
        stored.new,
        stored.changed,
        stored.unchanged,
    )


def store_entries(
    tx: Transaction,
    source: Source,
    result: FetchResult,
    now: datetime,
    tagger: Tagger | None = None,
    *,
    edits_always_show: bool = False,
    hold: str = "",
) -> Stored:
    """Write entries that are no news of the source: old ones, which are no burst.

    With `hold`, a reason, new ones wait for review.
    """
    screening = screened_all(source, result, now, tagger)
    recognising = source.options.get("identity", "layers") == "layers"

    def judge(fresh: Sequence[ScreenedActivity]) -> list[ScreenedActivity]:
        judged = NewEntryRules(tx, now).apply(source, fresh)
        return [held_for_review(entry, hold) for entry in judged] if hold else judged

    edit_policy = EditPolicy(source.on_edit, edits_always_show)
    return tx.stream.activities.store(
        source.id, screening, now, recognising=recognising, judge=judge, edit_policy=edit_policy
    )


def _follow_redirect(
    tx: Transaction, source: Source, result: FetchResult, stored: Stored, now: datetime
) -> tuple[permanent_redirects.Sighting, str | None]:
    """Record a permanent redirect, and follow it after enough sightings."""
    place = result.moved_to
    known = result.unchanged or bool(result.skipped or stored.unchanged or stored.changed)
    sighting = permanent_redirects.observe(
        source.poll.pending_redirect, place.address if place else None, now, overlapping=known
    )
    if place is None or not sighting.settled:
        return sighting, None
    if source.sealed is not None and place.host != source.own_host:
        return (
            sighting,
            f"It moved to another host, {place.address}. Its credentials are not sent there; check the new address.",
        )
    reason = f"permanently redirected {permanent_redirects.SIGHTINGS} times"
    if not tx.polling.sources.move(source, place, reason, now, who="system"):
        return sighting, f"It moved to {place.address}, the address of another source; remove one of the two."
    return sighting, f"Moved to {place.address}; 'aggregator source revert {source.slug}' reverts that."
