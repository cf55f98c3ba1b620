"""Connect Jetstream to the push listener: setting and terms."""

from __future__ import annotations

from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aggregator.domain.settings_schema import Option, secure_address
from aggregator.source_api.push import PushTerms

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Mapping
    from datetime import datetime

    from aggregator.source_api.kind import PollContext
    from aggregator.source_api.push import Followed, PushEvent

PUBLIC_JETSTREAM = "wss://jetstream2.us-east.bsky.network/subscribe"

_SCHEMES = {"wss": "https", "ws": "http"}


def jetstream_address(text: str) -> str:
    """Parse "no", "yes" or the address of a Jetstream server; return the address with https, or nothing for "no"."""
    word = text.lower()
    if word == "no":
        return ""
    address = PUBLIC_JETSTREAM if word == "yes" else text
    scheme, separator, rest = address.partition("://")
    if not separator or scheme.lower() not in _SCHEMES:
        raise ValueError
    found = secure_address(f"{_SCHEMES[scheme.lower()]}://{rest}")
    return found if urlsplit(found).path else f"{found}/subscribe"


JETSTREAM = Option(
    "BLUESKY_JETSTREAM",
    jetstream_address,
    "yes, no, or a wss address (ws on loopback)",
    "whether 'aggregator listen' and 'aggregator run' receive new and deleted posts from Jetstream at once; an address "
    "names another server than Bluesky's",
    "no",
)


class PushesJetstream:
    """The part of Bluesky's kind of source that implements `aggregator.source_api.push.PushSource`."""

    push_setting = JETSTREAM.variable
    # Servers keep events for a day, and send them before an AppView has them.
    push_terms = PushTerms(replay=timedelta(hours=20), settling=timedelta(seconds=2), apart=timedelta(seconds=15))

    def is_push_enabled(self, values: Mapping[str, Any]) -> bool:
        """Return whether the operators have enabled Jetstream."""
        return bool(values["bluesky_jetstream"])

    async def subscribe(self, accounts: Collection[str], context: PollContext) -> bool:
        """Do nothing: the connection itself names the accounts."""
        del accounts, context
        return True

    async def listen(
        self, context: PollContext, followed: Followed, since: datetime | None
    ) -> AsyncGenerator[PushEvent | None]:
        """Yield the events of Jetstream.

        Raises:
            SourceError: the server refused the connection, or it broke.
        """
        from aggregator.sources.bluesky import jetstream  # imported late: only a listener needs it

        base = context.settings["bluesky_jetstream"]
        async with aclosing(jetstream.listen(context.http, base, followed, since)) as events:
            async for event in events:
                yield event
