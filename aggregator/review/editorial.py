"""Items of our own: an announcement or a link that an editor adds by hand, marked as such."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.activity import EARLIEST, ActivityKind, Content
from aggregator.domain.errors import BadRequestError
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.form import BadFormError
from aggregator.review.items import held, id_of
from aggregator.text.html import paragraphs
from aggregator.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.responses import Response

    from aggregator.domain.activity import Activity
    from aggregator.review.context import DeskContext, DeskRequest
    from aggregator.review.form import Form
    from storage.store import Transaction

OWN = "desk"  # the slug of the source that items of our own belong to
_LONGEST_TITLE = 300
_LONGEST_TEXT = 10_000

# Stores an item of our own, over an older one of the same native id; returns its id.
Publish = Callable[["Transaction", Content, str | None, str, datetime], int]


@dataclass(frozen=True, slots=True)
class _Typed:
    """What stands in the form."""

    title: str = ""
    text: str = ""
    url: str = ""
    published: str = ""
    lang: str = ""


class ManualPages:
    """The forms for items of our own."""

    def __init__(self, desk: DeskContext, publish: Publish) -> None:
        self._desk = desk
        self._publish = publish

    def ways(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/add", Role.EDITOR, self.blank)
        yield DeskRoute("POST", "/add", Role.EDITOR, self.add)
        yield DeskRoute("GET", "/items/{item_id}/edit", Role.EDITOR, self.filled)
        yield DeskRoute("POST", "/items/{item_id}/edit", Role.EDITOR, self.change)

    def blank(self, visit: DeskRequest) -> Response:
        """Show the empty form."""
        return self._form(visit, _Typed(), None)

    def add(self, visit: DeskRequest) -> Response:
        """Add an item; it is shown at once."""
        return self._store(visit, None)

    def filled(self, visit: DeskRequest) -> Response:
        """Show the form of an item of our own."""
        item = self._ours(visit)
        zone = self._desk.pages.dates.zone
        said = item.content
        moment = said.published.astimezone(zone).strftime("%Y-%m-%dT%H:%M") if said.published else ""
        return self._form(visit, _Typed(said.title or "", said.text, said.url or "", moment, said.lang or ""), item)

    def change(self, visit: DeskRequest) -> Response:
        """Change an item of our own; what it was before is kept as a version."""
        return self._store(visit, self._ours(visit))

    def _store(self, visit: DeskRequest, item: Activity | None) -> Response:
        try:
            content = self._content(visit.form, visit.now)
        except BadFormError as problem:
            fields = {name: visit.form.texts(name)[0] for name in _Typed.__slots__ if visit.form.texts(name)}
            return self._form(visit, _Typed(**fields), item, str(problem))
        with self._desk.store.writing() as tx:
            native_id = item.native_id if item else None
            id_ = self._publish(tx, content, native_id, visit.account.name, visit.now)
            what = "changed an item of ours" if item else "added an item"
            tx.moderation.audit.note(visit.now, visit.account.name, what, f"activity:{id_}", {})
        return self._desk.onward(f"{HOME}/items/{id_}", "Changed." if item else "Added; it is shown now.")

    def _content(self, form: Form, now: datetime) -> Content:
        title, text = form.needed("title", most=_LONGEST_TITLE), form.text("text", most=_LONGEST_TEXT)
        typed = form.text("url", most=2000)
        url = canonical_url(typed) if typed else None
        if typed and url is None:
            raise BadFormError(f"url is {typed[:80]!r}, which is no web address; it begins with https://.")
        if not url and not text:
            raise BadFormError("Write a text, or give the address that it leads to.")
        published = form.moment("published", self._desk.pages.dates.zone) or now
        if not EARLIEST <= published <= now:
            raise BadFormError("published lies ahead; items can't be announced for later here.")
        lang = form.text("lang", most=35) or None
        return Content(
            kind=ActivityKind.ARTICLE,
            network="web",
            url=url,
            title=" ".join(title.split()),
            text=text,
            html=paragraphs(text),
            lang=lang,
            published=published,
        )

    def _ours(self, visit: DeskRequest) -> Activity:
        with self._desk.store.reading() as tx:
            item = held(tx, id_of(visit))
        if item.source.slug != OWN:
            raise BadRequestError("What others wrote is never changed; put a headline or a note beside it instead.")
        return item

    def _form(self, visit: DeskRequest, typed: _Typed, item: Activity | None, complaint: str = "") -> Response:
        values: Mapping[str, object] = {"typed": typed, "item": item, "complaint": complaint}
        return self._desk.page(visit, "manual.html", values, 422 if complaint else 200)
