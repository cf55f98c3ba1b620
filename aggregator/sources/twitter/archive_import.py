"""Import account archives of X: the part of X's kind of source that implements `AccountArchiveSource`."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from aggregator.domain.billing.metering import Purpose
from aggregator.domain.errors import BadRequestError
from aggregator.source_api.archive import ArchiveCost
from aggregator.sources.twitter import feeds
from aggregator.sources.twitter.addresses import Feed
from aggregator.sources.twitter.normalise import normalise_page
from aggregator.sources.twitter.settings import SERVICE
from aggregator.sources.twitter.tokens import connected
from aggregator.sources.twitter.unread_posts import account_of
from aggregator.sources.twitter.vocabulary import MOST_PER_POST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.source import Source
    from aggregator.source_api.kind import PollContext

_BATCH = 100  # posts


class ImportsArchives:
    """Reads archives, and looks up which of their posts exist."""

    def archived(self, path: Path, source: Source, *, complete: bool) -> Iterator[NewActivity]:
        """Yield the posts in an archive; if `complete`, without reposts, of which it has the beginning only.

        Raises:
            BadRequestError: the archive is damaged, exceeds a limit, or is of another account.
        """
        from aggregator.sources.twitter import account_archive  # imported late: only imports need it

        if feeds.feed_of(source.options) is not Feed.ACCOUNT:
            raise BadRequestError(f"{source.slug} follows no account; X's archives are of one account.")
        with account_archive.opened(path) as archive:
            account = archive.account()
            if account.id != source.options.get("user_id"):
                raise BadRequestError(
                    f"{path.name} is the archive of @{account.username} (id {account.id}), but {source.slug} follows "
                    f"{source.address} (id {source.options.get('user_id')})."
                )
            posts = archive.posts(reposts=not complete)
            while batch := list(islice(posts, _BATCH)):
                page = account_archive.page_of(batch, account)
                yield from normalise_page(page, account=account_of(source)).activities

    def lookup_cost(self, posts: int, values: Mapping[str, Any]) -> ArchiveCost:
        """Return what it may cost to look posts up: each may include another one."""
        price = float(values["x_post_price"])
        return ArchiveCost(SERVICE, posts, posts * MOST_PER_POST * price, posts * price)

    async def current(self, native_ids: Sequence[str], source: Source, context: PollContext) -> Sequence[NewActivity]:
        """Look up which of these posts exist, and return them as they are now.

        Raises:
            SourceError: X gave no usable response.
        """
        async with connected(context, str(source.options["user_id"])) as api:
            page = await api.posts(native_ids, Purpose.LOOKUP)
        found = normalise_page(page, account=account_of(source)).activities
        return [new for new in found if new.native_id in native_ids]
