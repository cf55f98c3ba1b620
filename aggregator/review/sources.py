"""Sources: how each of them is, and what editors set."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from aggregator.domain.access.accounts import Role
from aggregator.domain.activity import Review
from aggregator.domain.errors import AggregatorError, NotFoundError
from aggregator.domain.source import OnEdit, Policy, Source, SourceFilter, SourceState
from aggregator.domain.source_health import is_stale
from aggregator.review.context import HOME, Banner, DeskRoute
from aggregator.review.errors import ConflictError
from aggregator.review.form import BadFormError
from aggregator.text.durations import spoken

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from starlette.responses import Response

    from aggregator.domain.polling.host_turns import Pause
    from aggregator.review.context import DeskContext, DeskRequest
    from aggregator.review.form import Form
    from storage.store import Transaction

# Finds out what an address is and adds it; raises an AggregatorError whose sentence says why not.
Subscribe = Callable[[str, Policy, "timedelta | None"], Source]

_PAGE = 50  # sources
_DAYS = 30  # of the small pictures
_BAR = 28  # units that the highest bar has
_LINES = 10  # of the fetch log
_SHOWN_ALERTS = 3
_MOST_TRUSTED = 200
_LONGEST_DELAY = 7 * 24 * 60  # minutes

POLICIES: Mapping[Policy, str] = {
    Policy.AUTO: "publish at once",
    Policy.DELAY: "publish after a while, unless somebody objects",
    Policy.HOLD: "hold everything for review",
}
EDITS: Mapping[OnEdit, str] = {
    OnEdit.STAY: "the approved words stay, new ones wait (X always changes)",
    OnEdit.RETURN: "it comes back to the queue, not shown until then",
}


class Row(NamedTuple):
    """A source in the list."""

    source: Source
    troubled: bool
    bars: list[tuple[int, int, str]]  # height in units, items, day
    total: int


class SourcePages:
    """The sources' pages."""

    def __init__(self, desk: DeskContext, subscribe: Subscribe) -> None:
        self._desk = desk
        self._subscribe = subscribe

    def ways(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/sources", Role.VIEWER, self.listed)
        yield DeskRoute("GET", "/sources/add", Role.EDITOR, self.blank)
        yield DeskRoute("POST", "/sources/add", Role.EDITOR, self.add)
        yield DeskRoute("GET", "/sources/{slug}", Role.VIEWER, self.show)
        yield DeskRoute("POST", "/sources/{slug}/state", Role.EDITOR, self.state)
        yield DeskRoute("POST", "/sources/{slug}/poll", Role.EDITOR, self.poll)
        yield DeskRoute("POST", "/sources/{slug}/policy", Role.EDITOR, self.policy)
        yield DeskRoute("POST", "/sources/{slug}/quarantine", Role.EDITOR, self.quarantine)
        yield DeskRoute("POST", "/sources/{slug}/remove", Role.EDITOR, self.remove)

    def listed(self, visit: DeskRequest) -> Response:
        """Show a page of the sources, on the first page those in trouble before the others."""
        words, after = visit.query.text("q", most=100), visit.query.text("after", most=200)
        with self._desk.store.reading() as tx:
            sources = tx.polling.sources.page(_PAGE + 1, after, SourceFilter(search=words))
            stale = [] if after or words else tx.polling.sources.stale(visit.now, _PAGE)
            troubled = tx.polling.sources.with_slugs([source.slug for source in stale])
            following, sources = sources[_PAGE - 1].slug if len(sources) > _PAGE else None, sources[:_PAGE]
            listed = {source.slug: source for source in (*troubled, *sources)}
            since = visit.now - timedelta(days=_DAYS - 1)
            daily = tx.polling.schedule.brought_daily([source.id for source in listed.values()], since)
        rows = [_row(source, daily.get(source.id, {}), visit.now) for source in listed.values()]
        rows.sort(key=lambda row: (not row.troubled, row.source.name.casefold()))
        older = f"{HOME}/sources?{urlencode({'q': words, 'after': following})}" if following else None
        values = {"rows": rows, "words": words, "older": older, **_words(visit)}
        return self._desk.page(visit, "sources.html", values)

    def show(self, visit: DeskRequest) -> Response:
        """Show one source and how its last polls went."""
        since = visit.now - timedelta(days=_DAYS - 1)
        with self._desk.store.reading() as tx:
            one = _source(tx, visit)
            values: dict[str, Any] = {
                "one": one,
                "troubled": is_stale(one.state, one.poll, visit.now),
                "lines": tx.polling.schedule.log(one.id, _LINES),
                "former": tx.polling.sources.former_addresses(one.id),
                "pause": _pause_of(tx, one, visit.now),
                "notes": tx.moderation.audit.of(f"source:{one.slug}", 20),
                "quarantined": tx.moderation.queue.quarantined(one.id),
                "bars": _bars(tx.polling.schedule.brought_daily([one.id], since).get(one.id, {}), visit.now),
            }
        return self._desk.page(visit, "source.html", {**values, **_words(visit)})

    def blank(self, visit: DeskRequest) -> Response:
        """Show the form for a new source."""
        return self._desk.page(visit, "source-add.html", {"complaint": "", "form": visit.form, **_words(visit)})

    def add(self, visit: DeskRequest) -> Response:
        """Find out what an address is, and follow it."""
        try:
            policy, delay = _policy(visit.form)
            one = self._subscribe(visit.form.needed("address", most=2000), policy, delay)
        except AggregatorError as problem:
            values = {"complaint": str(problem), "form": visit.form, **_words(visit)}
            return self._desk.page(visit, "source-add.html", values, 422)
        with self._desk.store.writing() as tx:
            self._note(tx, visit, "added a source", one, {"policy": policy.value})
        return self._desk.onward(f"{HOME}/sources/{one.slug}", f"{one.name} is followed from now on.")

    def state(self, visit: DeskRequest) -> Response:
        """Pause a source, or go on polling it."""
        pausing = visit.form.choice("to", ["paused", "active"]) == "paused"
        who = visit.account.name
        with self._desk.store.writing() as tx:
            one = _polled(tx, visit)
            wanted = SourceState.PAUSED if pausing else SourceState.ACTIVE
            tx.polling.sources.set_state(one.id, wanted, f"paused by {who}" if pausing else "", visit.now)
            self._note(tx, visit, "paused a source" if pausing else "resumed a source", one, {})
        return self._onward(one, "It is paused; what it brought stays." if pausing else "It is polled again, now.")

    def poll(self, visit: DeskRequest) -> Response:
        """Ask for a poll at the next tick, where its host allows one."""
        with self._desk.store.writing() as tx:
            one = _polled(tx, visit)
            if one.state is not SourceState.ACTIVE:
                raise ConflictError(f"{one.name} is {one.state.value}; resume it first.")
            pause = _pause_of(tx, one, visit.now)
            if pause is not None:
                left = spoken(timedelta(seconds=round((pause.until - visit.now).total_seconds())))
                raise ConflictError(f"Its host asked to be left alone for {left} more: {pause.reason}")
            tx.polling.schedule.ask([one.id], visit.now)
            self._note(tx, visit, "asked for a poll", one, {})
        return self._onward(one, "It is polled within a few seconds.")

    def policy(self, visit: DeskRequest) -> Response:
        """Set what becomes of what a source brings."""
        policy, delay = _policy(visit.form)
        on_edit = OnEdit(visit.form.choice("on_edit", [one.value for one in OnEdit]))
        lines = visit.form.text("trusted", most=20_000).splitlines()
        trusted = list(dict.fromkeys(line.strip().removeprefix("@") for line in lines if line.strip()))[:_MOST_TRUSTED]
        with self._desk.store.writing() as tx:
            one = _own(tx, visit)
            minutes = round(delay.total_seconds()) if delay else None
            values = {"policy": policy.value, "delay": minutes, "on_edit": on_edit.value, "trusted": trusted or None}
            before = {
                "policy": one.policy.value, "delay": round(one.delay.total_seconds()) if one.delay else None,
                "on_edit": one.on_edit.value, "trusted": list(one.trusted) or None,
            }  # fmt: skip
            tx.polling.sources.change(one.id, **values)
            self._note(tx, visit, "changed a policy", one, {"from": before, "to": values})
        return self._onward(one, "The policy holds for what comes from now on.")

    def quarantine(self, visit: DeskRequest) -> Response:
        """Let out, or forget, what came in a suspicious burst."""
        release = visit.form.choice("do", ["release", "drop"]) == "release"
        who = visit.account.name
        with self._desk.store.writing() as tx:
            one = _source(tx, visit)
            if release:
                review = Review.PUBLISHED if one.policy is Policy.AUTO else Review.WAITING
                reason = f"let out of quarantine by {who}"
                count = tx.moderation.reviews.release(one.id, review, by="policy", reason=reason, now=visit.now)
            else:
                count = tx.stream.activities.drop_quarantined(one.id, visit.now)
            self._note(tx, visit, "released a burst" if release else "dropped a burst", one, {"items": count})
        return self._onward(one, f"{count} items are {'let out' if release else 'forgotten'}.")

    def remove(self, visit: DeskRequest) -> Response:
        """Stop following a source."""
        hide = visit.form.choice("items", ["keep", "hide"]) == "hide"
        who = visit.account.name
        with self._desk.store.writing() as tx:
            one = _own(tx, visit)
            count = 0
            if hide:
                count = tx.moderation.reviews.hide_source(
                    one.id, by="policy", reason=f"its source was removed by {who}", now=visit.now
                )
            tx.polling.sources.set_state(one.id, SourceState.REMOVED, f"removed by {who}", visit.now)
            self._note(tx, visit, "removed a source", one, {"items": "hide" if hide else "keep", "hidden": count})
        said = f"{one.name} is not followed any more; its items {'are hidden' if hide else 'stay'}."
        return self._desk.onward(f"{HOME}/sources", said)

    def _onward(self, one: Source, said: str) -> Response:
        return self._desk.onward(f"{HOME}/sources/{one.slug}", said)

    def _note(self, tx: Transaction, visit: DeskRequest, what: str, one: Source, detail: Mapping[str, Any]) -> None:
        tx.moderation.audit.note(visit.now, visit.account.name, what, f"source:{one.slug}", detail)


def alert_banners(tx: Transaction, now: datetime) -> Iterable[Banner]:
    """Return what every page says of sources that stopped and of a queue that grows old."""
    del now
    alerts = tx.monitoring.alerts.open()
    for one in alerts[:_SHOWN_ALERTS]:
        slug = one.subject.removeprefix("source:")
        link = f"{HOME}/sources/{slug}" if slug != one.subject else HOME
        yield Banner(one.sentence, link=link, action="Look at it")
    if len(alerts) > _SHOWN_ALERTS:
        yield Banner(f"And {len(alerts) - _SHOWN_ALERTS} more.", link=f"{HOME}/sources", action="Sources")


def _source(tx: Transaction, visit: DeskRequest) -> Source:
    slug = str(visit.request.path_params["slug"])
    one = tx.polling.sources.get(slug)
    if one is None:
        raise NotFoundError(f"There is no source {slug[:80]!r}; it may have been removed.")
    return one


def _polled(tx: Transaction, visit: DeskRequest) -> Source:
    one = _source(tx, visit)
    if one.poll.due is None:
        raise ConflictError(f"{one.name} is not polled: editors write its items.")
    return one


def _own(tx: Transaction, visit: DeskRequest) -> Source:
    """Return a source that may be set here."""
    one = _source(tx, visit)
    if one.managed:
        raise ConflictError(f"{one.name} is set by {one.managed}; change it there.")
    return one


def _pause_of(tx: Transaction, one: Source, now: datetime) -> Pause | None:
    """Return the longest pause that keeps a source from being polled."""
    concerns = [
        pause
        for pause in tx.polling.hosts.paused(now)
        if pause.host == one.host or pause.host.startswith(f"{one.own_host}/")
    ]
    return max(concerns, key=lambda pause: pause.until, default=None)


def _policy(form: Form) -> tuple[Policy, timedelta | None]:
    policy = Policy(form.choice("policy", [policy.value for policy in Policy], Policy.AUTO.value))
    if policy is not Policy.DELAY:
        return policy, None
    if not form.text("delay"):
        raise BadFormError("Say after how many minutes it is published.")
    return policy, timedelta(minutes=form.whole("delay", 1, _LONGEST_DELAY))


def _row(source: Source, daily: Mapping[str, int], now: datetime) -> Row:
    bars = _bars(daily, now)
    return Row(source, is_stale(source.state, source.poll, now), bars, sum(bar[1] for bar in bars))


def _bars(daily: Mapping[str, int], now: datetime) -> list[tuple[int, int, str]]:
    days = [(now - timedelta(days=back)).strftime("%Y-%m-%d") for back in range(_DAYS - 1, -1, -1)]
    highest = max((daily.get(day, 0) for day in days), default=0) or 1
    return [(-(-daily.get(day, 0) * _BAR // highest), daily.get(day, 0), day) for day in days]


def _words(visit: DeskRequest) -> dict[str, Any]:
    def since(moment: datetime | None) -> str:
        if moment is None:
            return "never"
        span = timedelta(seconds=round((visit.now - moment).total_seconds()))
        return f"{spoken(span)} ago" if span >= timedelta() else f"in {spoken(-span)}"

    return {
        "now": visit.now,
        "since": since,
        "spoken": spoken,
        "policies": POLICIES,
        "edits": EDITS,
    }
