"""Freezes: nothing new is shown until a time, of all sources or of some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.errors import NotFoundError
from aggregator.domain.moderation.freezes import LONGEST
from aggregator.review.context import CHOICES, HOME, Banner, DeskRoute
from aggregator.review.errors import ConflictError
from aggregator.review.form import BadFormError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from starlette.responses import Response

    from aggregator.review.context import DeskContext, DeskRequest
    from aggregator.web.dates import Dates
    from storage.store import Transaction

_LISTED = 30
_LARGEST_ID = 2**63 - 1


class FreezePages:
    """The freezes' page."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def ways(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/freezes", Role.VIEWER, self.page)
        yield DeskRoute("POST", "/freezes", Role.EDITOR, self.begin)
        yield DeskRoute("POST", "/freezes/{freeze_id}/end", Role.EDITOR, self.end)

    def page(self, visit: DeskRequest) -> Response:
        """Show what is frozen, and what was."""
        return self._page(visit)

    def begin(self, visit: DeskRequest) -> Response:
        """Freeze all sources, or those that are ticked."""
        try:
            until, reason = self._until(visit), visit.form.needed("reason", most=200)
            with self._desk.store.writing() as tx:
                chosen = _chosen(tx, visit)
                made = tx.moderation.freezes.begin(list(chosen.values()), until, reason, visit.account.name, visit.now)
                told = {"until": until.isoformat(), "sources": list(chosen), "reason": reason}
                tx.moderation.audit.notes(
                    visit.now, visit.account.name, "froze", [(f"freeze:{id_}", told) for id_ in made]
                )
        except BadFormError as problem:
            return self._page(visit, str(problem), 422)
        return self._desk.onward(f"{HOME}/freezes", "Nothing new is shown now. What is shown already stays.")

    def end(self, visit: DeskRequest) -> Response:
        """End a freeze now; what waited for its end is shown."""
        text = str(visit.request.path_params["freeze_id"])
        with self._desk.store.writing() as tx:
            known = text.isascii() and text.isdigit() and int(text) <= _LARGEST_ID
            freeze = tx.moderation.freezes.get(int(text)) if known else None
            if freeze is None:
                raise NotFoundError(f"There is no freeze {text[:40]!r}.")
            if freeze.ended is not None or freeze.until <= visit.now:
                raise ConflictError("This freeze has ended already.")
            count = tx.moderation.freezes.end(freeze, visit.account.name, visit.now)
            tx.moderation.audit.note(
                visit.now, visit.account.name, "ended a freeze", f"freeze:{freeze.id}", {"shown": count}
            )
        return self._desk.onward(f"{HOME}/freezes", f"The freeze is over; {count} items that waited for it are shown.")

    def _until(self, visit: DeskRequest) -> datetime:
        until = visit.form.moment("until", self._desk.pages.dates.zone)
        if until is None or not visit.now < until <= visit.now + LONGEST:
            raise BadFormError(f"until must be a time to come, within {LONGEST.days} days.")
        return until

    def _page(self, visit: DeskRequest, complaint: str = "", status: int = 200) -> Response:
        with self._desk.store.reading() as tx:
            ticked = visit.form.texts("source")
            sources = tx.polling.sources.choices(CHOICES, ticked)
            held = tx.moderation.freezes.held()
            active = tx.moderation.freezes.active(visit.now)
            recent = tx.moderation.freezes.recent(_LISTED)
            ids = {freeze.source_id for freeze in (*active, *recent) if freeze.source_id is not None}
            names = {id_: ref.name for id_, ref in tx.polling.sources.refs(ids).items()}
        every = sum(held.values())
        values = {
            "active": active,
            "past": [one for one in recent if one not in active],
            "names": names,
            "waiting_for": {one.id: every if one.source_id is None else held.get(one.source_id, 0) for one in active},
            "sources": sources,
            "more_sources": len(sources) >= CHOICES,
            "ticked": ticked,
            "complaint": complaint,
            "form": visit.form,
        }
        return self._desk.page(visit, "freezes.html", values, status)


def _chosen(tx: Transaction, visit: DeskRequest) -> dict[str, int | None]:
    """Return what is to be frozen: ids of sources by slug, or None under "all"."""
    if visit.form.choice("scope", ["all", "some"], "all") == "all":
        return {"all": None}
    slugs = [*visit.form.texts("source"), *visit.form.text("others").replace(",", " ").split()]
    known = tx.polling.sources.ids(slugs)
    strange = [slug for slug in slugs if slug not in known]
    if strange or not slugs:
        what = f"There is no source {strange[0]!r}." if strange else "Tick the sources that are to be frozen."
        raise BadFormError(what)
    return {slug: known[slug] for slug in slugs}


def freeze_banners(dates: Dates, tx: Transaction, now: datetime) -> Iterable[Banner]:
    """Return what every page says while something is frozen."""
    active = tx.moderation.freezes.active(now)
    if not active:
        return
    whole = [one for one in active if one.source_id is None]
    longest = (whole or active)[-1]
    what = "Nothing new is shown" if whole else "Nothing new of some sources is shown"
    sentence = f"{what} until {dates.moment(longest.until)}: {longest.reason} ({longest.author})."
    yield Banner(sentence, "alarm", f"{HOME}/freezes", "Freezes")
