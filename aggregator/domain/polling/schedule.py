"""Schedule the next poll of a source, with the reason. Pure.

Sources without a fixed interval are polled by their publishing profile: how much they publish, at what time of day,
and how much right now. The mean delay of items is minimal if the poll rate is proportional to the square root of the
publishing rate. So each source has a *poll weight*, the root of its current rate, and the *pace* is the number of polls
per unit of weight that keeps all sources within the allowed total.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from math import cos, exp, pi, sin, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from aggregator.domain.polling.results import PublisherHints
from aggregator.text.durations import spoken

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DAY = timedelta(days=1)
DOCUMENT_FLOOR = timedelta(minutes=15)  # between polls of a document with validators
PRIVATE_FLOOR = timedelta(seconds=1)  # on hosts of an allowed private network
LONGEST_INTERVAL = 366 * 24 * 3600  # seconds: maximum configurable interval
SHORTEST_FLOOR = 60  # seconds
SHORTEST = timedelta(seconds=60)  # minimum adaptive interval
UNKNOWN = timedelta(hours=1)  # between polls while no pace is known
LONGEST_FAILING = DAY  # between retries of a failing source
LONGEST_DEAD = timedelta(days=7)  # between retries of a source that has failed for long: for ever, but rarely
DEAD = 8.0  # failure weight from which a source counts as dead
JITTER = 0.1
LOOK_AFTER = timedelta(seconds=15)  # tolerance for different clocks after the time of the last change

_MEMORY = timedelta(days=14)  # how long items count
_BURST = timedelta(hours=1)
_PRIOR = 14.0  # items: assume one a day until more is known
_LEAST_RATE = 0.1 / DAY.total_seconds()  # minimum rate of items per second for any source
_SHARE = 0.5  # share of the rate that follows the time of day; the rest follows the burst
_LEAST_OF_DAY = 0.2  # of the mean rate in the quietest hour
_DAY_PRIOR = 6.0  # items before the time of day counts
_MOST_AT_ONCE = 50  # maximum number of items counted per poll
_MOST_STORED = 1e9  # items; more is corrupt data, like NaN
_TURN = 2 * pi / DAY.total_seconds()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NextPoll(NamedTuple):
    """The time, the reason in words, and the interval before publisher hints."""

    at: datetime
    reason: str
    interval: timedelta


@dataclass(frozen=True, slots=True)
class PublishingProfile:
    """The publishing profile of a source: items decayed over two weeks and over an hour, and their daily wave."""

    at: datetime  # the last update
    items: float = _PRIOR
    cosine: float = 0.0
    sine: float = 0.0
    burst: float = 0.0

    def json(self) -> dict[str, Any]:
        """Return the profile in its stored form."""
        return {**asdict(self), "at": self.at.isoformat()}

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None, now: datetime) -> PublishingProfile:
        """Parse a stored profile; a missing or invalid one is replaced by a new one."""
        try:
            at = datetime.fromisoformat((stored or {})["at"])
            numbers = {name: float((stored or {})[name]) for name in ("items", "cosine", "sine", "burst")}
        except (KeyError, TypeError, ValueError):
            return cls(now)
        sound = at.tzinfo is not None and all(abs(number) < _MOST_STORED for number in numbers.values())
        usable = sound and numbers["items"] >= 0 and numbers["burst"] >= 0
        return cls(min(at, now), **numbers) if usable else cls(now)


def observed(profile: PublishingProfile, now: datetime, published: Iterable[datetime]) -> PublishingProfile:
    """Update a profile after a poll.

    Args:
        profile: the profile before.
        now: the current time.
        published: times of new items; future ones count as now, old ones hardly count.
    """
    slow, fast = _left(now - profile.at, _MEMORY), _left(now - profile.at, _BURST)
    items, cosine, sine, burst = profile.items * slow, profile.cosine * slow, profile.sine * slow, profile.burst * fast
    newest = sorted(min(moment, now) for moment in published)[-_MOST_AT_ONCE:]
    for moment in newest:
        age = now - moment
        if age > _MEMORY:
            continue
        weight, angle = _left(age, _MEMORY), _angle(moment)
        items += weight
        cosine += weight * cos(angle)
        sine += weight * sin(angle)
        burst += _left(age, _BURST)
    return PublishingProfile(now, items, cosine, sine, burst)


def poll_weight(profile: PublishingProfile, now: datetime, weight: float = 1.0) -> float:
    """Return the poll weight of a source in roots of items per second; `weight` reflects its readers."""
    return sqrt(weight * _rate(profile, now))


def _rate(profile: PublishingProfile, now: datetime) -> float:
    slow, fast = _left(now - profile.at, _MEMORY), _left(now - profile.at, _BURST)
    items, angle = profile.items * slow, _angle(now)
    wave = 2 * slow * (profile.cosine * cos(angle) + profile.sine * sin(angle)) / (items + _DAY_PRIOR)
    by_day = items / _MEMORY.total_seconds() * max(_LEAST_OF_DAY, 1 + wave)
    by_burst = profile.burst * fast / _BURST.total_seconds()
    return (1 - _SHARE) * by_day + _SHARE * by_burst + _LEAST_RATE


@dataclass(frozen=True, slots=True)
class PollBudget:
    """The poll budget per unit of weight."""

    level: float  # daily average of the sum of all poll weights
    per_second: float  # allowed requests in total


def levelled(level: float | None, since: timedelta, total: float) -> float:
    """Update the daily average of the sum of all poll weights; averaging moves polls from night to day."""
    if level is None:
        return total
    keep = _left(since, DAY)
    return level * keep + total * (1 - keep)


@dataclass(frozen=True, slots=True)
class Terms:
    """The schedule settings of one source."""

    source_id: int
    every: timedelta | None  # the configured interval; None: adaptive
    floor: timedelta
    ceiling: timedelta = DAY


def after_success(
    now: datetime,
    terms: Terms,
    *,
    poll_weight: float,
    pace: PollBudget | None,
    hints: PublisherHints = PublisherHints(),  # noqa: B008 - frozen
    not_before: datetime | None = None,
    look_again: datetime | None = None,
) -> NextPoll:
    """Return the next poll after a success; publisher hints only delay it.

    `look_again` is a time just after which to poll, regardless of the interval.
    """
    interval, reason = _interval_of(terms, poll_weight, pace)
    least = max(terms.floor, hints.floor)
    if interval < least:
        # Spread it as well, or all sources at their minimum interval would stay synchronized.
        interval, reason = least * (1 + JITTER * _spread(terms.source_id)), f"minimum interval {spoken(least)}"
    policy = interval
    if interval < hints.at_least:
        interval, reason = hints.at_least, f"the publisher asked for {spoken(hints.at_least)} ({hints.why})"
    at = now + interval
    if look_again is not None and now + least < look_again + LOOK_AFTER < at:
        at, reason = look_again + LOOK_AFTER, f"new items may change until {look_again:%H:%M:%S} UTC"
    if not_before is not None and not_before > at:
        at, reason = not_before, f"requested not before {not_before:%Y-%m-%d %H:%M:%S} UTC"
    allowed = _allowed(at, terms, hints)
    if allowed != at:
        at, reason = allowed, f"{reason}; the publisher excludes polls before {allowed:%H:%M} UTC"
    return NextPoll(at, reason, policy)


def _interval_of(terms: Terms, poll_weight: float, pace: PollBudget | None) -> tuple[timedelta, str]:
    """Return the configured or adaptive interval, and the reason."""
    spread = _spread(terms.source_id)
    if terms.every is not None:
        return terms.every * (1 + JITTER * spread), f"every {spoken(terms.every)} as configured"
    if pace is None or pace.per_second <= 0 or pace.level <= 0 or poll_weight <= 0:
        interval, reason = UNKNOWN, "adaptive: profile not known yet"
    else:
        seconds = min(pace.level / max(pace.per_second * poll_weight, 1e-12), LONGEST_DEAD.total_seconds())
        interval, reason = timedelta(seconds=seconds), f"adaptive: {_items(poll_weight)} a day at this time"
    interval = max(interval * (1 - JITTER + 2 * JITTER * spread), SHORTEST)
    if interval > terms.ceiling * (1 - JITTER * spread):
        return terms.ceiling * (1 - JITTER * spread), f"maximum interval {spoken(terms.ceiling)}"
    return interval, reason


def _items(poll_weight: float) -> str:
    a_day = poll_weight * poll_weight * DAY.total_seconds()
    return f"{a_day:.0f} items" if a_day >= 10 else f"{a_day:.1f} items"  # noqa: PLR2004 - a second digit adds little


def _allowed(at: datetime, terms: Terms, hints: PublisherHints) -> datetime:
    """Return the first time from `at` on that isn't in an hour or on a day excluded by the publisher."""
    hours = hints.skip_hours if len(hints.skip_hours) < 24 else frozenset()  # noqa: PLR2004 - hours of a day
    days = hints.skip_days if len(hints.skip_days) < 7 else frozenset()  # noqa: PLR2004 - days of a week
    utc = at.astimezone(UTC)
    if utc.hour not in hours and utc.weekday() not in days:
        return at
    hour = utc.replace(minute=0, second=0, microsecond=0)
    while hour.hour in hours or hour.weekday() in days:
        hour += timedelta(hours=1)
    return hour + timedelta(hours=1) * _spread(terms.source_id)  # not all sources at the full hour


