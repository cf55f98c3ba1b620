"""Define the context that the desk's sections share: requests, page values and redirects."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, unquote

from starlette.responses import RedirectResponse, Response

from aggregator.domain.access.accounts import Role
from aggregator.web.responses import HTML

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from starlette.requests import Request

    from aggregator.domain.access.accounts import Account
    from aggregator.domain.clock import Clock
    from aggregator.review.form import Form
    from aggregator.web.pages import Pages
    from aggregator.web.picture_cache import PictureCache
    from storage.store import Store, Transaction

CHOICES = 200  # sources that a form offers; the others are found by their slugs
HOME = "/review"
_MESSAGE = "desk-said"  # cookie with the message that the next page shows once
_LONGEST_SENTENCE = 600  # characters

# Label, path and role of each menu entry.
MENU: Sequence[tuple[str, str, Role]] = (
    ("Queue", HOME, Role.VIEWER),
    ("Rules", f"{HOME}/rules", Role.VIEWER),
    ("Sources", f"{HOME}/sources", Role.VIEWER),
    ("Freeze", f"{HOME}/freezes", Role.VIEWER),
    ("Incidents", f"{HOME}/incidents", Role.VIEWER),
    ("History", f"{HOME}/history", Role.VIEWER),
    ("Users", f"{HOME}/people", Role.ADMIN),
    ("Connections", f"{HOME}/connections", Role.ADMIN),
)


@dataclass(frozen=True, slots=True)
class DeskRequest:
    """A request of a signed-in user with the needed role; for a POST the form token has been checked."""

    http: Request
    account: Account
    token: str  # the `csrf` field of every form
    query: Form
    form: Form  # empty unless POST
    now: datetime
    session: str  # token of the session, for sign-out
    is_confirmed: bool = False  # whether the user has proved recently who they are

    def may(self, role: str) -> bool:
        """Return whether the user has a role, for templates."""
        return self.account.role.may(Role(role))

    def confirmed(self) -> DeskRequest:
        """Return the same request after its user confirmed who they are."""
        return replace(self, is_confirmed=True)

    def as_request(self, http: Request, query: Form, form: Form) -> DeskRequest:
        """Return another request of the same user."""
        return replace(self, http=http, query=query, form=form)

    @property
    def is_partial(self) -> bool:
        """Whether the desk's script requests a part of a page."""
        return self.http.headers.get("x-desk") == "part"


@dataclass(frozen=True, slots=True)
class DeskRoute:
    """A route of the desk. GET shows and POST changes; the path is relative to HOME ("" is the queue)."""

    method: str
    path: str
    role: Role
    handle: Callable[[DeskRequest], Response | Awaitable[Response]]  # in a thread; an awaitable on the event loop
    uploads: bool = False  # its form may carry a file
    confirm: bool = False  # the user must have proved recently who they are


class Section(Protocol):
    """A part of the desk."""

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes of this section."""
        ...


@dataclass(frozen=True, slots=True)
class Banner:
    """A notice at the top of every page."""

    sentence: str
    level: str = "warning"  # or "alarm"
    link: str | None = None  # path of the page to open
    action: str = ""  # the link's text


@dataclass(slots=True)
class DeskContext:
    """The objects that all sections use.

    Attributes:
        banners: called for every page within its read transaction.
    """

    store: Store
    clock: Clock
    pages: Pages
    secure: bool  # whether cookies are sent over https only
    pictures: PictureCache
    banners: list[Callable[[Transaction, datetime], Iterable[Banner]]] = field(default_factory=list)

    def page(self, request: DeskRequest, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
        """Render a page with `request`, `menu`, `banners`, `message`, `waiting` and the given values."""
        with self.store.reading() as tx:
            banners = [banner for ask in self.banners for banner in ask(tx, request.now)]
            waiting = tx.moderation.reviews.count_waiting()
        path = request.http.url.path
        body = self.pages.render(
            template,
            {
                "request": request,
                "menu": [
                    (label, to, path.endswith(to) if to == HOME else to in path)
                    for label, to, role in MENU
                    if request.account.role.may(role)
                ],
                "banners": banners,
                "waiting": waiting,
                "message": unquote(request.http.cookies.get(_MESSAGE, ""))[:_LONGEST_SENTENCE],
                **values,
            },
        )
        answer = Response(body, status, media_type=HTML)
        if _MESSAGE in request.http.cookies:
            answer.delete_cookie(_MESSAGE, path=self.pages.link(HOME), secure=self.secure, httponly=True)
        return answer

    def part(self, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
        """Render a part of a page for the desk's script."""
        return Response(self.pages.render(template, values), status, media_type=HTML)

    def onward(self, path: str, message: str = "") -> Response:
        """Redirect to a page, which shows the message once."""
        answer = RedirectResponse(self.pages.link(path), status_code=303)
        if message:
            answer.set_cookie(
                _MESSAGE,
                quote(message[:_LONGEST_SENTENCE]),
                max_age=60,
                path=self.pages.link(HOME),
                secure=self.secure,
                httponly=True,
                samesite="strict",
            )
        return answer
