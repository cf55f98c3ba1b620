"""Define the decisions of reviewers and their results. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class DecisionAction(StrEnum):
    """An action of a person on items."""

    APPROVE = "approve"  # publish; for a pending edit: publish the new version
    HIDE = "hide"
    RETURN = "return"  # to the queue
    KEEP = "keep"  # decline a pending edit and keep the approved version
    PIN = "pin"  # show on top until a time
    UNPIN = "unpin"
    JOIN = "join"  # merge into the story of another item
    SPLIT = "split"  # make it a story of its own
    WRITE = "write"  # set the editor's headline and note
    DESCRIBE = "describe"  # describe images in the editors' words
    UNDO = "undo"


PAST: Mapping[DecisionAction, str] = {
    DecisionAction.APPROVE: "approved",
    DecisionAction.HIDE: "hid",
    DecisionAction.RETURN: "sent back",
    DecisionAction.KEEP: "declined the edit of",
    DecisionAction.PIN: "pinned",
    DecisionAction.UNPIN: "unpinned",
    DecisionAction.JOIN: "joined to a story",
    DecisionAction.SPLIT: "split off",
    DecisionAction.WRITE: "wrote on",
    DecisionAction.DESCRIBE: "described pictures of",
    DecisionAction.UNDO: "undid",
}

_SENTENCES: Mapping[str, str] = {
    PAST[DecisionAction.RETURN]: "Returned {} to the queue",
    PAST[DecisionAction.JOIN]: "Merged {} into a story",
    PAST[DecisionAction.SPLIT]: "Removed {} from its story",
    PAST[DecisionAction.WRITE]: "Saved the note of {}",
    PAST[DecisionAction.DESCRIBE]: "Saved the image descriptions of {}",
}

# Reasons for hiding items, by key; the text is stored in the audit log.
REASONS: Mapping[str, str] = {
    "1": "off topic",
    "2": "duplicate",
    "3": "advertising or spam",
    "4": "offensive",
    "5": "wrong or misleading",
    "6": "privacy or legal",
}
USUAL_REASON = "not for this stream"


@dataclass(frozen=True, slots=True)
class Decided:
    """The result of a decision.

    `missed` maps ids to the reason why they were skipped: another user was faster, or the item has changed or was
    removed. All items share a `batch`, which can be undone.
    """

    batch: str
    verb: DecisionAction
    done: Sequence[int] = ()
    missed: Mapping[int, str] = field(default_factory=dict)

    def sentence(self) -> str:
        """Return a message about decided and skipped items."""
        parts = []
        if self.done:
            parts.append(f"{done_words(PAST[self.verb], len(self.done))}.")
        if len(self.missed) == 1:
            parts.extend(self.missed.values())
        elif self.missed:
            reasons = list(dict.fromkeys(self.missed.values()))
            more = f" And {len(reasons) - 3} reasons more." if len(reasons) > 3 else ""  # noqa: PLR2004  # a readable number
            parts.append(f"Skipped {_items(len(self.missed))}: {' '.join(reasons[:3])}{more}")
        return " ".join(parts) or "Nothing to do."


def done_words(past: str, count: int) -> str:
    """Return a decision in words, such as "Approved 2 items".

    Args:
        past: a value of `PAST`, as the audit log stores it.
        count: the number of items.
    """
    return _SENTENCES.get(past, past.capitalize() + " {}").format(_items(count))


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"
