"""Show the audit log, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from aggregator.domain.access.accounts import Role
from aggregator.domain.moderation.audit_words import changes_in, sentence_of
from aggregator.domain.moderation.decisions import PAST, DecisionAction
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.form import id_in
from aggregator.review.titles import title_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.responses import Response

    from aggregator.domain.moderation.audit_words import Change
    from aggregator.review.context import DeskContext, DeskRequest
    from storage.store import Transaction

_LINES = 50
_LARGEST_ID = 2**63 - 1
UNDOABLE = frozenset(PAST.values()) - {PAST[DecisionAction.UNDO]}
_ACTIONS: Mapping[str, str] = {
    "approved": "approved",
    "hid": "hidden",
    "sent back": "returned to queue",
    "declined": "edit declined",
    "pinned": "pinned or unpinned",
    "story": "story changed",
    "wrote on": "headline or note",
    "undid": "undone",
    "item": "own posts",
    "rule": "rules",
    "source": "sources",
    "freeze": "freezes",
    "account": "users",
}
_SUBJECTS: Mapping[str, str] = {
    "": "All",
    "activity:": "items",
    "rule:": "rules",
    "source:": "sources",
    "freeze:": "freezes",
    "account:": "users",
}
_PLACES = {"activity": "items", "rule": "rules", "source": "sources"}  # subjects with a page of their own


class Entry(NamedTuple):
    """An entry of the audit log as pages show it."""

    note: Mapping[str, Any]
    sentence: str  # with the placeholders `who`, `what` and `subject`
    name: str  # of the subject
    address: str | None  # of the subject's page
    changes: Sequence[Change]


class HistoryPages:
    """The history page."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/history", Role.VIEWER, self.page)

    def page(self, request: DeskRequest) -> Response:
        """Show a page of the audit log."""
        query = request.query
        filters = {name: query.text(name, most=100) for name in ("who", "what", "subject")}
        before = query.whole("before", 1, _LARGEST_ID) if query.text("before") else None
        with self._desk.store.reading() as tx:
            found = tx.moderation.audit.page(before=before, limit=_LINES + 1, **filters)
            entries = entries_of(tx, found[:_LINES])
        notes = found[:_LINES]
        older = {**filters, "before": notes[-1]["id"]} if len(found) > _LINES else None
        return self._desk.page(
            request,
            "history.html",
            {
                "entries": entries,
                "filters": filters,
                "actions": _chosen(_ACTIONS, filters["what"]),
                "subjects": _chosen(_SUBJECTS, filters["subject"]),
                "older": f"{HOME}/history?{urlencode({k: v for k, v in older.items() if v})}" if older else None,
                "first": before is None,
                "undoable": UNDOABLE,
            },
        )


def _chosen(choices: Mapping[str, str], value: str) -> Mapping[str, str]:
    """Return the choices of a filter, with the value of an address that isn't among them."""
    return choices if not value or value in choices else {**choices, value: value}


def entries_of(tx: Transaction, notes: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """Return entries with the names of their subjects, in a constant number of queries."""
    names = _names(tx, {note["subject"] for note in notes})
    return [
        Entry(
            note,
            sentence_of(note["what"]),
            names.get(note["subject"]) or _former_name(note),
            _address(note["subject"], names),
            changes_in(note["detail"], note["what"]),
        )
        for note in notes
    ]


def _names(tx: Transaction, subjects: Iterable[str]) -> dict[str, str]:
    """Return the names of the items, rules and sources among these subjects that still exist."""
    by_kind: dict[str, list[str]] = {}
    for subject in subjects:
        kind, _, name = subject.partition(":")
        by_kind.setdefault(kind, []).append(name)
    ids = [id_ for name in by_kind.get("activity", ()) if (id_ := id_in(name)) is not None]
    names = {f"activity:{item.id}": f"“{title_of(item)}”" for item in tx.moderation.queue.items(ids)} if ids else {}
    if "rule" in by_kind:
        names.update({f"rule:{rule.id}": f"“{rule.name}”" for rule in tx.moderation.rules.all()})
    if "source" in by_kind:
        found = tx.polling.sources.names(by_kind["source"])
        names.update({f"source:{slug}": name for slug, name in found.items()})
    return names


def _former_name(note: Mapping[str, Any]) -> str:
    """Return the name of a subject that no longer exists, or has no name but its own."""
    kind, _, name = note["subject"].partition(":")
    detail = note["detail"] or {}
    for values in (detail.get("before"), detail.get("after"), detail):
        if isinstance(values, dict) and kind == "rule" and values.get("name"):
            return f"“{values['name']}”"
    return f"an item that was removed ({name})" if kind == "activity" else name or kind


def _address(subject: str, names: Mapping[str, str]) -> str | None:
    """Return the page of an entry's subject, if it has one."""
    kind, _, name = subject.partition(":")
    return f"{HOME}/{_PLACES[kind]}/{name}" if kind in _PLACES and subject in names else None
