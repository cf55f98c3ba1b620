"""Compute the record of a poll: its outcome, the new fetch state and the next due time. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from aggregator.domain.activity import storable_json
from aggregator.domain.errors import BudgetError, PausedError, RefusedError, SourceError, WorkerLostError
from aggregator.domain.monitoring.watching import Watch
from aggregator.domain.polling import schedule
from aggregator.domain.polling.results import Failure, FetchFacts, FetchResult, PollRecord, PollStatus
from aggregator.fetching.request_target import display_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.domain.polling.schedule import PollBudget
    from aggregator.domain.source import Source
    from storage.stream.activities import Stored

MOST_UNFINISHED = 3  # polls in a row that started and never ended; then the source fails without being polled


def success_record(
    source: Source,
    result: FetchResult,
    now: datetime,
    token: str,
    pace: PollBudget | None,
    stored: Stored | None = None,
    pending_redirect: Mapping[str, Any] | None = None,
    note: str | None = None,
    watch: Watch = Watch(),  # noqa: B008 - immutable
) -> PollRecord:
    """Return the record of a poll that succeeded."""
    new, changed = (stored.new, stored.changed) if stored else (0, 0)
    profile = _observed(source, stored, now)
    weight = schedule.poll_weight(profile, now)
    upcoming = _next_poll(source, result, now, weight, pace)
    return PollRecord(
        source_id=source.id,
        token=token,
        facts=result.facts or FetchFacts(now, timedelta()),
        outcome=PollStatus.NEW if new else PollStatus.CHANGED if changed else PollStatus.UNCHANGED,
        due=upcoming.at,
        due_reason=upcoming.reason,
        failures=0,
        fetch_state=storable_json(result.state),
        now=now,
        interval=upcoming.interval,
        publishing_profile=profile.json(),
        poll_weight=weight if source.every is None else None,
        daily_cost=result.appetite,
        pending_redirect=pending_redirect,
        watch=watch.stored,
        silent_from=watch.silent_from,
        new=new,
        changed=changed,
        unchanged=(stored.unchanged if stored else 0) + result.skipped,
        message=_message(source, [result.note, note], stored.quarantined if stored else 0),
        kind=source.kind,
        delays=_delays(source, stored, now),
    )


def _observed(source: Source, stored: Stored | None, now: datetime) -> schedule.PublishingProfile:
    known = schedule.PublishingProfile.of(source.poll.publishing_profile, now)
    return schedule.observed(known, now, stored.times if stored else ())


def _delays(source: Source, stored: Stored | None, now: datetime) -> list[tuple[str, timedelta]]:
    """Return the delays of new items; the first items of a source are old, which is no delay."""
    if stored is None or source.poll.last_new is None:
        return []
    return [(network, max(now - published, timedelta())) for network, published in stored.shown]


def _next_poll(
    source: Source, result: FetchResult, now: datetime, weight: float, pace: PollBudget | None
) -> schedule.NextPoll:
    return schedule.after_success(
        now,
        _terms(source),
        poll_weight=weight,
        pace=pace,
        hints=result.hints,
        not_before=result.not_before,
        look_again=result.look_again,
    )


def _message(source: Source, notes: Sequence[str | None], quarantined: int) -> str | None:
    """Return the notes on a poll as one text."""
    on_quarantine = (
        f"{quarantined} old entries came at once and were quarantined; 'aggregator source release "
        f"{source.slug}' releases them, 'aggregator source drop {source.slug}' deletes them."
        if quarantined
        else None
    )
    message: str | None = storable_json(" ".join(filter(None, [*notes, on_quarantine])) or None)
    return message


def _terms(source: Source) -> schedule.Terms:
    return schedule.Terms(source.id, source.every, source.floor, source.ceiling)


def failure_record(
    source: Source, failure: Failure, now: datetime, token: str, *, in_outage: bool = False
) -> PollRecord:
    """Return the record of a poll that failed; failures during an outage of the host are not the source's."""
    error = failure.error
    failures, weight = source.poll.failures, source.poll.failure_weight
    if isinstance(error, PausedError | BudgetError):  # not the source's failure: no request was sent
        upcoming = schedule.after_silence(now, _terms(source), usual=source.poll.interval, until=error.until)
    elif in_outage:
        upcoming = schedule.after_silence(now, _terms(source), usual=source.poll.interval, why="outage of its host")
    else:
        failures += 1
        weight += 0 if _is_refusal(error) else error.failure_weight
        upcoming = _next_try(source, error, now, failures, weight)
    return PollRecord(
        source_id=source.id,
        token=token,
        facts=failure.facts or FetchFacts(now, timedelta(), status=error.status),
        outcome=PollStatus.FAILED,
        due=upcoming.at,
        due_reason=upcoming.reason,
        failures=failures,
        fetch_state=source.poll.fetch_state,
        now=now,
        interval=source.poll.interval,
        failure_weight=weight,
        publishing_profile=source.poll.publishing_profile,
        poll_weight=schedule.poll_weight(schedule.PublishingProfile.of(source.poll.publishing_profile, now), now)
        if source.every is None
        else None,
        daily_cost=source.poll.daily_cost,
        pending_redirect=source.poll.pending_redirect,
        message=storable_json(str(error)),
        error_code=error.code,
        kind=source.kind,
        # After the pause it is polled alone, and fails again if that poll doesn't end either.
        unfinished=MOST_UNFINISHED - 1 if isinstance(error, WorkerLostError) else 0,
    )


def _is_refusal(error: SourceError) -> bool:
    """Return whether the service answered as it should, so that nothing is gained by longer delays."""
    return isinstance(error, RefusedError) or error.probed_every is not None


def _next_try(source: Source, error: SourceError, now: datetime, failures: int, weight: float) -> schedule.NextPoll:
    terms, usual = _terms(source), source.poll.interval
    if isinstance(error, RefusedError):
        return schedule.after_silence(now, terms, usual=usual, until=error.until, why="refused")
    if error.probed_every is not None:
        return schedule.after_account_refusal(now, terms, usual=usual, every=error.probed_every)
    return schedule.after_failure(now, terms, usual=usual, failures=failures, failure_weight=weight, until=error.until)


def lost_worker(source: Source) -> WorkerLostError:
    """Return the error of a source whose polls repeatedly ended their worker."""
    return WorkerLostError(
        f"The process that polled {display_url(source.address)} died {MOST_UNFINISHED} times in a row, "
        "the last times without other sources. It is polled again after a pause; see the logs of the workers."
    )
