"""Edit the name, folder, intervals and address of a source."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aggregator.domain.access.accounts import Role
from aggregator.domain.errors import AggregatorError
from aggregator.domain.source import LONGEST_FOLDER, Source
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.form import BadFormError
from aggregator.review.source_table import folder_of
from aggregator.review.sources import own_source
from aggregator.text.durations import parse_duration, spoken

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from aggregator.domain.source_preview import SourcePreview
    from aggregator.review.context import DeskContext, DeskRequest
    from aggregator.review.form import Form
    from aggregator.review.source_preview import Preview

# Changes the address of a source (slug, address, user); raises an AggregatorError with the reason if it can't.
Readdress = Callable[[str, str, str], Source]

_LONGEST_NAME = 200
_LONGEST_INTERVAL = 31 * 86_400  # seconds


class SourceSettingsPages:
    """The forms for settings of a source that are not about review."""

    def __init__(self, desk: DeskContext, preview: Preview, readdress: Readdress) -> None:
        self._desk = desk
        self._preview = preview
        self._readdress = readdress

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("POST", "/sources/{slug}/settings", Role.EDITOR, self.settings)
        yield DeskRoute("POST", "/sources/{slug}/address", Role.EDITOR, self.address)

    def settings(self, request: DeskRequest) -> Response:
        """Set the name, the folder and the poll intervals."""
        name = " ".join(request.form.needed("name", most=_LONGEST_NAME).split())
        folder = folder_of(request.form.text("folder", most=LONGEST_FOLDER))
        with self._desk.store.writing() as tx:
            source = own_source(tx, request)
            values: dict[str, Any] = {"name": name, "folder": folder, **_intervals(request.form, source)}
            before = {
                "name": source.name, "folder": source.folder, "ceiling": round(source.ceiling.total_seconds()),
                "every": round(source.every.total_seconds()) if source.every else None,
            }  # fmt: skip
            tx.polling.sources.change(source.id, **values)
            if values["every"] is not None and values["every"] != before["every"]:
                tx.polling.schedule.follow_interval(source, parse_duration(str(values["every"])), request.now)
            detail = {"from": _intervals_named(before), "to": _intervals_named(values)}
            tx.moderation.audit.note(
                request.now, request.account.name, "changed a source", f"source:{source.slug}", detail
            )
        return self._desk.onward(f"{HOME}/sources/{source.slug}", "Settings saved.")

    def address(self, request: DeskRequest) -> Response:
        """Check a new address and show what it has, or let the source be polled there."""
        address = request.form.needed("address", most=2000)
        with self._desk.store.reading() as tx:
            source = own_source(tx, request)
        found: SourcePreview | None = None
        complaint = ""
        try:
            if request.form.choice("do", ["check", "change"]) == "change":
                moved = self._readdress(source.slug, address, request.account.name)
                message = f"{moved.name} is now polled at {moved.address}."
                return self._desk.onward(f"{HOME}/sources/{moved.slug}", message)
            found = self._preview(address, source.options)
            complaint = _objection(found, source)
        except AggregatorError as problem:
            complaint = str(problem)
        values = {"source": source, "address": address, "found": found, "complaint": complaint}
        return self._desk.page(request, "source-address.html", values, 422 if complaint else 200)


def _objection(found: SourcePreview, source: Source) -> str:
    """Return why a source can't be polled at a previewed address, or ""."""
    if found.kind != source.kind:
        return f"This address is read as {found.kind}, but the source is {source.kind}. Add it as a new source."
    if found.followed_as == source.slug:
        return "This is the present address."
    return f"This is the address of the source {found.followed_as!r}." if found.followed_as else ""


def _intervals(form: Form, source: Source) -> dict[str, Any]:
    """Return the intervals of the form in seconds; none for a source that is never polled.

    Raises:
        BadFormError: one isn't a duration, or is too short or too long.
    """
    if source.poll.due is None:
        return {"every": None}
    least = round(source.floor.total_seconds())
    every, ceiling = _seconds(form, "every"), _seconds(form, "ceiling") or round(source.ceiling.total_seconds())
    for name, value in (("every", every), ("ceiling", ceiling)):
        if value is not None and not least <= value <= _LONGEST_INTERVAL:
            raise BadFormError(f"{name} must be between {spoken(source.floor)} and 31 days.")
    return {"every": every, "ceiling": ceiling}


def _seconds(form: Form, name: str) -> int | None:
    text = form.text(name, most=40)
    try:
        return round(parse_duration(text).total_seconds()) if text else None
    except ValueError as problem:
        raise BadFormError(f"{name}: {problem}.") from None


def _intervals_named(values: dict[str, Any]) -> dict[str, Any]:
    """Return settings with the names that the history shows."""
    names = {"every": "seconds_between_polls", "ceiling": "most_seconds_between_polls"}
    return {names.get(name, name): value for name, value in values.items()}
