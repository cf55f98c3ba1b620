"""The queue: what waits, what is shown and what is hidden, one card an item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import JSONResponse

from aggregator.domain.access.accounts import Role
from aggregator.domain.activity import ActivityKind, Review
from aggregator.domain.errors import BadSearchError
from aggregator.domain.moderation.decisions import PAST, REASONS, USUAL_REASON
from aggregator.domain.moderation.queue_query import PAGE, QueueQuery, QueueTab
from aggregator.domain.moderation.text_diff import difference
from aggregator.domain.search_query import Search
from aggregator.review.context import CHOICES, HOME, DeskRoute
from aggregator.review.form import BadFormError
from aggregator.web.labels import PLURALS

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
_MOST_WATCHED = 200  # cards that one page may ask about
_PILES = {
    QueueTab.WAITING: "Waiting",
    QueueTab.MINE: "In my hands",
    QueueTab.PUBLISHED: "Published",
    QueueTab.HIDDEN: "Hidden",
    QueueTab.QUARANTINED: "Quarantined",
    QueueTab.ALL: "All",
}
_STATES = {
    Review.WAITING: "Waiting",
    Review.PUBLISHED: "Published",
    Review.HIDDEN: "Hidden",
    Review.QUARANTINED: "Quarantined",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """An item with all that a reviewer wants to know at a glance."""

    item: Activity
    state: str
    edit: Sequence[Piece] | None = None  # what its publisher wants to change
    related: Sequence[Related] = ()
    in_hand: tuple[str, datetime] | None = None  # whose, until when
    later: Intention | None = None
    undescribed: int = 0  # pictures without alternative text

    @property
    def mark(self) -> str:
        """What a form says of an item: its id, and the revision that the person saw."""
        return f"{self.item.id}:{self.item.revision}"


class QueuePages:
    """The queue's pages and the parts of them that the script asks for."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def ways(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "", Role.VIEWER, self.page)
        yield DeskRoute("GET", "/cards", Role.VIEWER, self.cards)
        yield DeskRoute("GET", "/changes", Role.VIEWER, self.changes)

    def page(self, visit: DeskRequest) -> Response:
        """Show a page of the queue."""
        asked = asked_of(visit)
        with self._desk.store.reading() as tx:
            listed = tx.moderation.queue.page(asked, visit.now)
            cards = seen_all(tx, listed.items, visit.now)
            sources = tx.polling.sources.choices(CHOICES, [asked.source] if asked.source else [])
            revision = tx.stream.state.revision()
            latest = tx.moderation.decisions.latest(visit.account.name)
            mine = len(
                tx.moderation.queue.page(
                    QueueQuery(QueueTab.MINE, account=visit.account.name, limit=PAGE), visit.now
                ).items
            )
        last = listed.items[-1].id if listed.items else None
        return self._desk.page(
            visit,
            "queue.html",
            {
                **card_values(),
                "cards": cards,
                "asked": asked,
                "piles": [
                    (name, HOME + _query(asked, pile=pile.value), pile is asked.pile) for pile, name in _PILES.items()
                ],
                "kinds": PLURALS,
                "sources": sources,
                "older": HOME + _query(asked, after=str(last)) if listed.more and last else None,
                "back": HOME + _query(asked, after=str(asked.after) if asked.after else None),
                "turned": HOME + _query(asked, order="newest" if asked.oldest_first else "oldest"),
                "revision": revision,
                "latest": latest,
                "mine": mine,
                "handed_out": HANDED_OUT,
            },
        )

    def cards(self, visit: DeskRequest) -> Response:
        """Show some cards, as they are now."""
        ids = visit.query.ids("item", most=_MOST_WATCHED)
        return cards_part(self._desk, visit, ids, "")

    def changes(self, visit: DeskRequest) -> Response:
        """Tell which of some items have changed since a revision, and how many wait."""
        after = visit.query.whole("after", 0, 2**63 - 1)
        ids = visit.query.ids("item", most=_MOST_WATCHED)
        with self._desk.store.reading() as tx:
            revision = tx.stream.state.revision()
            touched = tx.moderation.queue.touched(after, ids) if revision > after else set()
            waiting = tx.moderation.reviews.count_waiting()
        return JSONResponse(
            {"revision": revision, "waiting": waiting, "touched": [str(id_) for id_ in sorted(touched)]}
        )


