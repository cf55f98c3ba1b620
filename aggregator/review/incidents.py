"""List incidents with their evidence, and snooze or mute their alerts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.errors import NotFoundError
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.errors import ConflictError
from aggregator.review.form import id_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from aggregator.domain.monitoring.incidents import Incident
    from aggregator.review.context import DeskContext, DeskRequest
    from storage.store import Transaction

_OPEN = 200  # incidents of a page
_PAST = 50
_DAYS = ("1", "7", "30")  # of a snooze


class IncidentPages:
    """The incidents page."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/incidents", Role.VIEWER, self.page)
        yield DeskRoute("POST", "/incidents/{incident_id}/snooze", Role.EDITOR, self.snooze)
        yield DeskRoute("POST", "/incidents/{incident_id}/mute", Role.EDITOR, self.mute)

    def page(self, request: DeskRequest) -> Response:
        """Show open incidents, and the last ones that have ended."""
        with self._desk.store.reading() as tx:
            running = tx.monitoring.incidents.open(limit=_OPEN)
            recent = tx.monitoring.incidents.page(_PAST)
        past = [incident for incident in recent if incident.ended is not None]
        values = {"running": running, "past": past, "days": _DAYS, "now": request.now}
        return self._desk.page(request, "incidents.html", values)

    def snooze(self, request: DeskRequest) -> Response:
        """Send no alert for an incident for some days, or send it after all."""
        days = int(request.form.choice("days", ["0", *_DAYS], _DAYS[0]))
        with self._desk.store.writing() as tx:
            incident = _existing(tx, request)
            until = request.now + timedelta(days=days) if days else None
            if not tx.monitoring.incidents.snooze(incident.id, until):
                raise ConflictError("This incident has already ended.")
            self._note(tx, request, incident, "snoozed", {"days": days})
        return self._desk.onward(f"{HOME}/incidents", f"No alert for {days} days." if days else "Snooze ended.")

    def mute(self, request: DeskRequest) -> Response:
        """Send no alert for an incident and later ones like it, or send them again."""
        muted = request.form.choice("to", ["on", "off"], "on") == "on"
        with self._desk.store.writing() as tx:
            incident = _existing(tx, request)
            tx.monitoring.incidents.mute(incident.id, muted=muted)
            self._note(tx, request, incident, "muted" if muted else "unmuted", {})
        return self._desk.onward(f"{HOME}/incidents", "Alerts muted." if muted else "Alerts are sent again.")

    def _note(
        self, tx: Transaction, request: DeskRequest, incident: Incident, what: str, detail: dict[str, object]
    ) -> None:
        about = {**detail, "of": incident.subject}
        tx.moderation.audit.note(request.now, request.account.name, what, f"incident:{incident.id}", about)


def _existing(tx: Transaction, request: DeskRequest) -> Incident:
    text = str(request.http.path_params["incident_id"])
    id_ = id_in(text)
    incident = None if id_ is None else tx.monitoring.incidents.get(id_)
    if incident is None:
        raise NotFoundError(f"No incident {text[:40]!r}.")
    return incident
