"""Manage freezes, which hold new items of all or some sources until a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.errors import NotFoundError
from aggregator.domain.moderation.freezes import LONGEST
from aggregator.review.context import CHOICES, HOME, Banner, DeskRoute
from aggregator.review.errors import ConflictError
from aggregator.review.form import BadFormError, id_in

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from starlette.responses import Response

    from aggregator.review.context import DeskContext, DeskRequest
    from aggregator.web.dates import Dates
    from storage.store import Transaction

_LISTED = 30


class FreezePages:
    """The freezes page."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/freezes", Role.VIEWER, self.page)
        yield DeskRoute("POST", "/freezes", Role.EDITOR, self.begin)
        yield DeskRoute("POST", "/freezes/{freeze_id}/end", Role.EDITOR, self.end)

    def page(self, request: DeskRequest) -> Response:
        """Show active and past freezes."""
        return self._page(request)

    def begin(self, request: DeskRequest) -> Response:
        """Freeze all or the selected sources."""
        try:
            until, reason = self._until(request), request.form.needed("reason", most=200)
            with self._desk.store.writing() as tx:
                chosen = _chosen(tx, request)
                made = tx.moderation.freezes.begin(
                    list(chosen.values()), until, reason, request.account.name, request.now
                )
                detail = {"until": until.isoformat(), "sources": list(chosen), "reason": reason}
                tx.moderation.audit.notes(
                    request.now, request.account.name, "froze", [(f"freeze:{id_}", detail) for id_ in made]
                )
        except BadFormError as problem:
            return self._page(request, str(problem), 422)
        return self._desk.onward(f"{HOME}/freezes", "Freeze started. New items are held; published items stay.")

    def end(self, request: DeskRequest) -> Response:
        """End a freeze now and publish the held items."""
        text = str(request.http.path_params["freeze_id"])
        with self._desk.store.writing() as tx:
            id_ = id_in(text)
            freeze = None if id_ is None else tx.moderation.freezes.get(id_)
            if freeze is None:
                raise NotFoundError(f"No freeze {text[:40]!r}.")
            if freeze.ended is not None or freeze.until <= request.now:
                raise ConflictError("This freeze has already ended.")
            count = tx.moderation.freezes.end(freeze, request.account.name, request.now)
            tx.moderation.audit.note(
                request.now, request.account.name, "ended a freeze", f"freeze:{freeze.id}", {"shown": count}
            )
        return self._desk.onward(f"{HOME}/freezes", f"Freeze ended. {count} held items are published.")

    def _until(self, request: DeskRequest) -> datetime:
        until = request.form.moment("until", self._desk.pages.dates.zone)
        if until is None or not request.now < until <= request.now + LONGEST:
            raise BadFormError(f"until must be in the future, within {LONGEST.days} days.")
        return until

    def _page(self, request: DeskRequest, complaint: str = "", status: int = 200) -> Response:
        with self._desk.store.reading() as tx:
            ticked = request.form.texts("source")
            sources = tx.polling.sources.choices(CHOICES, ticked)
            waiting = tx.moderation.freezes.held()
            active = tx.moderation.freezes.active(request.now)
            recent = tx.moderation.freezes.recent(_LISTED)
            ids = {freeze.source_id for freeze in (*active, *recent) if freeze.source_id is not None}
            names = {id_: ref.name for id_, ref in tx.polling.sources.refs(ids).items()}
        every = sum(waiting.values())
        values = {
            "active": active,
            "past": [freeze for freeze in recent if freeze not in active],
            "names": names,
            "waiting_for": {
                freeze.id: every if freeze.source_id is None else waiting.get(freeze.source_id, 0) for freeze in active
            },
            "sources": sources,
            "more_sources": len(sources) >= CHOICES,
            "ticked": ticked,
            "complaint": complaint,
            "form": request.form,
        }
        return self._desk.page(request, "freezes.html", values, status)


def _chosen(tx: Transaction, request: DeskRequest) -> dict[str, int | None]:
    """Return the ids of the sources to freeze by slug, or None under "all"."""
    if request.form.choice("scope", ["all", "some"], "all") == "all":
        return {"all": None}
    slugs = [*request.form.texts("source"), *request.form.text("others").replace(",", " ").split()]
    known = tx.polling.sources.ids(slugs)
    strange = [slug for slug in slugs if slug not in known]
    if strange or not slugs:
        what = f"No source {strange[0]!r}." if strange else "Select the sources to freeze."
        raise BadFormError(what)
    return {slug: known[slug] for slug in slugs}


def freeze_banners(dates: Dates, tx: Transaction, now: datetime) -> Iterable[Banner]:
    """Return the notice about active freezes."""
    active = tx.moderation.freezes.active(now)
    if not active:
        return
    whole = [freeze for freeze in active if freeze.source_id is None]
    longest = (whole or active)[-1]
    what = "New items are held" if whole else "New items of some sources are held"
    sentence = f"{what} until {dates.moment(longest.until)}: {longest.reason} ({longest.author})."
    yield Banner(sentence, "alarm", f"{HOME}/freezes", "Freezes")
