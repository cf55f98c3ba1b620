"""When to poll a source next, and why. Pure: facts in, decision out.

A source without an interval of its own is polled by its publishing profile: how much it publishes, at what time of
day, and whether it is doing so right now. For the mean delay of items the best rate of polls goes with the square root
of the rate of items. So each source has a poll weight, the root of its present rate, and the pace says how many polls
a unit of weight is worth, so that all sources together stay within the budget.
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
DOCUMENT_FLOOR = timedelta(minutes=15)  # between polls of a document whose answers carry validators
PRIVATE_FLOOR = timedelta(seconds=1)  # on hosts of a private network, which the operator allowed
LONGEST_INTERVAL = 366 * 24 * 3600  # seconds that may be configured between polls
SHORTEST_FLOOR = 60  # seconds
SHORTEST = timedelta(seconds=60)  # between polls that follow a rhythm
UNKNOWN = timedelta(hours=1)  # between polls where no pace is known yet
LONGEST_FAILING = DAY  # between tries of a source that fails
LONGEST_DEAD = timedelta(days=7)  # between tries of one that has failed for long: for ever, but rarely
DEAD = 8.0  # failure_weight from which a source counts as that
JITTER = 0.1
LOOK_AFTER = timedelta(seconds=15)  # the moment after which nothing changes any more, for clocks that differ

_MEMORY = timedelta(days=14)  # over which items count
_BURST = timedelta(hours=1)
_PRIOR = 14.0  # items: one a day until known better
_LEAST_RATE = 0.1 / DAY.total_seconds()  # items per second that any source may surprise us with
_SHARE = 0.5  # of the rate that follows the day, the rest follows the burst
_LEAST_OF_DAY = 0.2  # of the mean rate at the quietest hour
_DAY_PRIOR = 6.0  # items before the time of day is believed
_MOST_AT_ONCE = 50  # items that one poll counts for
_MOST_STORED = 1e9  # items; no source gets there, so it is damage, as what is no number
_TURN = 2 * pi / DAY.total_seconds()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NextPoll(NamedTuple):
    """When, why in words for people, and what interval the policy wanted before anybody's hints."""

    at: datetime
    reason: str
    interval: timedelta


@dataclass(frozen=True, slots=True)
class PublishingProfile:
    """How a source publishes: items decayed over two weeks, their daily wave, and items decayed over an hour."""

    at: datetime  # when it was last brought up to date
    items: float = _PRIOR
    cosine: float = 0.0
    sine: float = 0.0
    burst: float = 0.0

    def json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return {**asdict(self), "at": self.at.isoformat()}

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None, now: datetime) -> PublishingProfile:
        """Read what was stored; a fresh one where there is nothing, or nothing usable."""
        try:
            at = datetime.fromisoformat((stored or {})["at"])
            numbers = {name: float((stored or {})[name]) for name in ("items", "cosine", "sine", "burst")}
        except (KeyError, TypeError, ValueError):
            return cls(now)
        sound = at.tzinfo is not None and all(abs(number) < _MOST_STORED for number in numbers.values())
        usable = sound and numbers["items"] >= 0 and numbers["burst"] >= 0
        return cls(min(at, now), **numbers) if usable else cls(now)


def observed(rhythm: PublishingProfile, now: datetime, published: Iterable[datetime]) -> PublishingProfile:
    """Bring a rhythm up to date after a poll.

    Args:
        rhythm: as it was.
        now: the present moment.
        published: times of items seen for the first time; those in the future count as now, old ones hardly.
    """
    slow, fast = _left(now - rhythm.at, _MEMORY), _left(now - rhythm.at, _BURST)
    items, cosine, sine, burst = rhythm.items * slow, rhythm.cosine * slow, rhythm.sine * slow, rhythm.burst * fast
    newest = sorted(min(one, now) for one in published)[-_MOST_AT_ONCE:]
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


def poll_weight(rhythm: PublishingProfile, now: datetime, weight: float = 1.0) -> float:
    """Return how fast a source asks to be polled, in roots of items per second; `weight` is its readers'."""
    return sqrt(weight * _rate(rhythm, now))


def _rate(rhythm: PublishingProfile, now: datetime) -> float:
    slow, fast = _left(now - rhythm.at, _MEMORY), _left(now - rhythm.at, _BURST)
    items, angle = rhythm.items * slow, _angle(now)
    wave = 2 * slow * (rhythm.cosine * cos(angle) + rhythm.sine * sin(angle)) / (items + _DAY_PRIOR)
    by_day = items / _MEMORY.total_seconds() * max(_LEAST_OF_DAY, 1 + wave)
    by_burst = rhythm.burst * fast / _BURST.total_seconds()
    return (1 - _SHARE) * by_day + _SHARE * by_burst + _LEAST_RATE


@dataclass(frozen=True, slots=True)
class PollBudget:
    """What a unit of poll_weight is worth."""

    level: float  # the daily average of the sum of all poll weights
    per_second: float  # requests allowed in all


