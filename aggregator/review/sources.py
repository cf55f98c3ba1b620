"""Show sources and their status, and edit their settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aggregator.domain.access.accounts import Role
from aggregator.domain.activity import Review
from aggregator.domain.errors import AggregatorError, NotFoundError, UnconfirmedCostError
from aggregator.domain.networks import that_replace_edits
from aggregator.domain.source import OnEdit, Policy, Source, SourceState, Undescribed
from aggregator.domain.source_health import is_stale
from aggregator.domain.source_options import LONGEST_TEXT, names_of
from aggregator.review.context import HOME, Banner, DeskRoute
from aggregator.review.errors import ConflictError
from aggregator.review.form import BadFormError
from aggregator.text.durations import duration_text, spoken

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from starlette.responses import Response

    from aggregator.domain.polling.host_limits import Pause
    from aggregator.domain.source import Json
    from aggregator.domain.source_options import KindForm, SourceOption
    from aggregator.review.context import DeskContext, DeskRequest
    from aggregator.review.form import Form
    from storage.store import Transaction

# Detects the kind of source at an address and adds it; raises an AggregatorError with the reason if it can't.
# Adds the source at an address; the last argument confirms a recurring cost.
Subscribe = Callable[[str, Policy, "timedelta | None", "Mapping[str, Json]", bool], Source]

DAYS = 30  # days in the charts
_BAR = 28  # height of the charts
_LINES = 10  # entries of the fetch log
_SHOWN_ALERTS = 3
_MOST_TRUSTED = 200
_LONGEST_DELAY = 7 * 24 * 60  # minutes

POLICIES: Mapping[Policy, str] = {
    Policy.AUTO: "publish immediately",
    Policy.DELAY: "publish after a delay",
    Policy.HOLD: "hold for review",
}
_ON_EDIT: Mapping[OnEdit, str] = {
    OnEdit.STAY: "keep the approved version and hold the edit",
    OnEdit.RETURN: "unpublish and return to queue",
}


_UNDESCRIBED: Mapping[Undescribed, str] = {
    Undescribed.ALLOW: "treat like other items",
    Undescribed.HOLD: "hold for review, so that editors can describe them",
}


def _edits() -> Mapping[OnEdit, str]:
    """Return what each choice means, and which networks are excepted."""
    excepted = " and ".join(that_replace_edits())
    stay = f"{_ON_EDIT[OnEdit.STAY]} (not on {excepted}, whose terms require it)" if excepted else _ON_EDIT[OnEdit.STAY]
    return {**_ON_EDIT, OnEdit.STAY: stay}


class SourcePages:
    """The pages of sources."""

    def __init__(self, desk: DeskContext, subscribe: Subscribe, kinds: Sequence[KindForm]) -> None:
        self._desk = desk
        self._kinds = {kind.kind: kind for kind in kinds}
        self._subscribe = subscribe

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/sources/add", Role.EDITOR, self.blank)
        yield DeskRoute("POST", "/sources/add", Role.EDITOR, self.add)
        yield DeskRoute("GET", "/sources/{slug}", Role.VIEWER, self.show)
        yield DeskRoute("POST", "/sources/{slug}/options", Role.EDITOR, self.options)
        yield DeskRoute("POST", "/sources/{slug}/state", Role.EDITOR, self.state)
        yield DeskRoute("POST", "/sources/{slug}/poll", Role.EDITOR, self.poll)
        yield DeskRoute("POST", "/sources/{slug}/policy", Role.EDITOR, self.policy)
        yield DeskRoute("POST", "/sources/{slug}/quarantine", Role.EDITOR, self.quarantine)
        yield DeskRoute("POST", "/sources/{slug}/remove", Role.EDITOR, self.remove)

    def show(self, request: DeskRequest) -> Response:
        """Show a source and its latest polls."""
        since = request.now - timedelta(days=DAYS - 1)
        with self._desk.store.reading() as tx:
            source = source_of(tx, request)
            values: dict[str, Any] = {
                "source": source,
                "kind": self._kinds.get(source.kind),
                "form": request.form,
                "troubled": is_stale(source.state, source.poll, request.now),
                "lines": tx.polling.schedule.log(source.id, _LINES),
                "former": tx.polling.sources.former_addresses(source.id),
                "folders": tx.polling.source_table.folders(),
                "interval": duration_text(source.every.total_seconds()) if source.every else "",
                "longest_interval": duration_text(source.ceiling.total_seconds()),
                "pause": _pause_of(tx, source, request.now),
                "notes": tx.moderation.audit.of(f"source:{source.slug}", 20),
                "quarantined": tx.moderation.queue.quarantined(source.id),
                "bars": bars_of(tx.polling.schedule.brought_daily([source.id], since).get(source.id, {}), request.now),
            }
        return self._desk.page(request, "source.html", {**values, **words_of(request)})

    def blank(self, request: DeskRequest) -> Response:
        """Show the form for a new source."""
        return self._desk.page(
            request,
            "source-add.html",
            {
                **words_of(request),
                "complaint": "",
                "confirmed": "",
                "form": request.form,
                "kinds": self._kinds.values(),
            },
        )

    def add(self, request: DeskRequest) -> Response:
        """Detect the kind of source at an address and add it."""
        form, kinds = request.form, self._kinds.values()
        address = (form.texts("address") or [""])[0]
        try:
            policy, delay = policy_of(form)
            is_confirmed = form.texts("confirmed") == [address]
            address = form.needed("address", most=2000)
            source = self._subscribe(address, policy, delay, options_in(form, kinds), is_confirmed)
        except AggregatorError as problem:
            confirmed = address if isinstance(problem, UnconfirmedCostError) else ""
            shown = {"complaint": str(problem), "confirmed": confirmed, "form": form, "kinds": kinds}
            values = {**shown, **words_of(request)}
            return self._desk.page(request, "source-add.html", values, 422)
        with self._desk.store.writing() as tx:
            self._note(tx, request, "added a source", source, {"policy": policy.value})
        return self._desk.onward(f"{HOME}/sources/{source.slug}", f"{source.name} added.")

    def options(self, request: DeskRequest) -> Response:
        """Set the options of a source's kind; an empty field sets the default."""
        with self._desk.store.writing() as tx:
            source = own_source(tx, request)
            kind = self._kinds.get(source.kind)
            if kind is None:
                raise ConflictError(f"{source.name} has no options here.")
            filled = options_in(request.form, self._kinds.values())
            kept = {name: value for name, value in source.options.items() if name not in names_of(kind.options)}
            options = dict(kind.parse({**kept, **filled}))
            tx.polling.sources.change(source.id, options=options)
            self._note(tx, request, "changed options", source, {"from": dict(source.options), "to": options})
        return self._onward(source, "The options apply from the next poll on.")

    def state(self, request: DeskRequest) -> Response:
        """Pause or resume a source."""
        pausing = request.form.choice("to", ["paused", "active"]) == "paused"
        who = request.account.name
        with self._desk.store.writing() as tx:
            source = _polled(tx, request)
            state = SourceState.PAUSED if pausing else SourceState.ACTIVE
            tx.polling.sources.set_state(source.id, state, f"paused by {who}" if pausing else "", request.now)
            self._note(tx, request, "paused a source" if pausing else "resumed a source", source, {})
        return self._onward(source, "Source paused. Its items stay." if pausing else "Source resumed.")

    def poll(self, request: DeskRequest) -> Response:
        """Request a poll at the next dispatch, unless the host is paused."""
        with self._desk.store.writing() as tx:
            source = _polled(tx, request)
            if source.state is not SourceState.ACTIVE:
                raise ConflictError(f"{source.name} is {source.state.value}; resume it first.")
            pause = _pause_of(tx, source, request.now)
            if pause is not None:
                left = spoken(timedelta(seconds=round((pause.until - request.now).total_seconds())))
                raise ConflictError(f"Requests to its host are paused for {left} more: {pause.reason}")
            tx.polling.schedule.ask([source.id], request.now)
            self._note(tx, request, "asked for a poll", source, {})
        return self._onward(source, "Poll requested. It starts within a few seconds.")

    def policy(self, request: DeskRequest) -> Response:
        """Set the review policy of a source."""
        policy, delay = policy_of(request.form)
        on_edit = OnEdit(request.form.choice("on_edit", [on_edit.value for on_edit in OnEdit]))
        undescribed = request.form.choice("undescribed", [each.value for each in Undescribed], Undescribed.ALLOW.value)
        lines = request.form.text("trusted", most=20_000).splitlines()
        trusted = list(dict.fromkeys(line.strip().removeprefix("@") for line in lines if line.strip()))[:_MOST_TRUSTED]
        with self._desk.store.writing() as tx:
            source = own_source(tx, request)
            minutes = round(delay.total_seconds()) if delay else None
            values = {"policy": policy.value, "delay": minutes, "on_edit": on_edit.value, "trusted": trusted or None}
            values |= {"undescribed": undescribed}
            before = {
                "policy": source.policy.value, "delay": round(source.delay.total_seconds()) if source.delay else None,
                "on_edit": source.on_edit.value, "trusted": list(source.trusted) or None,
                "undescribed": source.undescribed.value,
            }  # fmt: skip
            tx.polling.sources.change(source.id, **values)
            self._note(tx, request, "changed a policy", source, {"from": before, "to": values})
        return self._onward(source, "Policy saved. It applies to new items.")

    def quarantine(self, request: DeskRequest) -> Response:
        """Release or discard quarantined items."""
        release = request.form.choice("do", ["release", "drop"]) == "release"
        who = request.account.name
        with self._desk.store.writing() as tx:
            source = source_of(tx, request)
            if release:
                review = Review.PUBLISHED if source.policy is Policy.AUTO else Review.WAITING
                reason = f"released from quarantine by {who}"
                count = tx.moderation.reviews.release(source.id, review, by="policy", reason=reason, now=request.now)
            else:
                count = tx.stream.activities.drop_quarantined(source.id, request.now)
            self._note(tx, request, "released a burst" if release else "dropped a burst", source, {"items": count})
        return self._onward(source, f"{count} items are {'released' if release else 'discarded'}.")

    def remove(self, request: DeskRequest) -> Response:
        """Remove a source."""
        hide = request.form.choice("items", ["keep", "hide"]) == "hide"
        who = request.account.name
        with self._desk.store.writing() as tx:
            source = own_source(tx, request)
            count = 0
            if hide:
                count = tx.moderation.reviews.hide_source(
                    source.id, by="policy", reason=f"source removed by {who}", now=request.now
                )
            tx.polling.sources.set_state(source.id, SourceState.REMOVED, f"removed by {who}", request.now)
            self._note(tx, request, "removed a source", source, {"items": "hide" if hide else "keep", "hidden": count})
        message = f"{source.name} removed. Its items are {'hidden' if hide else 'kept'}."
        return self._desk.onward(f"{HOME}/sources", message)

    def _onward(self, source: Source, message: str) -> Response:
        return self._desk.onward(f"{HOME}/sources/{source.slug}", message)

    def _note(
        self, tx: Transaction, request: DeskRequest, what: str, source: Source, detail: Mapping[str, Any]
    ) -> None:
        tx.moderation.audit.note(request.now, request.account.name, what, f"source:{source.slug}", detail)


