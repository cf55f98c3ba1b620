"""Define the kind of source for Mastodon: timelines of accounts, and hashtags of a server."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from aggregator.domain.errors import BadRequestError, NotAllowedError, SourceError
from aggregator.domain.source_options import OptionType, SourceOption
from aggregator.fetching.request_target import host_key
from aggregator.source_api.documents import side_by_side
from aggregator.source_api.kind import SourceKind
from aggregator.source_api.timeline_poll import TimelinePoll, discovered, hints_until
from aggregator.sources.mastodon.addresses import Account, Hashtag, api, is_id, scheme_of, subject_of
from aggregator.sources.mastodon.network import MASTODON

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.polling.results import Discovery, FetchResult, PollOutcome
    from aggregator.domain.source import Json, Source
    from aggregator.fetching.response import Response, TransferStats
    from aggregator.source_api.kind import PollContext

READER = 1  # raise when statuses are read differently, so that all are read again
MOST_KNOWN = 120  # statuses whose removal is noticed
MOST_CHECKS = 4  # statuses looked up by id in a poll

_OPTIONS = (
    SourceOption(
        "exclude",
        OptionType.SET,
        "Leave out",
        "On Mastodon, posts to leave out: replies, boosts.",
        choices=("replies", "boosts"),
    ),
    SourceOption("tagged", OptionType.TEXT, "Hashtag", "Read only posts of an account with this hashtag."),
    SourceOption(
        "unlisted",
        OptionType.FLAG,
        "Unlisted posts",
        "Whether to read unlisted posts, which their authors keep out of public timelines.",
    ),
    SourceOption("server", OptionType.TEXT, "Server", "The base URL of the API.", discovered=True),
    SourceOption("account_id", OptionType.TEXT, "Account id", "The account's id on its server.", discovered=True),
    SourceOption("hashtag", OptionType.TEXT, "Hashtag", "The hashtag of a server.", discovered=True),
)


class Mastodon(SourceKind):
    """Polls the public API of each account's own server."""

    name = "mastodon"
    label = "an account or hashtag on Mastodon"
    address_form = "a handle of the fediverse (@name@server) or a hashtag of a server (hashtag:topic@server)"
    options = _OPTIONS
    networks = (MASTODON,)
    may_backdate = False  # servers date posts: old ones that come late were missed before
    late_modules = ("aggregator.sources.mastodon.normalise",)

    async def discover(
        self,
        address: str,
        context: PollContext,
        options: Mapping[str, Json] = MappingProxyType({}),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Discovery | None:
        """Look an account or hashtag up.

        Returns None for addresses of other kinds, and for servers that keep their API closed or speak another one:
        their pages may announce feeds.

        Raises:
            SourceError: the server has no such account, or can't be read.
        """
        del headers
        subject = subject_of(address)
        if subject is None:
            return None
        try:
            if isinstance(subject, Hashtag):
                return await self._hashtag(subject, context, options)
            return await self._account(subject, context, options)
        except NotAllowedError:
            return None
        except SourceError:
            if subject.certain:
                raise
            return None

    async def _account(self, subject: Account, context: PollContext, options: Mapping[str, Json]) -> Discovery:
        from aggregator.sources.mastodon import client

        base = await client.base_of(subject, context.http)
        account = await client.account_of(base, subject.name, context.http)
        found = {**options, "server": base, "account_id": account["id"]}
        name = str(account.get("display_name") or "").strip() or subject.handle
        return await self._discovered(subject.handle, found, name, _notes(account), context)

    async def _hashtag(self, subject: Hashtag, context: PollContext, options: Mapping[str, Json]) -> Discovery:
        base = f"{scheme_of(subject.server)}://{subject.server}"
        found = {**options, "server": base, "hashtag": subject.name}
        return await self._discovered(subject.handle, found, f"#{subject.name} on {subject.server}", (), context)

    async def _discovered(
        self, address: str, options: Mapping[str, Json], name: str, notes: Sequence[str], context: PollContext
    ) -> Discovery:
        from aggregator.sources.mastodon import client

        response = await client.statuses(_first_page(options), context.http)
        result = await _result(response, _poll(options, {}, context), options, context)
        return discovered(self, host_key(str(options["server"])), address, name, response, result, options, notes)

    async def poll(self, batch: Sequence[Source], context: PollContext) -> AsyncIterator[PollOutcome]:
        """Poll accounts and hashtags concurrently, each failing separately."""
        async for outcome in side_by_side(batch, context, _read):
            yield outcome

    def read_again(self, raw: bytes, source: Source) -> Sequence[NewActivity]:
        """Read a status that a former version could not read."""
        del source
        from aggregator.sources.mastodon.normalise import read_again

        return read_again(raw)

    def address_key(self, address: str) -> str | None:
        """Return the normalized handle or hashtag of an address that can be nothing else."""
        subject = subject_of(address)
        if subject is None or not subject.certain:
            return None
        return subject.handle.lower()

    def web_page(self, source: Source) -> str:
        """Return the page of the account or hashtag on its server."""
        subject, base = subject_of(source.address), str(source.options.get("server", ""))
        if subject is None or not base:
            return ""
        return f"{base}/tags/{subject.name}" if isinstance(subject, Hashtag) else f"{base}/@{subject.name}"


def _notes(account: Mapping[str, Any]) -> list[str]:
    notes = []
    if account.get("noindex") is True:
        notes.append("The account asks search engines not to index it.")
    if account.get("discoverable") is False:
        notes.append("The account does not want to be suggested to others.")
    if isinstance(account.get("moved"), dict):
        notes.append(f"The account moved to @{str(account['moved'].get('acct', ''))[:200]}; add that one.")
    return notes


def _first_page(options: Mapping[str, Json], **more: str) -> str:
    from aggregator.sources.mastodon.client import PAGE

    base, query = str(options.get("server", "")), {"limit": str(PAGE), **more}
    if hashtag := options.get("hashtag"):
        return api(base, f"timelines/tag/{hashtag}", query)
    if not is_id(options.get("account_id")) or not base:
        raise BadRequestError("This source has no account id; remove it and add it again.")
    excluded = options.get("exclude")
    left_out = excluded if isinstance(excluded, list) else []
    if "replies" in left_out:
        query["exclude_replies"] = "true"
    if "boosts" in left_out:
        query["exclude_reblogs"] = "true"
    if tagged := options.get("tagged"):
        query["tagged"] = str(tagged).removeprefix("#")
    return api(base, f"accounts/{options['account_id']}/statuses", query)


async def _read(source: Source, context: PollContext, tally: TransferStats) -> FetchResult:
    from aggregator.sources.mastodon import client

    poll = _poll(source.options, source.poll.fetch_state, context)
    response = await client.statuses(poll.url, context.http, tally, etag=poll.etag)
    return await _result(response, poll, source.options, context, tally)


def _poll(options: Mapping[str, Json], state: Mapping[str, Any], context: PollContext) -> TimelinePoll:
    return TimelinePoll(_first_page(options), {"reader": READER}, state, context.clock(), MOST_KNOWN, MOST_CHECKS)


async def _result(
    response: Response,
    poll: TimelinePoll,
    options: Mapping[str, Json],
    context: PollContext,
    tally: TransferStats | None = None,
) -> FetchResult:
    from aggregator.sources.mastodon.client import limit_reached_until
    from aggregator.sources.mastodon.timeline import Timeline

    hints = hints_until(limit_reached_until(response.headers, poll.now), poll.now, "X-RateLimit-Reset")
    server, unlisted = str(options["server"]), bool(options.get("unlisted"))
    return await poll.result(
        response,
        lambda known: Timeline(known, server, unlisted, context, tally),
        lambda newest: _first_page(options, min_id=newest),
        hints,
    )


KIND = Mastodon()
