"""Read stored posts again that a former version could not read. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aggregator.domain.activity import Actor
from aggregator.sources.twitter.addresses import handle_in
from aggregator.sources.twitter.markup import SITE
from aggregator.sources.twitter.normalise import NETWORK, normalise_page
from aggregator.text.plain import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.polling.results import UnreadEntry
    from aggregator.domain.source import Source


def note_of(unread: Sequence[UnreadEntry]) -> str:
    """Return the note for people about posts that could not be read."""
    later = " A newer version will try again." if unread[0].raw else ""
    return f"{counted(len(unread), 'post')} could not be read ({unread[0].reason}).{later}"


def account_of(source: Source) -> Actor:
    """Return the account of a source, as far as its address and options contain it."""
    handle = handle_in(source.address)
    url = f"{SITE}/{handle}" if handle else None
    return Actor(NETWORK, str(source.options["user_id"]), source.name, handle, url=url, partial=True)


def read_again(raw: bytes, source: Source) -> list[NewActivity]:
    """Read a post again from its stored page.

    Raises:
        UnreadableError: the page can't be read.
    """
    account = account_of(source) if "user_id" in source.options else None
    return normalise_page(json.loads(raw), account=account).activities
