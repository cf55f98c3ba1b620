"""Define the kind of source for Bluesky: accounts, feeds, lists and hashtags."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from aggregator.domain.errors import BadRequestError, MissingAccountError
from aggregator.domain.settings_schema import Option, secure_address
from aggregator.domain.source_options import OptionType, SourceOption
from aggregator.fetching.request_target import host_key
from aggregator.source_api.documents import side_by_side
from aggregator.source_api.kind import QueueClass, SourceKind
from aggregator.source_api.timeline_poll import TimelinePoll, discovered, hints_until
from aggregator.sources.bluesky import addresses
from aggregator.sources.bluesky.addresses import (
    GENERATORS,
    INVALID_HANDLE,
    LISTS,
    Feed,
    Subject,
    Uri,
    hashtag_page,
    is_did,
    is_handle,
    page_of,
    profile_page,
    subject_of,
    uri_of,
    xrpc,
)
from aggregator.sources.bluesky.network import BLUESKY, NETWORK
from aggregator.sources.bluesky.push import JETSTREAM, PushesJetstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from aggregator.domain.activity import Actor, NewActivity
    from aggregator.domain.polling.results import Discovery, FetchResult, PollOutcome
    from aggregator.domain.source import Json, Source
    from aggregator.fetching.response import Response, TransferStats
    from aggregator.source_api.kind import PollContext
    from aggregator.source_api.push import AccountChanged
    from aggregator.sources.bluesky.client import AppView
    from aggregator.sources.bluesky.timeline import Timeline

READER = 1  # raise when posts are read differently, so that all are read again
MOST_KNOWN = 200  # entries whose removal is noticed
MOST_CHECKS = 25  # older posts looked up by id in a poll, with one request
PUBLIC_APPVIEW = "https://public.api.bsky.app"

_OPTIONS = (
    SourceOption(
        "exclude",
        OptionType.SET,
        "Leave out",
        "On Bluesky, posts of an account to leave out: replies to others, reposts.",
        choices=("replies", "reposts"),
    ),
    SourceOption("user_id", OptionType.TEXT, "Account id", "The account's DID.", discovered=True),
    SourceOption("uri", OptionType.TEXT, "Feed or list", "The AT URI of a feed or list.", discovered=True),
    SourceOption("hashtag", OptionType.TEXT, "Hashtag", "A hashtag.", discovered=True),
)
_SETTINGS = (
    Option(
        "BLUESKY_API",
        secure_address,
        "an https address, or http on loopback",
        "base URL of the Bluesky AppView whose public API is read",
        PUBLIC_APPVIEW,
    ),
    JETSTREAM,
)
_NOT_SIGNED_IN = "The account wants no signed-out readers, so its posts are not stored."
_GONE = "The account was deleted, deactivated or taken down; its posts were removed."


class Bluesky(PushesJetstream, SourceKind):
    """Polls the public API of an AppView, by the DIDs of accounts, so that a renamed account stays the same source."""

    name = "bluesky"
    label = "an account, feed, list or hashtag on Bluesky"
    queue = QueueClass.API
    address_form = "a Bluesky handle (@name.bsky.social), DID, or address of a profile, feed or list, or hashtag:topic"
    options = _OPTIONS
    settings = _SETTINGS
    networks = (BLUESKY,)
    may_backdate = False  # pages are in the order of dates: old posts that come late were missed before
    late_modules = ("aggregator.sources.bluesky.normalise",)
    network = NETWORK
    most_people = 25
    most_announced = 8 * 25
    people_kept = timedelta(days=1)
    others_kept = timedelta(days=28)

    async def discover(
        self,
        address: str,
        context: PollContext,
        options: Mapping[str, Json] = MappingProxyType({}),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Discovery | None:
        """Look an account, feed, list or hashtag up.

        Raises:
            MissingAccountError: it doesn't exist.
            BadRequestError: the address is that of a post.
            SourceError: the response was not usable.
        """
        del headers
        subject = subject_of(address)
        if subject is None:
            return None
        api = _app_view(context)
        if subject.feed is Feed.HASHTAG:
            found = {**options, "hashtag": subject.key}
            return await self._discovered(subject, found, f"#{subject.key} on Bluesky", (), context, api)
        if subject.feed is Feed.ACCOUNT:
            profile = await api.profile(subject.actor)
            did, handle = str(profile["did"]), profile.get("handle")
            subject = Subject(Feed.ACCOUNT, str(handle).lower() if is_handle(handle) else did)
            name = str(profile.get("displayName") or "").strip() or str(subject)
            return await self._discovered(subject, {**options, "user_id": did}, name, _notes(profile), context, api)
        return await self._record(subject, options, context, api)

    async def _record(
        self, subject: Subject, options: Mapping[str, Json], context: PollContext, api: AppView
    ) -> Discovery:
        """Look a feed or list up, which the DID of its account names for good."""
        if not is_did(subject.actor):
            subject = subject._replace(actor=str((await api.profile(subject.actor))["did"]))
        is_feed = subject.feed is Feed.GENERATOR
        uri = str(Uri(subject.actor, GENERATORS if is_feed else LISTS, subject.key))
        if is_feed:
            view = (await api.described("app.bsky.feed.getFeedGenerator", {"feed": uri})).get("view")
        else:
            view = (await api.described("app.bsky.graph.getList", {"list": uri, "limit": "1"})).get("list")
        title = (view.get("displayName") or view.get("name")) if isinstance(view, dict) else None
        name = str(title or "").strip() or subject.key
        return await self._discovered(subject, {**options, "uri": uri}, name, (), context, api)

    async def _discovered(
        self,
        subject: Subject,
        options: Mapping[str, Json],
        name: str,
        notes: Sequence[str],
        context: PollContext,
        api: AppView,
    ) -> Discovery:
        response = await api.page(_page(api.base, options))
        result = await _result(response, _poll(options, {}, context, api), options, context, api)
        return discovered(self, host_key(api.base), str(subject), name, response, result, options, notes)

    async def poll(self, batch: Sequence[Source], context: PollContext) -> AsyncIterator[PollOutcome]:
        """Poll sources concurrently, each failing separately."""
        async for outcome in side_by_side(batch, context, _read):
            yield outcome

    def read_again(self, raw: bytes, source: Source) -> Sequence[NewActivity]:
        """Read a post that a former version could not read."""
        del source
        from aggregator.sources.bluesky.normalise import read_again

        return read_again(raw)

    def address_key(self, address: str) -> str | None:
        """Return the normalized form of an address."""
        try:
            subject = subject_of(address)
        except BadRequestError:
            return None
        return (
            str(subject._replace(key=subject.key.lower()) if subject.feed is Feed.HASHTAG else subject)
            if subject
            else None
        )

    def web_page(self, source: Source) -> str:
        """Return the page of the account, feed, list or hashtag."""
        options = source.options
        if hashtag := options.get("hashtag"):
            return hashtag_page(str(hashtag))
        if uri := uri_of(options.get("uri")):
            return page_of(uri)
        did = options.get("user_id")
        return profile_page(str(did)) if is_did(did) else ""

    post_id = staticmethod(addresses.post_id)
    account_id = staticmethod(addresses.account_id)
    handle = staticmethod(addresses.handle_in)

    async def people(self, native_ids: Sequence[str], context: PollContext) -> Sequence[Actor]:
        """Fetch profiles in one request; omit accounts that no longer exist.

        Raises:
            SourceError: the response was not usable.
        """
        from aggregator.sources.bluesky.normalise import actor_of

        dids = [did for did in native_ids if is_did(did)]
        profiles = await _app_view(context).profiles(dids) if dids else []
        return [actor_of(profile) for profile in profiles if is_did(profile.get("did"))]

    async def announced(self, events: Sequence[AccountChanged], context: PollContext) -> Sequence[NewActivity]:
        """Look up posts that Jetstream announced.

        Raises:
            SourceError: a response was not usable.
        """
        from aggregator.sources.bluesky.announced import look_up

        return await look_up(events, _app_view(context), context)

    def takes(self, source: Source, new: NewActivity) -> bool:
        """Return whether a poll of the source would store such a post."""
        from aggregator.sources.bluesky.announced import is_taken

        return is_taken(new, _excluded(source.options), source.poll.fetch_state.get("known") or {})

    async def owner(self, handle: str, context: PollContext) -> str | None:
        """Return the DID of the account that has a handle now, or None if it is unused.

        Raises:
            SourceError: the response was not usable.
        """
        if not is_handle(handle):
            return None
        try:
            return str((await _app_view(context).profile(handle))["did"])
        except MissingAccountError:
            return None


def _app_view(context: PollContext, tally: TransferStats | None = None) -> AppView:
    from aggregator.sources.bluesky.client import AppView

    return AppView(context.settings.get("bluesky_api", PUBLIC_APPVIEW), context.http, tally)


def _notes(profile: Mapping[str, Any]) -> list[str]:
    from aggregator.sources.bluesky.labels import Hidden, hidden_by

    notes = []
    if (why := hidden_by(dict(profile))) is not None:
        hidden = why is Hidden.SIGNED_IN_ONLY
        notes.append(_NOT_SIGNED_IN if hidden else "Moderators hide the account, so its posts are not stored.")
    if profile.get("handle") == INVALID_HANDLE:
        notes.append("The account's handle is not confirmed by its domain.")
    return notes


def _page(base: str, options: Mapping[str, Json], **more: str) -> str:
    """Return the address of a page of a source's timeline."""
    from aggregator.sources.bluesky.client import PAGE

    query = {"limit": str(PAGE), **more}
    if hashtag := options.get("hashtag"):
        return xrpc(base, "app.bsky.feed.searchPosts", {"q": f"#{hashtag}", "sort": "latest", **query})
    if (uri := uri_of(options.get("uri"))) is not None:
        if uri.collection == GENERATORS:
            return xrpc(base, "app.bsky.feed.getFeed", {"feed": str(uri), **query})
        return xrpc(base, "app.bsky.feed.getListFeed", {"list": str(uri), **query})
    if not is_did(options.get("user_id")):
        raise BadRequestError("This source has no account id; remove it and add it again.")
    choice = "posts_and_author_threads" if "replies" in _excluded(options) else "posts_with_replies"
    return xrpc(base, "app.bsky.feed.getAuthorFeed", {"actor": str(options["user_id"]), "filter": choice, **query})


