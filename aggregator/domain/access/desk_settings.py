"""Define what users of the review desk choose for themselves. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

MOST_VIEWS = 30  # saved views of a user
LONGEST_VIEW_NAME = 60  # characters
LONGEST_EMAIL = 254  # characters, of an address in SMTP
# Without encoded words ("=?utf-8?q?x?="), which are another address once a header has it.
_LOCAL = r"(?!.*=\?)[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f]{1,64}"
_EMAIL = re.compile(_LOCAL + r"@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,186}[A-Za-z0-9])?")


class Layout(StrEnum):
    """How the queue is shown."""

    CARDS = "cards"
    LIST = "list"  # one line for each item


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """The settings of a user."""

    layout: Layout = Layout.CARDS
    email: str | None = None
    digest: bool = False  # a daily summary by e-mail
    digest_sent: datetime | None = None
    email_confirmed: datetime | None = None  # nothing else is mailed before


class SavedView(NamedTuple):
    """A filter of the queue with a name."""

    id: int
    name: str
    query: str  # the query string of the queue's page


def is_email(text: str) -> bool:
    """Return whether a text is a single e-mail address that can't add headers or receivers."""
    return len(text) <= LONGEST_EMAIL and _EMAIL.fullmatch(text) is not None