def after_failure(
    now: datetime,
    terms: Terms,
    *,
    usual: timedelta,
    failures: int,
    failure_weight: float,
    until: datetime | None = None,
) -> NextPoll:
    """Return the next try after a failure.

    Args:
        now: the current time.
        terms: the settings of the source.
        usual: its interval while it answered.
        failures: consecutive failures, including this one.
        failure_weight: the sum of their weights; each whole one doubles the wait.
        until: the earliest time named by the other side.
    """
    longest = LONGEST_DEAD if failure_weight >= DEAD else max(LONGEST_FAILING, usual)
    base = max(usual, terms.floor)
    wait = max(min(base * 2 ** min(failure_weight, 20.0), longest), terms.floor) * (
        1 + JITTER * _spread(terms.source_id)
    )
    wait = min(wait, LONGEST_DEAD)
    times = "failed once" if failures == 1 else f"failed {failures} times in a row"
    requested = min(until, now + LONGEST_DEAD) if until is not None else now
    if requested > now + wait:
        reason = f"{times}; requested not before {requested:%Y-%m-%d %H:%M:%S} UTC"
        return NextPoll(requested, reason, usual)
    return NextPoll(now + wait, f"{times}: again after {spoken(wait)}", usual)


def after_account_refusal(now: datetime, terms: Terms, *, usual: timedelta, every: timedelta) -> NextPoll:
    """Return the next try of a source whose account can't be read for now."""
    wait = max(every, terms.floor) * (1 + JITTER * _spread(terms.source_id))
    return NextPoll(now + wait, f"its account can't be read: again after {spoken(wait)}", usual)


def after_silence(
    now: datetime, terms: Terms, *, usual: timedelta, until: datetime | None = None, why: str = "host paused"
) -> NextPoll:
    """Return the next try of a source that was not polled because its host is paused."""
    at = now + max(min(usual, LONGEST_FAILING), terms.floor)
    if until is not None:
        # Spread the sources that wait for this host.
        at = max(until, now) + min(usual, timedelta(hours=1)) * _spread(terms.source_id)
    return NextPoll(at, f"{why}: again after {spoken(at - now)}", usual)


def _spread(source_id: int) -> float:
    """Return a number from 0 to 1 that is constant for a source and uniform over all of them."""
    digest = blake2b(source_id.to_bytes(8, "big", signed=True), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _left(span: timedelta, memory: timedelta) -> float:
    return exp(-max(span, timedelta()) / memory)


def _angle(moment: datetime) -> float:
    return _TURN * (moment - _EPOCH).total_seconds()
