"""Show the queue: one card for each waiting, published or hidden item."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import JSONResponse

from aggregator.domain.access.accounts import Role
from aggregator.domain.access.desk_settings import Layout
from aggregator.domain.activity import ActivityKind, Review
from aggregator.domain.descriptions import undescribed
from aggregator.domain.errors import BadSearchError
from aggregator.domain.moderation.decisions import REASONS, USUAL_REASON, done_words
from aggregator.domain.moderation.queue_query import LONG_PAGE, PAGE, QueueQuery, QueueTab
from aggregator.domain.moderation.text_diff import difference
from aggregator.domain.search_query import Search
from aggregator.review.context import CHOICES, HOME, DeskRoute
from aggregator.review.form import BadFormError
from aggregator.review.titles import title_of
from aggregator.web.labels import plurals

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from starlette.responses import Response

    from aggregator.domain.activity import Activity, Content
    from aggregator.domain.matching.stories import Related
    from aggregator.domain.moderation.queue_query import Intention
    from aggregator.domain.moderation.text_diff import Piece
    from aggregator.review.context import DeskContext, DeskRequest
    from storage.store import Transaction

HANDED_OUT = 20  # items at once
_MOST_WATCHED = 200  # maximum number of cards that one page can refresh
_TABS = {
    QueueTab.WAITING: "Waiting",
    QueueTab.MINE: "Assigned to me",
    QueueTab.PUBLISHED: "Published",
    QueueTab.HIDDEN: "Hidden",
    QueueTab.QUARANTINED: "Quarantined",
    QueueTab.ALL: "All",
}
_EMPTY = {
    QueueTab.WAITING: ("The queue is empty", "New items appear here."),
    QueueTab.MINE: ("Nothing is assigned to you", "Assigned items are reserved for you for some minutes."),
    QueueTab.PUBLISHED: ("Nothing is published", "Approved items appear here."),
    QueueTab.HIDDEN: ("Nothing is hidden", "Hidden items appear here, and can be returned to the queue."),
    QueueTab.QUARANTINED: ("Nothing is quarantined", "Old items that arrive all at once appear here."),
    QueueTab.ALL: ("No items yet", "Items of all sources appear here."),
}
_STATES = {
    Review.WAITING: "Waiting",
    Review.PUBLISHED: "Published",
    Review.HIDDEN: "Hidden",
    Review.QUARANTINED: "Quarantined",
}


@dataclass(frozen=True, slots=True)
class QueueItem:
    """An item with the facts that reviewers need."""

    item: Activity
    state: str
    edit: Sequence[Piece] | None = None  # the edit waiting for review
    related: Sequence[Related] = ()
    in_hand: tuple[str, datetime] | None = None  # name and end of the assignment
    later: Intention | None = None
    undescribed: int = 0  # images without alternative text
    title: str = ""

    @property
    def mark(self) -> str:
        """The item's id and the revision that the user saw, as forms send them."""
        return f"{self.item.id}:{self.item.revision}"


