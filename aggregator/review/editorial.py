"""Add and edit our own posts: announcements and links that editors write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.activity import EARLIEST, Activity, ActivityKind, Content, Review, SourceRef, Upstream
from aggregator.domain.descriptions import LONGEST_DESCRIPTION
from aggregator.domain.errors import BadRequestError
from aggregator.domain.networks import WEB
from aggregator.domain.own_posts import SOURCE, PostPlan, PostState
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.form import BadFormError
from aggregator.review.items import held, id_of
from aggregator.review.post_pictures import PostPicture, picture_in, picture_of, picture_path
from aggregator.text.html import paragraphs
from aggregator.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import tzinfo

    from starlette.responses import Response

    from aggregator.review.context import DeskContext, DeskRequest
    from aggregator.review.form import Form
    from storage.store import Transaction

_LONGEST_TITLE = 300
_LONGEST_TEXT = 10_000
_LONGEST_WAIT = timedelta(days=366)

# Stores a post as planned, replacing the one with the same native id, and returns its id.
Publish = Callable[["Transaction", Content, str | None, str, datetime, PostPlan], int]


@dataclass(frozen=True, slots=True)
class _Typed:
    """The values of the form."""

    title: str = ""
    text: str = ""
    url: str = ""
    published: str = ""
    lang: str = ""
    due: str = ""


class EditorialPages:
    """The forms for our own posts."""

    def __init__(self, desk: DeskContext, publish: Publish, public_url: str | None) -> None:
        self._desk = desk
        self._publish = publish
        self._public_url = public_url

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/add", Role.EDITOR, self.blank)
        yield DeskRoute("POST", "/add", Role.EDITOR, self.add, uploads=True)
        yield DeskRoute("GET", "/items/{item_id}/edit", Role.EDITOR, self.filled)
        yield DeskRoute("POST", "/items/{item_id}/edit", Role.EDITOR, self.change, uploads=True)

    def blank(self, request: DeskRequest) -> Response:
        """Show the empty form."""
        return self._form(request, _Typed(), None)

    def add(self, request: DeskRequest) -> Response:
        """Add a post: publish it, schedule it, or keep it as a draft; or preview it."""
        return self._store(request, None)

    def filled(self, request: DeskRequest) -> Response:
        """Show the form for an existing post."""
        item = self._ours(request)
        zone = self._desk.pages.dates.zone
        with self._desk.store.reading() as tx:
            later = tx.moderation.queue.intentions([item.id]).get(item.id)
        content = item.content
        is_shown = item.review is Review.PUBLISHED
        moment = _local(content.published, zone) if is_shown else ""
        due = _local(later.due if later else None, zone)
        typed = _Typed(content.title or "", content.text, content.url or "", moment, content.lang or "", due)
        return self._form(request, typed, item)

    def change(self, request: DeskRequest) -> Response:
        """Edit a post; the previous version is kept."""
        return self._store(request, self._ours(request))

    def _store(self, request: DeskRequest, item: Activity | None) -> Response:
        fields = {name: request.form.texts(name)[0] for name in _Typed.__slots__ if request.form.texts(name)}
        is_preview = request.form.text("do") == "preview"
        try:
            plan = PostPlan() if is_preview else self._plan(request)
            content = self._content(request.form, request.now, plan)
            picture = picture_in(request, item)
        except BadFormError as problem:
            return self._form(request, _Typed(**fields), item, str(problem))
        if picture is not None:
            content = replace(content, media=(picture.media(self._base(request)),))
        if is_preview:
            shown = _previewed(content, picture, item, request.now)
            return self._form(request, _Typed(**fields), item, preview=shown, picture=picture)
        with self._desk.store.writing() as tx:
            native_id = item.native_id if item else None
            id_ = self._publish(tx, content, native_id, request.account.name, request.now, plan)
            tx.stream.uploads.keep(id_, picture and picture.name, picture and picture.body, request.now)
            what = "changed an item of ours" if item else "added an item"
            is_shown = item is not None and item.review is Review.PUBLISHED
            detail = {} if is_shown else {"plan": plan.state.value, "due": plan.due.isoformat() if plan.due else None}
            tx.moderation.audit.note(request.now, request.account.name, what, f"activity:{id_}", detail)
        return self._desk.onward(f"{HOME}/items/{id_}", "Post saved." if is_shown else self._sentence(plan))

    def _base(self, request: DeskRequest) -> str:
        """Return the public address of this installation, of which addresses of pictures are a part."""
        if self._public_url:
            return self._public_url.rstrip("/")
        return str(request.http.base_url).rstrip("/").removesuffix(HOME)

    def _sentence(self, plan: PostPlan) -> str:
        if plan.due is not None:
            return f"Post scheduled for {self._desk.pages.dates.moment(plan.due)}."
        return "Draft saved." if plan.state is PostState.DRAFT else "Post published."

    def _plan(self, request: DeskRequest) -> PostPlan:
        """Return when the post is shown, by the pressed button."""
        state = PostState(request.form.choice("do", [state.value for state in PostState], PostState.PUBLISH.value))
        if state is not PostState.SCHEDULE:
            return PostPlan(state)
        due = request.form.moment("due", self._desk.pages.dates.zone)
        if due is None or not request.now < due <= request.now + _LONGEST_WAIT:
            raise BadFormError("Enter a time in the future, within a year, at which the post is published.")
        return PostPlan(state, due)

    def _content(self, form: Form, now: datetime, plan: PostPlan) -> Content:
        title, text = form.needed("title", most=_LONGEST_TITLE), form.text("text", most=_LONGEST_TEXT)
        typed = form.text("url", most=2000)
        url = canonical_url(typed) if typed else None
        if typed and url is None:
            raise BadFormError(f"url is {typed[:80]!r}, expected a web address such as https://example.org.")
        if not url and not text:
            raise BadFormError("Enter a text or a link.")
        published = plan.due or form.moment("published", self._desk.pages.dates.zone) or now
        if not EARLIEST <= published <= (plan.due or now):
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
        if item.source.slug != SOURCE:
            raise BadRequestError("Only our own posts can be edited. Add a headline or a note instead.")
        return item

    def _form(
        self,
        request: DeskRequest,
        typed: _Typed,
        item: Activity | None,
        complaint: str = "",
        preview: Activity | None = None,
        picture: PostPicture | None = None,
    ) -> Response:
        stored = picture_of(item) if item else None
        typed_alt = request.form.texts("alt")
        values: Mapping[str, object] = {
            "typed": typed,
            "item": item,
            "complaint": complaint,
            "preview": preview,
            "picture": picture,
            "stored": picture_path(stored.name) if stored else None,
            "alt": typed_alt[0] if typed_alt else stored.alt if stored else "",
            "longest": LONGEST_DESCRIPTION,
            "is_shown": item is not None and item.review is Review.PUBLISHED,
        }
        return self._desk.page(request, "editorial.html", values, 422 if complaint else 200)


def _local(moment: datetime | None, zone: tzinfo) -> str:
    """Return a time as the value of a "datetime-local" input."""
    return moment.astimezone(zone).strftime("%Y-%m-%dT%H:%M") if moment else ""


def _previewed(content: Content, picture: PostPicture | None, item: Activity | None, now: datetime) -> Activity:
    """Return a post as it would be shown; nothing is stored. A picture that isn't stored has no address yet."""
    if item is not None:
        kept = item.content.media if picture is not None and picture.body is None else ()
        media = tuple(replace(each, alt=picture.alt) for each in kept) if picture is not None else ()
        return replace(item, content=replace(content, media=media))
    return Activity(
        id=0,
        source=SourceRef(SOURCE, "Our editors"),
        native_id="preview",
        key="preview",
        content=replace(content, media=()),
        object=None,
        object_key=None,
        first_seen=now,
        position=content.published or now,
        revision=0,
        fingerprint="",
        upstream=Upstream.LIVE,
        review=Review.HIDDEN,
        review_by="policy",
        review_reason="a preview",
        visible=False,
    )
