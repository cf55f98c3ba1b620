"""When to poll a source next, and why. Pure: facts in, decision out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

LONGEST = timedelta(hours=24)  # a source that keeps failing is tried at least this often, for ever
_MOST_DOUBLINGS = 20


class NextPoll(NamedTuple):
    """When, and why in words for people."""

    at: datetime
    reason: str


def after_success(now: datetime, every: timedelta, not_before: datetime | None = None) -> NextPoll:
    """Return the next poll of a source that answered; the publisher's wish only makes it later."""
    at = now + every
    if not_before is not None and not_before > at:
        return NextPoll(not_before, f"the publisher asked for no sooner than {not_before:%Y-%m-%d %H:%M:%S} UTC")
    return NextPoll(at, f"every {spoken(every)}")


def after_failure(now: datetime, every: timedelta, failures: int, until: datetime | None = None) -> NextPoll:
    """Return the next try of a source that failed `failures` times in a row, this time included."""
    wait = min(every * 2 ** min(failures - 1, _MOST_DOUBLINGS), max(LONGEST, every))
    times = "failed once" if failures == 1 else f"failed {failures} times in a row"
    if until is not None and until > now + wait:
        return NextPoll(until, f"{times}; the other side asked for no sooner than {until:%Y-%m-%d %H:%M:%S} UTC")
    return NextPoll(now + wait, f"{times}: again after {spoken(wait)}")


def after_silence(now: datetime, every: timedelta, until: datetime | None = None) -> NextPoll:
    """Return the next try of a source that was not asked, since its host wants to be left alone."""
    at = now + every
    if until is not None and until > at:
        at = until
    return NextPoll(at, f"its host asked to be left alone: again after {spoken(at - now)}")


def spoken(span: timedelta) -> str:
    """Return a span in words: "90 s", "15 min", "2.5 h", "3 d"."""
    seconds = span.total_seconds()
    for unit, length, least in (("d", 86400, 2), ("h", 3600, 2), ("min", 60, 2)):
        if seconds >= least * length:
            return f"{round(seconds / length, 1):g} {unit}"
    return f"{seconds:g} s"