class QueuePages:
    """The queue page and its parts for the desk's script."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "", Role.VIEWER, self.page)
        yield DeskRoute("GET", "/cards", Role.VIEWER, self.cards)
        yield DeskRoute("GET", "/changes", Role.VIEWER, self.changes)

    def page(self, request: DeskRequest) -> Response:
        """Show a page of the queue."""
        query = query_of(request)
        with self._desk.store.reading() as tx:
            layout = tx.access.settings.get(request.account.id).layout
            if layout is Layout.LIST:
                query = replace(query, limit=LONG_PAGE)
            listed = tx.moderation.queue.page(query, request.now)
            cards = queue_items(tx, listed.items, request.now, brief=layout is Layout.LIST)
            threads = tx.stream.activities.thread_sizes(listed.items)
            views = tx.access.settings.views(request.account.id)
            sources = tx.polling.sources.choices(CHOICES, [query.source] if query.source else [])
            revision = tx.stream.state.revision()
            latest = tx.moderation.decisions.latest(request.account.name)
            assigned = QueueQuery(QueueTab.MINE, account=request.account.name, limit=PAGE)
            mine = len(tx.moderation.queue.page(assigned, request.now).items)
        last = listed.items[-1].id if listed.items else None
        return self._desk.page(
            request,
            "queue.html",
            {
                **card_values(),
                "cards": cards,
                "threads": threads,
                "layout": layout.value,
                "views": [(view, _same_filters(view.query, query)) for view in views],
                "filtered": _is_filtered(query),
                "empty": _EMPTY[query.pile],
                "query": query,
                "kinds": plurals(),
                "sources": sources,
                **_addresses(query, last if listed.more else None),
                "revision": revision,
                "latest": latest,
                "mine": mine,
                "handed_out": HANDED_OUT,
            },
        )

    def cards(self, request: DeskRequest) -> Response:
        """Render some cards in their current state."""
        ids = request.query.ids("item", most=_MOST_WATCHED)
        return cards_part(self._desk, request, ids, "")

    def changes(self, request: DeskRequest) -> Response:
        """Return which items have changed since a revision, and the number of waiting items."""
        after = request.query.whole("after", 0, 2**63 - 1)
        ids = request.query.ids("item", most=_MOST_WATCHED)
        with self._desk.store.reading() as tx:
            revision = tx.stream.state.revision()
            touched = tx.moderation.queue.touched(after, ids) if revision > after else set()
            waiting = tx.moderation.reviews.count_waiting()
        return JSONResponse(
            {"revision": revision, "waiting": waiting, "touched": [str(id_) for id_ in sorted(touched)]}
        )


def query_of(request: DeskRequest) -> QueueQuery:
    """Read the queue's filters from a query string.

    Raises:
        BadFormError: a filter is invalid.
    """
    fields = request.query
    pile = QueueTab(fields.choice("pile", [pile.value for pile in QueueTab], QueueTab.WAITING.value))
    kind = fields.choice("kind", ["", *(kind.value for kind in ActivityKind)], "")
    usual = "oldest" if pile in {QueueTab.WAITING, QueueTab.MINE} else "newest"
    words = fields.text("q")
    try:
        search = Search.parse(words) if words else None
    except BadSearchError as problem:
        raise BadFormError(str(problem)) from None
    return QueueQuery(
        pile=pile,
        source=fields.text("source"),
        kind=ActivityKind(kind) if kind else None,
        topic=fields.text("topic"),
        country=fields.text("country").upper(),
        words=words,
        search=search,
        oldest_first=fields.choice("order", ["oldest", "newest"], usual) == "oldest",
        after=fields.whole("after", 1, 2**63 - 1) if fields.text("after") else None,
        account=request.account.name,
    )


def queue_items(tx: Transaction, items: Sequence[Activity], now: datetime, *, brief: bool = False) -> list[QueueItem]:
    """Return items with the facts that reviewers need, in a constant number of queries; `brief`: for single lines."""
    ids = [item.id for item in items]
    edits = tx.moderation.pending_edits.waiting(ids)
    related = {} if brief else tx.stream.stories.related(ids)
    in_hand = tx.moderation.queue.in_hand(ids, now)
    later = tx.moderation.queue.intentions(ids)
    return [
        QueueItem(
            item,
            _STATES[item.review],
            changes_of(item.content, edits[item.id].screened.new.content) if item.id in edits else None,
            related.get(item.id, ()),
            in_hand.get(item.id),
            later.get(item.id),
            undescribed(item.content, item.object),
            title_of(item),
        )
        for item in items
    ]


def changes_of(before: Content, after: Content) -> list[Piece]:
    """Return the changes of an edit to the visible text."""
    return difference(_words(before), _words(after))


def cards_part(
    desk: DeskContext, request: DeskRequest, ids: Collection[int], message: str, status: int = 200
) -> Response:
    """Render the current cards of some items and a message; removed items have no card."""
    lines = (request.form.text("layout") or request.query.text("layout")) == Layout.LIST.value
    with desk.store.reading() as tx:
        items = {item.id: item for item in tx.moderation.queue.items(ids)}
        cards = queue_items(tx, [items[id_] for id_ in ids if id_ in items], request.now, brief=lines)
        threads = tx.stream.activities.thread_sizes(list(items.values()))
        latest = tx.moderation.decisions.latest(request.account.name)
        revision = tx.stream.state.revision()
        waiting = tx.moderation.reviews.count_waiting()
    values = {
        **card_values(), "request": request, "cards": cards, "threads": threads, "message": message,
        "latest": latest, "revision": revision,
        "waiting": waiting, "lines": lines, "pane": bool(request.query.text("pane")),
        "gone": [id_ for id_ in ids if id_ not in items],
    }  # fmt: skip
    return desk.part("cards.html", values, status)


def card_values() -> dict[str, Any]:
    """Return the values that every card's template needs besides its item."""
    return {"reasons": REASONS, "usual_reason": USUAL_REASON, "done": done_words}


def _is_filtered(query: QueueQuery) -> bool:
    return bool(query.source or query.kind or query.topic or query.country or query.words)


def _addresses(query: QueueQuery, last: int | None) -> dict[str, object]:
    """Return the addresses of the other tabs and pages."""
    return {
        "piles": [(name, HOME + _query(query, pile=pile.value), pile is query.pile) for pile, name in _TABS.items()],
        "older": HOME + _query(query, after=str(last)) if last else None,
        "back": HOME + _query(query, after=str(query.after) if query.after else None),
        "here_without_filters": HOME + ("" if query.pile is QueueTab.WAITING else f"?pile={query.pile.value}"),
    }


def _same_filters(saved: str, query: QueueQuery) -> bool:
    return saved == _query(query)


def _words(content: Content) -> str:
    return "\n".join(filter(None, (content.title, content.text, content.url)))


def _query(query: QueueQuery, **changes: str | None) -> str:
    """Return the query string of the filters with some changes, from the first page."""
    pile = changes.get("pile") or query.pile.value
    usual = pile in {QueueTab.WAITING.value, QueueTab.MINE.value}
    order = None if "pile" in changes or query.oldest_first is usual else ("oldest" if query.oldest_first else "newest")
    values: Mapping[str, str | None] = {
        "pile": None if pile == QueueTab.WAITING.value else pile,
        "source": query.source,
        "kind": query.kind.value if query.kind else None,
        "topic": query.topic,
        "country": query.country,
        "q": query.words,
        "order": order,
        **{name: value for name, value in changes.items() if name != "pile"},
    }
    encoded = urlencode({name: value for name, value in values.items() if value})
    return f"?{encoded}" if encoded else ""