def _excluded(options: Mapping[str, Json]) -> Sequence[Json]:
    excluded = options.get("exclude")
    return excluded if isinstance(excluded, list) else ()


async def _read(source: Source, context: PollContext, tally: TransferStats) -> FetchResult:
    state, api = source.poll.fetch_state, _app_view(context, tally)
    poll = _poll(source.options, state, context, api)
    try:
        response = await api.page(poll.url, poll.etag)
    except MissingAccountError:
        if not state.get("known") or not await _is_gone(source, context, api):
            raise
        return poll.account_gone(_GONE)
    return await _result(response, poll, source.options, context, api)


async def _is_gone(source: Source, context: PollContext, api: AppView) -> bool:
    """Return whether an account is gone: it has no profile and none of the known posts is left."""
    did = source.options.get("user_id")
    if did is None or any(profile.get("did") == did for profile in await api.profiles([str(did)])):
        return False  # it exists; what isn't an account is left to people
    return not await _timeline(source.poll.fetch_state.get("known") or {}, source.options, context, api).has_posts()


def _poll(options: Mapping[str, Json], state: Mapping[str, Any], context: PollContext, api: AppView) -> TimelinePoll:
    basis = {"reader": READER, "no_reposts": "reposts" in _excluded(options)}
    return TimelinePoll(_page(api.base, options), basis, state, context.clock(), MOST_KNOWN, MOST_CHECKS)


def _timeline(known: Mapping[str, Any], options: Mapping[str, Json], context: PollContext, api: AppView) -> Timeline:
    from aggregator.sources.bluesky.timeline import Timeline

    no_reposts = "reposts" in _excluded(options)
    return Timeline(known, api, context, no_reposts=no_reposts, complete="user_id" in options)


async def _result(
    response: Response, poll: TimelinePoll, options: Mapping[str, Json], context: PollContext, api: AppView
) -> FetchResult:
    from aggregator.sources.bluesky.client import limit_reached_until

    hints = hints_until(limit_reached_until(response.headers, poll.now), poll.now, "RateLimit-Reset")
    unordered = "hashtag" in options or GENERATORS in str(options.get("uri"))
    return await poll.result(
        response,
        lambda known: _timeline(known, options, context, api),
        None if unordered else lambda cursor: _page(api.base, options, cursor=cursor),
        hints,
    )


KIND = Bluesky()