def asked_of(visit: DeskRequest) -> QueueQuery:
    """Read the queue's filters from an address.

    Raises:
        BadFormError: one of them can't be; the sentence says what is allowed.
    """
    query = visit.query
    pile = QueueTab(query.choice("pile", [pile.value for pile in QueueTab], QueueTab.WAITING.value))
    kind = query.choice("kind", ["", *(kind.value for kind in ActivityKind)], "")
    usual = "oldest" if pile in {QueueTab.WAITING, QueueTab.MINE} else "newest"
    words = query.text("q")
    try:
        search = Search.parse(words) if words else None
    except BadSearchError as problem:
        raise BadFormError(str(problem)) from None
    return QueueQuery(
        pile=pile,
        source=query.text("source"),
        kind=ActivityKind(kind) if kind else None,
        topic=query.text("topic"),
        country=query.text("country").upper(),
        words=words,
        search=search,
        oldest_first=query.choice("order", ["oldest", "newest"], usual) == "oldest",
        after=query.whole("after", 1, 2**63 - 1) if query.text("after") else None,
        account=visit.account.name,
    )


def seen_all(tx: Transaction, items: Sequence[Activity], now: datetime) -> list[Seen]:
    """Return items with all that a reviewer wants to know of them, in as many queries for one as for many."""
    ids = [item.id for item in items]
    edits = tx.moderation.pending_edits.waiting(ids)
    related = tx.stream.stories.related(ids)
    in_hand = tx.moderation.queue.in_hand(ids, now)
    later = tx.moderation.queue.intentions(ids)
    return [
        Seen(
            item,
            _STATES[item.review],
            changes_of(item.content, edits[item.id].screened.new.content) if item.id in edits else None,
            related.get(item.id, ()),
            in_hand.get(item.id),
            later.get(item.id),
            _undescribed(item),
        )
        for item in items
    ]


def changes_of(before: Content, after: Content) -> list[Piece]:
    """Return what an edit changes of what people read."""
    return difference(_words(before), _words(after))


def cards_part(desk: DeskContext, visit: DeskRequest, ids: Collection[int], said: str, status: int = 200) -> Response:
    """Return the cards of some items as they are now, and a sentence; items that are gone have none."""
    with desk.store.reading() as tx:
        held = {item.id: item for item in tx.moderation.queue.items(ids)}
        cards = seen_all(tx, [held[id_] for id_ in ids if id_ in held], visit.now)
        latest = tx.moderation.decisions.latest(visit.account.name)
        revision = tx.stream.state.revision()
        waiting = tx.moderation.reviews.count_waiting()
    values = {
        **card_values(), "visit": visit, "cards": cards, "said": said, "latest": latest, "revision": revision,
        "waiting": waiting, "gone": [id_ for id_ in ids if id_ not in held],
    }  # fmt: skip
    return desk.part("cards.html", values, status)


def card_values() -> dict[str, Any]:
    """Return what every card's template needs besides its item."""
    return {"reasons": REASONS, "usual_reason": USUAL_REASON, "past": PAST}


def _undescribed(item: Activity) -> int:
    contents = [item.content, item.object.content] if item.object else [item.content]
    return sum(media.type == "image" and not media.alt for content in contents for media in content.media)


def _words(content: Content) -> str:
    return "\n".join(filter(None, (content.title, content.text, content.url)))


def _query(asked: QueueQuery, **changes: str | None) -> str:
    """Return a query string that asks the same but for some changes; a page further on is asked for anew."""
    pile = changes.get("pile") or asked.pile.value
    usual = pile in {QueueTab.WAITING.value, QueueTab.MINE.value}
    order = None if "pile" in changes or asked.oldest_first is usual else ("oldest" if asked.oldest_first else "newest")
    values: Mapping[str, str | None] = {
        "pile": None if pile == QueueTab.WAITING.value else pile,
        "source": asked.source,
        "kind": asked.kind.value if asked.kind else None,
        "topic": asked.topic,
        "country": asked.country,
        "q": asked.words,
        "order": order,
        **{name: value for name, value in changes.items() if name != "pile"},
    }
    query = urlencode({name: value for name, value in values.items() if value})
    return f"?{query}" if query else ""
