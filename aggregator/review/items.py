"""One item with everything that can be said of it, and what editors write beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.activity import ActivityKind
from aggregator.domain.errors import NotFoundError
from aggregator.domain.moderation.decisions import DecisionAction
from aggregator.domain.moderation.text_diff import difference
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.queue import card_values, cards_part, seen_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from starlette.responses import Response

    from aggregator.domain.activity import Activity
    from aggregator.domain.moderation.text_diff import Piece
    from aggregator.review.context import DeskContext, DeskRequest
    from storage.store import Transaction

_LARGEST_ID = 2**63 - 1
_NOTES = 100  # lines of an item's history
_OF_AN_AUTHOR = 2000  # items that are hidden at once
_LONGEST_HEADLINE = 200
_LONGEST_NOTE = 1000


class ItemPages:
    """The page of one item."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def ways(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/items/{item_id}", Role.VIEWER, self.page)
        yield DeskRoute("POST", "/items/{item_id}/words", Role.EDITOR, self.words)
        yield DeskRoute("POST", "/items/{item_id}/story", Role.EDITOR, self.story)
        yield DeskRoute("POST", "/items/{item_id}/author", Role.REVIEWER, self.author)

    def page(self, visit: DeskRequest) -> Response:
        """Show an item: its card, why it is where it is, how it came, what was changed, and its history."""
        id_ = id_of(visit)
        with self._desk.store.reading() as tx:
            item = held(tx, id_)
            (card,) = seen_all(tx, [item], visit.now)
            values = {
                "card": card,
                "notes": tx.moderation.audit.of(f"activity:{id_}", _NOTES),
                "versions": _versions(item, tx.stream.versions.of(id_)),
                "source": tx.polling.sources.get(item.source.slug),
                "latest": tx.moderation.decisions.latest(visit.account.name),
                "revision": tx.stream.state.revision(),
                "fetch": tx.moderation.queue.brought_by(id_),
            }
        back = f"{HOME}/items/{id_}"
        why = whereabouts(item)
        return self._desk.page(visit, "item.html", {**card_values(), **values, "back": back, "why": why})

    def words(self, visit: DeskRequest) -> Response:
        """Put an editor's headline and note beside an item."""
        id_ = id_of(visit)
        headline = visit.form.text("headline", most=_LONGEST_HEADLINE) or None
        note = visit.form.text("note", most=_LONGEST_NOTE) or None
        seen = visit.form.whole("revision", 0, _LARGEST_ID)
        with self._desk.store.writing() as tx:
            done = tx.moderation.decisions.write(id_, seen, headline, note, who=visit.account.name, now=visit.now)
        return self._desk.onward(f"{HOME}/items/{id_}", done.sentence())

    def story(self, visit: DeskRequest) -> Response:
        """Join an item to another one's story, or split it off."""
        id_ = id_of(visit)
        seen = visit.form.whole("revision", 0, _LARGEST_ID)
        other = None if visit.form.text("do", most=10) == "split" else visit.form.whole("other", 1, _LARGEST_ID)
        with self._desk.store.writing() as tx:
            done = tx.moderation.decisions.tell_with(id_, seen, other, who=visit.account.name, now=visit.now)
        return self._desk.onward(f"{HOME}/items/{id_}", done.sentence())

    def author(self, visit: DeskRequest) -> Response:
        """Hide everything of an item's author, and by a rule, where one may set rules, what comes from now on."""
        id_ = id_of(visit)
        who = visit.account.name
        with self._desk.store.writing() as tx:
            item = held(tx, id_)
            ids = tx.moderation.decisions.by_author(id_, most=_OF_AN_AUTHOR)
            name = author_of(item)
            rule = None
            if name and visit.account.role.may(Role.EDITOR):
                rule = tx.moderation.rules.hide_author(name, who=who, now=visit.now)
            done = tx.moderation.decisions.decide(
                dict.fromkeys(ids),
                DecisionAction.HIDE,
                who=who,
                now=visit.now,
                reason=f"everything from {name or 'its author'}",
                detail={"rule": rule} if rule else None,
            )  # fmt: skip
        said = f"{done.sentence()} New items from {name} are hidden by a rule." if rule else done.sentence()
        if visit.is_partial:
            return cards_part(self._desk, visit, visit.form.ids("shown"), said)
        return self._desk.onward(HOME, said)


def id_of(visit: DeskRequest) -> int:
    """Return the id in an address.

    Raises:
        NotFoundError: it is none.
    """
    text = str(visit.request.path_params["item_id"])
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= _LARGEST_ID:
        raise NotFoundError(f"There is no item {text[:40]!r}.")
    return int(text)


def held(tx: Transaction, id_: int) -> Activity:
    """Return an item.

    Raises:
        NotFoundError: there is none, or it is gone.
    """
    item = tx.stream.activities.get(id_)
    if item is None:
        raise NotFoundError(f"There is no item {id_}.")
    if item.gone is not None:
        raise NotFoundError(f"Item {id_} is gone: {item.gone_reason}. Nothing of its content is kept.")
    return item


def author_of(item: Activity) -> str | None:
    """Return by what name rules know the author of an item: the handle, else the name; of a repost the original's."""
    original = item.object.content if item.object and item.content.kind is ActivityKind.REPOST else None
    actor = (original or item.content).actor
    return None if actor is None else (f"@{actor.handle}" if actor.handle else actor.name)


def whereabouts(item: Activity) -> str:
    """Say in a sentence why an item is or is not on the page."""
    if item.visible:
        return f"It is shown: {item.review_reason}."
    if item.review.value == "published":
        return f"It is approved ({item.review_reason}), but its network does not show it any more ({item.upstream})."
    return f"It is not shown: {item.review_reason}."


def _versions(item: Activity, versions: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], list[Piece]]]:
    """Return former versions, newest first, each with what the edit that replaced it changed."""
    texts = [_words(version["title"], version["text"]) for version in versions]
    texts.append(_words(item.content.title, item.content.text))
    pairs = zip(versions, texts, texts[1:], strict=False)
    return [(version, difference(before, after)) for version, before, after in pairs][::-1]


def _words(title: str | None, text: str | None) -> str:
    return "\n".join(filter(None, (title, text)))