def levelled(level: float | None, since: timedelta, total: float) -> float:
    """Update the daily average of the sum of all poll weights; the average moves polls from night to day."""
    if level is None:
        return total
    keep = _left(since, DAY)
    return level * keep + total * (1 - keep)


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for one source."""

    source_id: int
    every: timedelta | None  # people's own word; None: its rhythm decides
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
    """Return the next poll of a source that answered; the publisher's hints only make it later.

    `look_again` is a moment just after which it is worth a look, however seldom it publishes.
    """
    interval, reason = _wanted(terms, poll_weight, pace)
    least = max(terms.floor, hints.floor)
    if interval < least:
        # Spread as well, or all that are at their floor would stay as close together as they ever came.
        interval, reason = least * (1 + JITTER * _spread(terms.source_id)), f"kept to the least of {spoken(least)}"
    policy = interval
    if interval < hints.at_least:
        interval, reason = hints.at_least, f"the publisher asked for {spoken(hints.at_least)} ({hints.why})"
    at = now + interval
    if look_again is not None and now + least < look_again + LOOK_AFTER < at:
        at, reason = look_again + LOOK_AFTER, f"what it brought may change until {look_again:%H:%M:%S} UTC"
    if not_before is not None and not_before > at:
        at, reason = not_before, f"the other side asked for no sooner than {not_before:%Y-%m-%d %H:%M:%S} UTC"
    allowed = _allowed(at, terms, hints)
    if allowed != at:
        at, reason = allowed, f"{reason}; the publisher is not to be asked before {allowed:%H:%M} UTC"
    return NextPoll(at, reason, policy)


def _wanted(terms: Terms, poll_weight: float, pace: PollBudget | None) -> tuple[timedelta, str]:
    """Return the interval by people's word or the source's rhythm, and why."""
    spread = _spread(terms.source_id)
    if terms.every is not None:
        return terms.every * (1 + JITTER * spread), f"every {spoken(terms.every)} as set, spread"
    if pace is None or pace.per_second <= 0 or pace.level <= 0 or poll_weight <= 0:
        wanted, reason = UNKNOWN, "its rhythm is not known yet"
    else:
        seconds = min(pace.level / max(pace.per_second * poll_weight, 1e-12), LONGEST_DEAD.total_seconds())
        wanted, reason = timedelta(seconds=seconds), f"its rhythm: {_items(poll_weight)} a day about now"
    wanted = max(wanted * (1 - JITTER + 2 * JITTER * spread), SHORTEST)
    if wanted > terms.ceiling * (1 - JITTER * spread):
        return terms.ceiling * (1 - JITTER * spread), f"at least every {spoken(terms.ceiling)}"
    return wanted, reason


def _items(poll_weight: float) -> str:
    a_day = poll_weight * poll_weight * DAY.total_seconds()
    return f"{a_day:.0f} items" if a_day >= 10 else f"{a_day:.1f} items"  # noqa: PLR2004 - a second digit tells less


def _allowed(at: datetime, terms: Terms, hints: PublisherHints) -> datetime:
    """Return the first moment from `at` on that is in no hour and on no day that the publisher wants left out."""
    hours = hints.skip_hours if len(hints.skip_hours) < 24 else frozenset()  # noqa: PLR2004 - hours of a day
    days = hints.skip_days if len(hints.skip_days) < 7 else frozenset()  # noqa: PLR2004 - days of a week
    utc = at.astimezone(UTC)
    if utc.hour not in hours and utc.weekday() not in days:
        return at
    hour = utc.replace(minute=0, second=0, microsecond=0)
    while hour.hour in hours or hour.weekday() in days:
        hour += timedelta(hours=1)
    return hour + timedelta(hours=1) * _spread(terms.source_id)  # not everybody at the full hour


def after_failure(
    now: datetime,
    terms: Terms,
    *,
    usual: timedelta,
    failures: int,
    failure_weight: float,
    until: datetime | None = None,
) -> NextPoll:
    """Return the next try of a source that failed.

    Args:
        now: the present moment.
        terms: what holds for the source.
        usual: its interval while it answered.
        failures: in a row, this one included.
        failure_weight: their weights; each whole one doubles the wait.
        until: the other side asked for no sooner.
    """
    longest = LONGEST_DEAD if failure_weight >= DEAD else max(LONGEST_FAILING, usual)
    base = max(usual, terms.floor)
    wait = max(min(base * 2 ** min(failure_weight, 20.0), longest), terms.floor) * (
        1 + JITTER * _spread(terms.source_id)
    )
    wait = min(wait, LONGEST_DEAD)
    times = "failed once" if failures == 1 else f"failed {failures} times in a row"
    asked = min(until, now + LONGEST_DEAD) if until is not None else now
    if asked > now + wait:
        reason = f"{times}; the other side asked for no sooner than {asked:%Y-%m-%d %H:%M:%S} UTC"
        return NextPoll(asked, reason, usual)
    return NextPoll(now + wait, f"{times}: again after {spoken(wait)}", usual)


def after_silence(now: datetime, terms: Terms, *, usual: timedelta, until: datetime | None = None) -> NextPoll:
    """Return the next try of a source that was not asked, since its host wants to be left alone."""
    at = now + max(min(usual, LONGEST_FAILING), terms.floor)
    if until is not None:
        # Not all that wait for this host at the moment it may be called again.
        at = max(until, now) + min(usual, timedelta(hours=1)) * _spread(terms.source_id)
    return NextPoll(at, f"its host asked to be left alone: again after {spoken(at - now)}", usual)


def _spread(source_id: int) -> float:
    """Return a number from 0 to 1 that is always the same for a source and even over all of them."""
    digest = blake2b(source_id.to_bytes(8, "big", signed=True), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _left(span: timedelta, memory: timedelta) -> float:
    return exp(-max(span, timedelta()) / memory)


def _angle(moment: datetime) -> float:
    return _TURN * (moment - _EPOCH).total_seconds()
