"""The desk that all its rooms share: who visits, what a page carries besides its own, and how one goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, unquote

from starlette.responses import RedirectResponse, Response

from aggregator.domain.access.accounts import Role
from aggregator.web.responses import HTML

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from starlette.requests import Request

    from aggregator.domain.access.accounts import Account
    from aggregator.domain.polling.rate_limit import Clock
    from aggregator.review.form import Form
    from aggregator.web.pages import Pages
    from storage.store import Store, Transaction

CHOICES = 200  # sources that a form offers; the others are found by their slugs
HOME = "/review"
_SAID = "desk-said"  # the cookie of a sentence that the next page shows once
_LONGEST_SENTENCE = 600  # characters

# (label, path, role) of the desk's rooms, in the order of its menu.
MENU: Sequence[tuple[str, str, Role]] = (
    ("Queue", HOME, Role.VIEWER),
    ("Rules", f"{HOME}/rules", Role.VIEWER),
    ("Sources", f"{HOME}/sources", Role.VIEWER),
    ("Freeze", f"{HOME}/freezes", Role.VIEWER),
    ("History", f"{HOME}/history", Role.VIEWER),
    ("People", f"{HOME}/people", Role.ADMIN),
)


@dataclass(frozen=True, slots=True)
class DeskRequest:
    """One request of somebody who is signed in and may do this; a POST has proved that it comes from our own form."""

    request: Request
    account: Account
    token: str  # goes into every form, as `csrf`
    query: Form
    form: Form  # empty unless POST
    now: datetime
    session: str  # the token of the visitor's session, for signing out

    def may(self, role: str) -> bool:
        """Say whether the visitor has a role, for templates."""
        return self.account.role.may(Role(role))

    @property
    def is_partial(self) -> bool:
        """Whether the desk's own script asks, which wants a part of a page."""
        return self.request.headers.get("x-desk") == "part"


@dataclass(frozen=True, slots=True)
class DeskRoute:
    """A route of the desk: GET shows, POST changes. The path is below HOME ("" is the queue)."""

    method: str
    path: str
    role: Role
    handle: Callable[[DeskRequest], Response]


class Section(Protocol):
    """A part of the desk."""

    def ways(self) -> Iterable[DeskRoute]:
        """Return its routes."""
        ...


@dataclass(frozen=True, slots=True)
class Banner:
    """A sentence that every page of the desk shows."""

    sentence: str
    level: str = "warning"  # or "alarm"
    link: str | None = None  # path of ours, where it is dealt with
    action: str = ""  # the link's text


@dataclass(slots=True)
class DeskContext:
    """What all rooms work with.

    Attributes:
        banners: asked for every page, within its reading transaction.
    """

    store: Store
    clock: Clock
    pages: Pages
    secure: bool  # whether cookies go over https alone
    banners: list[Callable[[Transaction, datetime], Iterable[Banner]]] = field(default_factory=list)

    def page(self, visit: DeskRequest, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
        """Return a page of the desk: `visit`, `menu`, `banners`, `said` and `waiting` besides the given values."""
        with self.store.reading() as tx:
            banners = [banner for ask in self.banners for banner in ask(tx, visit.now)]
            waiting = tx.moderation.reviews.count_waiting()
        path = visit.request.url.path
        body = self.pages.render(
            template,
            {
                "visit": visit,
                "menu": [
                    (label, to, path.endswith(to) if to == HOME else to in path)
                    for label, to, role in MENU
                    if visit.account.role.may(role)
                ],
                "banners": banners,
                "waiting": waiting,
                "said": unquote(visit.request.cookies.get(_SAID, ""))[:_LONGEST_SENTENCE],
                **values,
            },
        )
        answer = Response(body, status, media_type=HTML)
        if _SAID in visit.request.cookies:
            answer.delete_cookie(_SAID, path=self.pages.link(HOME), secure=self.secure, httponly=True)
        return answer

    def part(self, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
        """Return a part of a page, for the desk's own script."""
        return Response(self.pages.render(template, values), status, media_type=HTML)

    def onward(self, path: str, said: str = "") -> Response:
        """Send the visitor to a page of ours, which shows a sentence once."""
        answer = RedirectResponse(self.pages.link(path), status_code=303)
        if said:
            answer.set_cookie(
                _SAID,
                quote(said[:_LONGEST_SENTENCE]),
                max_age=60,
                path=self.pages.link(HOME),
                secure=self.secure,
                httponly=True,
                samesite="strict",
            )
        return answer
