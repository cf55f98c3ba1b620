"""Compose the daily summary of the review desk. Pure."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.moderation.decisions import done_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

_SENT_AT = time(7)  # local
_COUNTED = 1000  # the limit of the exact count of waiting items


class Decided(NamedTuple):
    """How many items a user decided on in one way."""

    who: str
    what: str  # as in the audit log
    items: int


class Digest(NamedTuple):
    """What waits, what was decided and what is wrong."""

    since: datetime
    waiting: int  # up to 1,000
    oldest: datetime | None
    titles: Sequence[str]  # of the items that have waited longest
    decided: Sequence[Decided]
    alerts: Sequence[str]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to report."""
        return not (self.waiting or self.decided or self.alerts)


def due_since(now: datetime, zone: tzinfo) -> datetime:
    """Return the last time of day at which summaries were due."""
    local = now.astimezone(zone)
    today = datetime.combine(local.date(), _SENT_AT, tzinfo=zone)
    if today <= local:
        return today
    return datetime.combine(local.date() - timedelta(days=1), _SENT_AT, tzinfo=zone)


def subject_of(digest: Digest) -> str:
    """Return the subject of the e-mail."""
    if digest.waiting > _COUNTED - 1:
        return f"Review desk: more than {_COUNTED - 1} items wait"
    if digest.waiting == 1:
        return "Review desk: 1 item waits"
    return f"Review desk: {digest.waiting} items wait" if digest.waiting else "Review desk: nothing waits"


def lines_of(digest: Digest, zone: tzinfo, link: str | None) -> Iterator[str]:
    """Yield the lines of the e-mail."""
    yield f"Since {_moment(digest.since, zone)}:"
    yield ""
    if digest.waiting and digest.oldest is not None:
        yield f"{subject_of(digest).partition(': ')[2].capitalize()}, the oldest since {_moment(digest.oldest, zone)}."
        yield from (f"- {' '.join(title.split())}" for title in digest.titles)
        if digest.waiting > len(digest.titles):
            yield "- …"
    else:
        yield "No items wait for review."
    yield ""
    if digest.decided:
        yield "Decisions:"
        yield from (f"- {each.who}: {done_words(each.what, each.items)}." for each in digest.decided)
    else:
        yield "There were no decisions."
    if digest.alerts:
        yield ""
        yield "Notices:"
        yield from (f"- {' '.join(sentence.split())}" for sentence in digest.alerts)
    if link:
        yield ""
        yield f"{link}"
        yield f"To end this summary: {link}/account"


def _moment(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"
