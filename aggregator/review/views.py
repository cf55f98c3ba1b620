"""Set what users choose for themselves: the queue's layout, saved views, and the daily summary."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.access.desk_settings import LONGEST_VIEW_NAME, MOST_VIEWS, Layout
from aggregator.domain.errors import NotFoundError
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.form import BadFormError, id_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from aggregator.review.context import DeskContext, DeskRequest

_QUEUE = re.compile(rf"{HOME}((?:\?[\x21-\x7e]*)?)")
_LONGEST_QUERY = 2000


class ViewPages:
    """The routes for the layout and saved views of a user."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("POST", "/layout", Role.VIEWER, self.layout)
        yield DeskRoute("POST", "/account/digest", Role.VIEWER, self.digest)
        yield DeskRoute("POST", "/views", Role.VIEWER, self.save)
        yield DeskRoute("POST", "/views/{view_id}/delete", Role.VIEWER, self.delete)

    def layout(self, request: DeskRequest) -> Response:
        """Show the queue as cards or as a list from now on."""
        layout = request.form.choice("layout", [layout.value for layout in Layout])
        with self._desk.store.writing(lock_stream=False) as tx:
            tx.access.settings.change(request.account.id, layout=layout)
        return self._desk.onward(HOME + _query(request))

    def digest(self, request: DeskRequest) -> Response:
        """Set whether a daily summary is sent to the user's e-mail address, once that is confirmed."""
        wants = request.form.checked("digest")
        with self._desk.store.writing() as tx:
            former = tx.access.settings.get(request.account.id)
            if wants and former.email is None:
                raise BadFormError("Set the e-mail address first to which the summary is sent.")
            begun = {} if former.digest or not wants else {"digest_sent": request.now}  # the first one comes tomorrow
            tx.access.settings.change(request.account.id, digest=wants, **begun)
            subject = f"account:{request.account.name}"
            detail = {"to": {"daily_summary": wants}}
            tx.moderation.audit.note(request.now, request.account.name, "changed their settings", subject, detail)
        return self._desk.onward(f"{HOME}/account", "Settings saved.")

    def save(self, request: DeskRequest) -> Response:
        """Save the filters of the queue under a name; a view with that name is replaced."""
        name = " ".join(request.form.needed("name", most=LONGEST_VIEW_NAME).split())
        query = _query(request)
        with self._desk.store.writing(lock_stream=False) as tx:
            saved = tx.access.settings.save_view(request.account.id, name, query)
        if not saved:
            raise BadFormError(f"You have {MOST_VIEWS} saved views; delete one first.")
        return self._desk.onward(HOME + query, f"The view “{name}” is saved.")

    def delete(self, request: DeskRequest) -> Response:
        """Delete a saved view."""
        text = str(request.http.path_params["view_id"])
        id_ = id_in(text)
        with self._desk.store.writing(lock_stream=False) as tx:
            deleted = id_ is not None and tx.access.settings.delete_view(request.account.id, id_)
        if not deleted:
            raise NotFoundError(f"No saved view {text[:40]!r}.")
        return self._desk.onward(HOME + _query(request), "The view is deleted.")


def _query(request: DeskRequest) -> str:
    """Return the query string of the queue's page to go back to."""
    match = _QUEUE.fullmatch(request.form.text("back", most=_LONGEST_QUERY))
    return match[1] if match else ""
