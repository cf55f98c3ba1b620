"""Show one item in detail, and edit its headline, note and story."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.activity import ActivityKind
from aggregator.domain.descriptions import LONGEST_DESCRIPTION, image_key, images_of, left_to_editors
from aggregator.domain.errors import BadSearchError, NotFoundError
from aggregator.domain.moderation.decisions import REASONS, USUAL_REASON, DecisionAction
from aggregator.domain.moderation.queue_query import QueueQuery, QueueTab
from aggregator.domain.moderation.text_diff import difference
from aggregator.domain.own_posts import SOURCE
from aggregator.domain.search_query import Search
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.form import id_in
from aggregator.review.history import UNDOABLE, entries_of
from aggregator.review.queue import card_values, cards_part, queue_items

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from starlette.responses import Response

    from aggregator.domain.activity import Activity, Media
    from aggregator.domain.moderation.text_diff import Piece
    from aggregator.review.context import DeskContext, DeskRequest
    from aggregator.review.queue import QueueItem
    from storage.store import Transaction

_LARGEST_ID = 2**63 - 1
_NOTES = 100  # entries of an item's history
_OF_AN_AUTHOR = 2000  # items hidden at once
_LONGEST_HEADLINE = 200
_LONGEST_NOTE = 1000
_LONGEST_SEARCH = 500
_FOUND = 10  # items that a search for another story lists


class ItemPages:
    """The page of one item."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/items/{item_id}", Role.VIEWER, self.page)
        yield DeskRoute("POST", "/items/{item_id}/words", Role.EDITOR, self.words)
        yield DeskRoute("POST", "/items/{item_id}/story", Role.EDITOR, self.story)
        yield DeskRoute("POST", "/items/{item_id}/author", Role.REVIEWER, self.author)
        yield DeskRoute("POST", "/items/{item_id}/hide", Role.REVIEWER, self.hide)
        yield DeskRoute("POST", "/items/{item_id}/descriptions", Role.EDITOR, self.describe)

    def page(self, request: DeskRequest) -> Response:
        """Show an item: card, state, source details, versions and history."""
        id_, words = id_of(request), request.query.text("story", most=_LONGEST_SEARCH)
        with self._desk.store.reading() as tx:
            item = held(tx, id_)
            (card,) = queue_items(tx, [item], request.now)
            values: dict[str, Any] = {
                "card": card,
                "entries": entries_of(tx, tx.moderation.audit.of(f"activity:{id_}", _NOTES)),
                "found": self._found(tx, words, item, request.now) if words else None,
                "versions": [] if item.content.ids_only else _versions(item, tx.stream.versions.of(id_)),
                "source": tx.polling.sources.get(item.source.slug),
                "latest": tx.moderation.decisions.latest(request.account.name),
                "revision": tx.stream.state.revision(),
                "fetch": tx.moderation.queue.brought_by(id_),
            }
        shown = {
            "back": f"{HOME}/items/{id_}",
            "why": whereabouts(item),
            "words": words,
            "author": author_of(item),
            "images": [] if item.source.slug == SOURCE else _keyed_images(item),
            "undoable": UNDOABLE,
            "longest": LONGEST_DESCRIPTION,
        }
        return self._desk.page(request, "item.html", {**card_values(), **values, **shown})

    def _found(self, tx: Transaction, words: str, item: Activity, now: datetime) -> list[QueueItem] | str:
        """Return the items that a search for another story finds, or why it can't be searched."""
        try:
            query = QueueQuery(QueueTab.ALL, search=Search.parse(words), limit=_FOUND + 1)
        except BadSearchError as problem:
            return str(problem)
        others = [other for other in tx.moderation.queue.page(query, now).items if other.id != item.id]
        return queue_items(tx, others[:_FOUND], now, brief=True)

    def hide(self, request: DeskRequest) -> Response:
        """Hide an item, or everything from its author, with the reason of the form."""
        if request.form.choice("scope", ["item", "author"], "item") == "author":
            return self.author(request)
        id_, reason = id_of(request), _reason(request)
        seen = request.form.whole("revision", 0, _LARGEST_ID)
        with self._desk.store.writing() as tx:
            done = tx.moderation.decisions.decide(
                {id_: seen}, DecisionAction.HIDE, who=request.account.name, now=request.now, reason=reason
            )
        return self._desk.onward(f"{HOME}/items/{id_}", done.sentence())

    def describe(self, request: DeskRequest) -> Response:
        """Save the editors' descriptions of images for which the publisher gave none; an empty one is removed."""
        id_ = id_of(request)
        seen = request.form.whole("revision", 0, _LARGEST_ID)
        with self._desk.store.writing() as tx:
            item = held(tx, id_)
            keys = [image_key(image.url) for image in left_to_editors(item)]
            texts = {key: request.form.text(f"alt-{key}", most=LONGEST_DESCRIPTION) for key in keys}
            descriptions = {key: " ".join(text.split()) for key, text in texts.items() if text}
            done = tx.moderation.decisions.describe(id_, seen, descriptions, who=request.account.name, now=request.now)
        return self._desk.onward(f"{HOME}/items/{id_}", done.sentence())

    def words(self, request: DeskRequest) -> Response:
        """Save the editor's headline and note."""
        id_ = id_of(request)
        headline = request.form.text("headline", most=_LONGEST_HEADLINE) or None
        note = request.form.text("note", most=_LONGEST_NOTE) or None
        seen = request.form.whole("revision", 0, _LARGEST_ID)
        with self._desk.store.writing() as tx:
            done = tx.moderation.decisions.write(id_, seen, headline, note, who=request.account.name, now=request.now)
        return self._desk.onward(f"{HOME}/items/{id_}", done.sentence())

    def story(self, request: DeskRequest) -> Response:
        """Merge an item into another item's story, or remove it from its story."""
        id_ = id_of(request)
        seen = request.form.whole("revision", 0, _LARGEST_ID)
        other = None if request.form.text("do", most=10) == "split" else request.form.whole("other", 1, _LARGEST_ID)
        with self._desk.store.writing() as tx:
            done = tx.moderation.decisions.join_story(id_, seen, other, who=request.account.name, now=request.now)
        return self._desk.onward(f"{HOME}/items/{id_}", done.sentence())

    def author(self, request: DeskRequest) -> Response:
        """Hide all items of an author; editors also add a rule for new ones."""
        id_ = id_of(request)
        who = request.account.name
        with self._desk.store.writing() as tx:
            item = held(tx, id_)
            ids = tx.moderation.decisions.items_by_author(id_, most=_OF_AN_AUTHOR)
            name = author_of(item)
            reason = _reason(request) if request.form.text("scope") else ""
            rule = None
            if name and request.account.role.may(Role.EDITOR):
                rule = tx.moderation.rules.hide_author(name, who=who, now=request.now)
            done = tx.moderation.decisions.decide(
                dict.fromkeys(ids),
                DecisionAction.HIDE,
                who=who,
                now=request.now,
                reason=reason or f"everything from {name or 'its author'}",
                detail={"rule": rule} if rule else None,
            )  # fmt: skip
        message = f"{done.sentence()} A rule hides new items from {name}." if rule else done.sentence()
        if request.is_partial:
            return cards_part(self._desk, request, request.form.ids("shown"), message)
        return self._desk.onward(HOME, message)


