"""Add and edit our own posts: announcements and links that editors write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.activity import EARLIEST, ActivityKind, Content
from aggregator.domain.errors import BadRequestError
from aggregator.domain.networks import WEB
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

OWN = "desk"  # slug of the source of our own posts
_LONGEST_TITLE = 300
_LONGEST_TEXT = 10_000

# Stores a post, replacing the one with the same native id, and returns its id.
Publish = Callable[["Transaction", Content, str | None, str, datetime], int]


@dataclass(frozen=True, slots=True)
class _Typed:
    """The values of the form."""

    title: str = ""
    text: str = ""
    url: str = ""
    published: str = ""
    lang: str = ""


class EditorialPages:
    """The forms for our own posts."""

    def __init__(self, desk: DeskContext, publish: Publish) -> None:
        self._desk = desk
        self._publish = publish

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/add", Role.EDITOR, self.blank)
        yield DeskRoute("POST", "/add", Role.EDITOR, self.add)
        yield DeskRoute("GET", "/items/{item_id}/edit", Role.EDITOR, self.filled)
        yield DeskRoute("POST", "/items/{item_id}/edit", Role.EDITOR, self.change)

    def blank(self, request: DeskRequest) -> Response:
        """Show the empty form."""
        return self._form(request, _Typed(), None)

    def add(self, request: DeskRequest) -> Response:
        """Add a post and publish it immediately."""
        return self._store(request, None)

    def filled(self, request: DeskRequest) -> Response:
        """Show the form for an existing post."""
        item = self._ours(request)
        zone = self._desk.pages.dates.zone
        content = item.content
        moment = content.published.astimezone(zone).strftime("%Y-%m-%dT%H:%M") if content.published else ""
        return self._form(
            request, _Typed(content.title or "", content.text, content.url or "", moment, content.lang or ""), item
        )

    def change(self, request: DeskRequest) -> Response:
        """Edit a post; the previous version is kept."""
        return self._store(request, self._ours(request))

    def _store(self, request: DeskRequest, item: Activity | None) -> Response:
        try:
            content = self._content(request.form, request.now)
        except BadFormError as problem:
            fields = {name: request.form.texts(name)[0] for name in _Typed.__slots__ if request.form.texts(name)}
            return self._form(request, _Typed(**fields), item, str(problem))
        with self._desk.store.writing() as tx:
            native_id = item.native_id if item else None
            id_ = self._publish(tx, content, native_id, request.account.name, request.now)
            what = "changed an item of ours" if item else "added an item"
            tx.moderation.audit.note(request.now, request.account.name, what, f"activity:{id_}", {})
        return self._desk.onward(f"{HOME}/items/{id_}", "Post saved." if item else "Post published.")

    def _content(self, form: Form, now: datetime) -> Content:
        title, text = form.needed("title", most=_LONGEST_TITLE), form.text("text", most=_LONGEST_TEXT)
        typed = form.text("url", most=2000)
        url = canonical_url(typed) if typed else None
        if typed and url is None:
            raise BadFormError(f"url is {typed[:80]!r}, expected a web address such as https://example.org.")
        if not url and not text:
            raise BadFormError("Enter a text or a link.")
        published = form.moment("published", self._desk.pages.dates.zone) or now
        if not EARLIEST <= published <= now:
            raise BadFormError("published must not be in the future.")
        lang = form.text("lang", most=35) or None
        return Content(
            kind=ActivityKind.ARTICLE,
            network=WEB,
            url=url,
            title=" ".join(title.split()),
            text=text,
            html=paragraphs(text),
            lang=lang,
            published=published,
        )

    def _ours(self, request: DeskRequest) -> Activity:
        with self._desk.store.reading() as tx:
            item = held(tx, id_of(request))
        if item.source.slug != OWN:
            raise BadRequestError("Only our own posts can be edited. Add a headline or a note instead.")
        return item

    def _form(self, request: DeskRequest, typed: _Typed, item: Activity | None, complaint: str = "") -> Response:
        values: Mapping[str, object] = {"typed": typed, "item": item, "complaint": complaint}
        return self._desk.page(request, "editorial.html", values, 422 if complaint else 200)
