"""Define the kind of source for Bluesky: accounts, feeds, lists and hashtags."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from aggregator.domain.errors import BadRequestError, MissingAccountError
from aggregator.domain.polling.results import Discovery, FetchResult, PublisherHints
from aggregator.domain.polling.schedule import DOCUMENT_FLOOR, PRIVATE_FLOOR
from aggregator.domain.settings_schema import Option, secure_address
from aggregator.domain.source_options import OptionType, SourceOption
from aggregator.fetching.request_target import host_key
from aggregator.source_api.documents import facts_of, side_by_side
from aggregator.source_api.kind import QueueClass, SourceKind
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
from aggregator.text.urls import slug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from aggregator.domain.activity import Actor, NewActivity
    from aggregator.domain.polling.results import PollOutcome
    from aggregator.domain.source import Json, Source
    from aggregator.fetching.response import Response, TransferStats
    from aggregator.source_api.kind import PollContext
    from aggregator.sources.bluesky.client import AppView
    from aggregator.sources.bluesky.timeline import Timeline

READER = 1  # raise when posts are read differently, so that all are read again
MOST_KNOWN = 200  # entries whose removal is noticed
MOST_CHECKS = 25  # older posts looked up by id in a poll, with one request
CHECK_EVERY = timedelta(hours=1)
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
        result = await _result(response, {}, options, context, api)
        return Discovery(
            kind=self.name,
            address=str(subject),
            host=host_key(api.base),
            name=name[:200],
            slug=slug(name) or slug(str(subject)) or "bluesky",
            every=None,
            floor=PRIVATE_FLOOR if response.private else DOCUMENT_FLOOR,
            options=options,
            first_result=result,
            notes=notes,
        )

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
    url = _page(api.base, source.options)
    subset = "reposts" in _excluded(source.options)
    same = (state.get("url"), state.get("reader"), state.get("no_reposts")) == (url, READER, subset)
    known: Mapping[str, Any] = state if same else {}
    etag = known.get("etag") if not _check_due(known, context.clock()) else None
    try:
        response = await api.page(url, etag)
    except MissingAccountError:
        if not state.get("known") or await _exists(source, api):
            raise
        return await _withdrawn(state, source.options, context, api)
    return await _result(response, known, source.options, context, api)


async def _exists(source: Source, api: AppView) -> bool:
    """Return whether an account still exists; what isn't an account is left to people."""
    did = source.options.get("user_id")
    return did is None or any(profile.get("did") == did for profile in await api.profiles([str(did)]))


async def _withdrawn(
    state: Mapping[str, Any], options: Mapping[str, Json], context: PollContext, api: AppView
) -> FetchResult:
    """Return that an account's posts are gone with it, as far as the service doesn't have them any more."""
    timeline = _timeline(state, options, context, api)
    await timeline.leave()
    return FetchResult(
        timeline.activities(),
        {**state, "known": timeline.newest(MOST_KNOWN), "digest": None, "etag": None, "note": _GONE},
        gone=timeline.gone,
        skipped=len(timeline.unchanged),
        present=timeline.unchanged,
        note=_GONE,
    )


def _timeline(state: Mapping[str, Any], options: Mapping[str, Json], context: PollContext, api: AppView) -> Timeline:
    from aggregator.sources.bluesky.timeline import Timeline

    return Timeline(
        state.get("known") or {},
        api,
        context,
        no_reposts="reposts" in _excluded(options),
        complete="user_id" in options,
    )


async def _result(
    response: Response, known: Mapping[str, Any], options: Mapping[str, Json], context: PollContext, api: AppView
) -> FetchResult:
    from aggregator.sources.bluesky.client import limit_reached_until

    now, hints = context.clock(), PublisherHints()
    if (until := limit_reached_until(response.headers, now)) is not None:
        hints = PublisherHints(at_least=until - now, why="RateLimit-Reset")
    digest, is_due = hashlib.sha256(response.body).hexdigest(), _check_due(known, now)
    if response.status == 304 or (digest == known.get("digest") and not is_due):  # noqa: PLR2004
        return FetchResult(state=known, unchanged=True, hints=hints, facts=facts_of(response))
    timeline = _timeline(known, options, context, api)
    await timeline.read(response.body)
    if "hashtag" not in options and GENERATORS not in str(options.get("uri")):  # those have no order to rely on
        await timeline.fill_gap(lambda cursor: _page(api.base, options, cursor=cursor))
    last = str(known.get("looked_up") or "")
    looked_up = await timeline.look_for_removals(MOST_CHECKS if is_due else 0, last)
    state = {
        "url": _page(api.base, options),
        "reader": READER,
        "no_reposts": "reposts" in _excluded(options),
        "etag": None if timeline.unfinished else response.headers.get("ETag"),
        "digest": None if timeline.unfinished else digest,
        "known": timeline.newest(MOST_KNOWN),
        "checked": now.isoformat() if is_due else known.get("checked"),
        "looked_up": looked_up,
        "note": timeline.note(),
    }
    return FetchResult(
        timeline.activities(),
        state,
        gone=timeline.gone,
        hints=hints,
        skipped=len(timeline.unchanged),
        present=timeline.unchanged,
        note=timeline.note(),
        facts=facts_of(response),
        unread=timeline.unread,
    )


def _check_due(known: Mapping[str, Any], now: datetime) -> bool:
    """Return whether posts that left the first page are looked up again."""
    last = known.get("checked")
    return last is None or not timedelta() <= now - datetime.fromisoformat(last) < CHECK_EVERY


KIND = Bluesky()
