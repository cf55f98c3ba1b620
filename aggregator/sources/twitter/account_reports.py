"""Fetch profiles by their ids, X's own usage count, and the balance of the credits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.sources.twitter.addresses import USER_ID
from aggregator.sources.twitter.normalise import actor_of
from aggregator.sources.twitter.pricing import balance_in
from aggregator.sources.twitter.settings import stores_ids_only
from aggregator.sources.twitter.tokens import connected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.domain.activity import Actor
    from aggregator.source_api.kind import PollContext


class ReportsAccounts:
    """The part of X's kind of source that implements `ProfileSource`, `UsageReporter` and `BalanceReporter`."""

    async def people(self, native_ids: Sequence[str], context: PollContext) -> Sequence[Actor]:
        """Fetch the profiles of up to 100 accounts by their ids; none if they may not be stored.

        Raises:
            SourceError: X gave no usable response. The methods below raise it, too.
        """
        if stores_ids_only(context.settings):
            return []
        async with connected(context) as api:
            payload = await api.users(native_ids)
        found = payload.get("data")
        users = [user for user in found if isinstance(user, dict)] if isinstance(found, list) else []
        return [actor_of(user) for user in users if USER_ID.fullmatch(str(user.get("id")))]

    async def owner(self, handle: str, context: PollContext) -> str | None:
        """Return the id of the account that has a handle now, or None if it is unused."""
        async with connected(context) as api:
            user = (await api.user(handle)).get("data")
        return str(user["id"]) if isinstance(user, dict) and user.get("id") else None

    async def counted(self, context: PollContext) -> int | None:
        """Return the number of posts that X has counted in its own billing cycle, or None if X does not report it."""
        if not context.settings.get("x_bearer_token"):
            return None
        async with connected(context) as api:
            usage = (await api.usage()).get("data")
        posts = str(usage.get("project_usage")) if isinstance(usage, dict) else ""
        return int(posts) if posts.isascii() and posts.isdigit() and len(posts) < len("9999999999") else None

    async def balance(self, context: PollContext) -> int | None:
        """Return the balance of the credits in micros, or None if X does not report it."""
        if not context.settings.get("x_bearer_token"):
            return None
        async with connected(context) as api:
            return balance_in(await api.usage("credits"))