def option_field(kind: KindForm, option: SourceOption) -> str:
    """Return the name of the field of an option."""
    return f"option.{kind.kind}.{option.name}"


def options_in(form: Form, kinds: Iterable[KindForm]) -> dict[str, Json]:
    """Return the options of all kinds that were filled in."""
    return {
        option.name: value
        for kind in kinds
        for option in kind.options
        if (value := form.text(option_field(kind, option), most=LONGEST_TEXT))
    }


def alert_banners(tx: Transaction, now: datetime) -> Iterable[Banner]:
    """Return notices about open alerts."""
    del now
    alerts = tx.monitoring.alerts.open()
    for alert in alerts[:_SHOWN_ALERTS]:
        yield Banner(alert.sentence, link=HOME + alert.page, action="View")
    if len(alerts) > _SHOWN_ALERTS:
        yield Banner(f"And {len(alerts) - _SHOWN_ALERTS} more.", link=f"{HOME}/sources", action="Sources")


def source_of(tx: Transaction, request: DeskRequest) -> Source:
    """Return the source in the path.

    Raises:
        NotFoundError: there is none.
    """
    slug = str(request.http.path_params["slug"])
    source = tx.polling.sources.get(slug)
    if source is None:
        raise NotFoundError(f"No source {slug[:80]!r}; it may have been removed.")
    return source