def id_of(request: DeskRequest) -> int:
    """Return the id in the path.

    Raises:
        NotFoundError: it isn't an id.
    """
    text = str(request.http.path_params["item_id"])
    id_ = id_in(text)
    if id_ is None:
        raise NotFoundError(f"No item {text[:40]!r}.")
    return id_


def held(tx: Transaction, id_: int) -> Activity:
    """Return an item.

    Raises:
        NotFoundError: it doesn't exist or has been removed.
    """
    item = tx.stream.activities.get(id_)
    if item is None:
        raise NotFoundError(f"No item {id_}.")
    if item.gone is not None:
        raise NotFoundError(f"Item {id_} was removed: {item.gone_reason}. Its content has been deleted.")
    return item


def author_of(item: Activity) -> str | None:
    """Return the author's name as rules use it: the handle or name, for a repost that of the original."""
    original = item.object.content if item.object and item.content.kind is ActivityKind.REPOST else None
    actor = (original or item.content).actor
    return None if actor is None else (f"@{actor.handle}" if actor.handle else actor.name)


def whereabouts(item: Activity) -> str:
    """Return a sentence on whether the item is published, and why."""
    if item.visible:
        return f"Published: {item.review_reason}."
    if item.review.value == "published":
        return f"Approved ({item.review_reason}), but no longer available at its source ({item.upstream})."
    return f"Not published: {item.review_reason}."


def _keyed_images(item: Activity) -> list[tuple[str, Media]]:
    return [(image_key(image.url), image) for image in images_of(item.content, item.object)]


def _reason(request: DeskRequest) -> str:
    """Return the reason of the form: the editor's own words, or the chosen one."""
    chosen = request.form.text("reason", most=300)
    return request.form.text("words", most=300) or REASONS.get(chosen, USUAL_REASON)


def _versions(item: Activity, versions: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], list[Piece]]]:
    """Return former versions, newest first, each with the changes of the edit that replaced it."""
    texts = [_words(version["title"], version["text"]) for version in versions]
    texts.append(_words(item.content.title, item.content.text))
    pairs = zip(versions, texts, texts[1:], strict=False)
    return [(version, difference(before, after)) for version, before, after in pairs][::-1]


def _words(title: str | None, text: str | None) -> str:
    return "\n".join(filter(None, (title, text)))
