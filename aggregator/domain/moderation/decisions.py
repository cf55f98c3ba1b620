"""What people decide on items, and what became of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class DecisionAction(StrEnum):
    """What a person may do to items."""

    APPROVE = "approve"  # show; of a held edit: take its words
    HIDE = "hide"
    RETURN = "return"  # back to the queue
    KEEP = "keep"  # decline a held edit: the words stay as they were approved
    PIN = "pin"  # show on top until a moment
    UNPIN = "unpin"
    JOIN = "join"  # it is about the same as another item
    SPLIT = "split"  # it is about something of its own
    WRITE = "write"  # an editor's headline and note
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
    DecisionAction.UNDO: "undid",
}

# Why items are hidden, by the key that says it: the words go into the history.
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
    """What became of a decision.

    `missed` says per id why it was not decided on: somebody was faster, or it has changed or gone. What was done
    together has one `batch`, by which it can be undone.
    """

    batch: str
    verb: DecisionAction
    done: Sequence[int] = ()
    missed: Mapping[int, str] = field(default_factory=dict)

    def sentence(self) -> str:
        """Return in words what was done and what was not."""
        parts = []
        if self.done:
            parts.append(f"{PAST[self.verb].capitalize()} {_items(len(self.done))}.")
        if len(self.missed) == 1:
            parts.extend(self.missed.values())
        elif self.missed:
            reasons = list(dict.fromkeys(self.missed.values()))
            more = f" And {len(reasons) - 3} reasons more." if len(reasons) > 3 else ""  # noqa: PLR2004  # what one reads
            parts.append(f"Left alone {_items(len(self.missed))}: {' '.join(reasons[:3])}{more}")
        return " ".join(parts) or "There was nothing to do."


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"
