"""Connect X's Activity API to the push listener: settings, subscriptions within the budget, and the ledger."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from aggregator.domain.billing.metering import Call, Purpose, Returned
from aggregator.domain.errors import BudgetError, CredentialsError
from aggregator.source_api.push import PushTerms
from aggregator.sources.twitter.settings import DEFAULT_BASE, SERVICE
from aggregator.sources.twitter.tokens import ReadToken

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Mapping
    from datetime import datetime

    from aggregator.source_api.kind import PollContext
    from aggregator.source_api.push import Followed, PushEvent


class PushesActivity:
    """The part of X's kind of source that implements `aggregator.source_api.push.PushSource`."""

    push_setting = "AGGREGATOR_X_ACTIVITY"
    push_terms = PushTerms()

    def is_push_enabled(self, values: Mapping[str, Any]) -> bool:
        """Return whether the Activity API is enabled and there is a token for it."""
        return bool(values["x_activity"] and values["x_bearer_token"])

    async def subscribe(self, accounts: Collection[str], context: PollContext) -> bool:
        """Subscribe to new and deleted posts of these accounts; without a budget for posts, to deleted ones only.

        Returns:
            Whether all subscriptions are made.

        Raises:
            SourceError: X gave no usable response.
        """
        from aggregator.sources.twitter import activity_stream  # imported late: only a listener needs it
        from aggregator.sources.twitter.api import Api

        token = _app_token(context)
        room = await context.spending.room(SERVICE, Purpose.POLL)
        events = activity_stream.EVENTS if room is None or room > 0 else (activity_stream.DELETED,)
        api = Api(context, token)
        try:
            return await activity_stream.subscribe(api, accounts, events)
        finally:
            api.close()

    async def listen(
        self, context: PollContext, followed: Followed, since: datetime | None
    ) -> AsyncGenerator[PushEvent | None]:
        """Yield the events of the Activity API's stream, each new post booked in the ledger; X sends none again.

        Raises:
            SourceError: X refused the connection, or it broke.
        """
        del followed, since
        from aggregator.sources.twitter import activity_stream  # imported late, see `subscribe`
        from aggregator.sources.twitter.transport import host_of

        base, token = context.settings.get("x_base_url") or DEFAULT_BASE, _app_token(context)
        host_of(base)  # refuses an address that would send the token unencrypted
        async with aclosing(activity_stream.listen(base, token.text, context)) as events:
            async for event in events:
                if isinstance(event, activity_stream.PostCreated):
                    await _book(event.native_id, context)
                    yield event.account
                else:
                    yield event


def _app_token(context: PollContext) -> ReadToken:
    """Return the app's token: X pushes nothing to the tokens of accounts.

    Raises:
        CredentialsError: there is none.
    """
    token = ReadToken.configured(context)
    if token is None:
        raise CredentialsError("X's Activity API needs AGGREGATOR_X_BEARER_TOKEN.")
    return token


async def _book(native_id: str, context: PollContext) -> None:
    """Enter a delivered post in the ledger: X bills it, and a poll on the same day gets it for nothing."""
    call = Call(SERVICE, "/2/activity/stream", Purpose.POLL, posts=1)
    try:
        token = await context.spending.reserve(call)
    except BudgetError:  # it came before the subscription was reduced to deletions
        return
    await context.spending.settle(token, Returned(posts=[native_id]))