def _polled(tx: Transaction, request: DeskRequest) -> Source:
    source = source_of(tx, request)
    if source.poll.due is None:
        raise ConflictError(f"{source.name} isn't polled: editors write its posts.")
    return source


def own_source(tx: Transaction, request: DeskRequest) -> Source:
    """Return a source that can be edited here."""
    source = source_of(tx, request)
    if source.managed:
        raise ConflictError(f"{source.name} is managed by {source.managed}. Edit it there.")
    return source


def _pause_of(tx: Transaction, source: Source, now: datetime) -> Pause | None:
    """Return the longest pause of the source's host, if any."""
    concerns = [
        pause
        for pause in tx.polling.hosts.paused(now)
        if pause.host == source.host or pause.host.startswith(f"{source.own_host}/")
    ]
    return max(concerns, key=lambda pause: pause.until, default=None)


def policy_of(form: Form) -> tuple[Policy, timedelta | None]:
    """Return the policy of a form, and its delay.

    Raises:
        BadFormError: a field is invalid.
    """
    policy = Policy(form.choice("policy", [policy.value for policy in Policy], Policy.AUTO.value))
    if policy is not Policy.DELAY:
        return policy, None
    if not form.text("delay"):
        raise BadFormError("Enter the delay in minutes.")
    return policy, timedelta(minutes=form.whole("delay", 1, _LONGEST_DELAY))


def bars_of(daily: Mapping[str, int], now: datetime) -> list[tuple[int, int, str]]:
    """Return the bars of a chart: their heights, the items and the days."""
    days = [(now - timedelta(days=back)).strftime("%Y-%m-%d") for back in range(DAYS - 1, -1, -1)]
    highest = max((daily.get(day, 0) for day in days), default=0) or 1
    return [(-(-daily.get(day, 0) * _BAR // highest), daily.get(day, 0), day) for day in days]


def words_of(request: DeskRequest) -> dict[str, Any]:
    """Return the words that the pages of sources share."""

    def since(moment: datetime | None) -> str:
        if moment is None:
            return "never"
        span = timedelta(seconds=round((request.now - moment).total_seconds()))
        return f"{spoken(span)} ago" if span >= timedelta() else f"in {spoken(-span)}"

    return {
        "now": request.now,
        "since": since,
        "spoken": spoken,
        "policies": POLICIES,
        "edits": _edits(),
        "undescribed": _UNDESCRIBED,
    }
