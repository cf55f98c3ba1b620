"""Discover the kind of an address and add it as a source, with one request; nothing is stored if that fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

from aggregator.domain import networks
from aggregator.domain.errors import AggregatorError, BadRequestError, SourceError, UnconfirmedCostError
from aggregator.domain.source import Policy
from aggregator.fetching.request_target import display_url
from aggregator.services.screen_entries import screened_all
from aggregator.services.store_result import store_result
from aggregator.source_api.kind import BulkDiscovery
from aggregator.sources import kinds as kinds_of_source
from aggregator.system.thread_pools import in_database_thread
from aggregator.text import urls
from aggregator.text.durations import spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from aggregator.config.credential_encryption import HeaderCipher
    from aggregator.domain.polling.results import Discovery, PollRecord
    from aggregator.domain.source import Json, Source
    from aggregator.domain.tagging.tagger import Tagger
    from aggregator.source_api.kind import PollContext, SourceKind
    from storage.store import Store

_MOMENT = timedelta(seconds=1)  # invisible to others: the lease ends within its transaction


@dataclass(frozen=True, slots=True)
class Subscription:
    """The settings of a new source."""

    slug: str | None = None
    name: str | None = None
    every: timedelta | None = None  # between polls; None: adaptive
    policy: Policy = Policy.AUTO
    delay: timedelta | None = None  # for the policy "delay"
    options: Mapping[str, Json] = field(default_factory=dict)  # of its kind
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # secret headers, sent to its host only
    columns: Mapping[str, Json] = field(default_factory=dict)  # set before the first entries are screened
    approve: Callable[[Discovery], bool] = lambda found: not found.cost  # whether to add a source, at its cost


Found = Mapping[str, "Discovery | SourceError"]  # by address: the results of a bulk discovery


async def discover_together(
    addresses: Sequence[str], kinds: Iterable[SourceKind], context: PollContext
) -> dict[str, Discovery | SourceError]:
    """Discover many addresses at once, if their kinds support that; the others are discovered one by one."""
    found: dict[str, Discovery | SourceError] = {}
    for kind in kinds:
        if isinstance(kind, BulkDiscovery) and len(addresses) > 1:
            found.update(await kind.discover_all(addresses, context))
    return found


def address_forms() -> str:
    """Return the address forms of all kinds of source, as text."""
    ordered = sorted(kinds_of_source().values(), key=lambda kind: (not kind.any_address, kind.address_form))
    forms = [kind.address_form for kind in ordered if kind.address_form]
    return " or ".join(filter(None, (", ".join(forms[:-1]), *forms[-1:])))


async def discover(
    address: str,
    kinds: Iterable[SourceKind],
    context: PollContext,
    terms: Subscription,
    known: Found = MappingProxyType({}),
) -> Discovery:
    """Discover an address; `known` has the results of a bulk discovery.

    Raises:
        SourceError: the address belongs to a kind but can't be read; the message has the reason.
        BadRequestError: no kind accepts the address, or an option is unknown to its kind.
    """
    network = networks.network_at(_host_of(address))
    for kind in sorted(kinds, key=lambda kind: kind.any_address):
        if network is not None and network not in kind.networks:
            continue  # the pages of a network with an API are not read as web pages
        found = known.get(address) or await kind.discover(address, context, terms.options, terms.headers)
        if isinstance(found, SourceError):
            raise found
        if found is not None and found.kind == kind.name:
            return replace(found, options=kind.parse_options({**found.options, **terms.options}))
    if display_url(address) != address:
        raise BadRequestError(f"{display_url(address)!r} carries a user name or password; give the address without.")
    raise BadRequestError(f"{address!r} isn't {address_forms()}.")


async def subscribe(
    address: str,
    kinds: Iterable[SourceKind],
    context: PollContext,
    store: Store,
    seal: Callable[[], HeaderCipher],
    terms: Subscription,
    known: Found = MappingProxyType({}),
    tagger: Tagger | None = None,
) -> tuple[Source, PollRecord | None]:
    """Discover an address, add it and store the activities that discovery returned.

    Returns the source, and the record of its first poll if discovery was one.

    Raises:
        SourceError, BadRequestError: as `discover`; or the address or slug is taken, the slug is invalid, `every` is
            too short, or the recurring cost was not approved.
    """
    if terms.slug is not None:
        _check_slug(terms.slug)
    found = await discover(address, kinds, context, terms, known)
    if terms.every is not None and terms.every < found.floor:
        raise BadRequestError(
            f"{found.address} may be polled at most every {spoken(found.floor)}; "
            "only hosts in AGGREGATOR_PRIVATE_NETWORKS may be polled faster."
        )
    if not terms.approve(found):
        raise UnconfirmedCostError(f"{found.cost} The source is added once this cost is confirmed.")
    found = replace(found, every=terms.every or found.every, name=(terms.name or "").strip() or found.name)
    sealed = seal().close(found.host, terms.headers) if terms.headers else None
    always_show = any(kind.edits_always_show for kind in kinds if kind.name == found.kind)
    return await in_database_thread(_add, store, found, terms, sealed, context.clock(), tagger, always_show)


async def subscribe_all(
    addresses: Sequence[str],
    context: PollContext,
    store: Store,
    seal: Callable[[], HeaderCipher],
    terms: Subscription,
    report: Callable[[str, tuple[Source, PollRecord | None] | AggregatorError], None],
    tagger: Tagger | None,
) -> None:
    """Add many addresses, discovered together if their kinds support that, and report each result."""
    every_kind = kinds_of_source().values()
    try:
        known = await discover_together(addresses, every_kind, context)
    except SourceError:  # reported for each address below
        known = {}
    for address in addresses:
        try:
            report(address, await subscribe(address, every_kind, context, store, seal, terms, known, tagger))
        except AggregatorError as problem:
            report(address, problem)


def _add(
    store: Store,
    found: Discovery,
    terms: Subscription,
    sealed: str | None,
    now: datetime,
    tagger: Tagger | None,
    edits_always_show: bool,  # called through a thread pool
) -> tuple[Source, PollRecord | None]:
    token, slug = uuid4().hex, terms.slug
    with store.writing() as tx:
        other = tx.polling.sources.of_other_kind(found) if found.converts else None
        if slug is None:
            former = tx.polling.sources.at(found.kind, found.address)
            slug = former.slug if former else tx.polling.sources.free_slug(found.slug)
        if other is not None:
            added = tx.polling.sources.convert(other, found, now, who="system")
        else:
            added = tx.polling.sources.add(
                found, slug=slug, policy=terms.policy, delay=terms.delay, now=now, sealed=sealed
            )
        if terms.columns:
            tx.polling.sources.change(added.id, **terms.columns)
            added = tx.polling.sources.get(added.slug) or added
        if found.first_result is None:
            return added, None
        first_result = replace(found.first_result, moved_to=None)  # the address is the redirect's target already
        screening = screened_all(added, first_result, now, tagger)
        tx.polling.schedule.claim_these([added.id], now, lease=_MOMENT, token=token)
        settlement = store_result(
            tx,
            added,
            first_result,
            screening,
            now=now,
            token=token,
            pace=None,
            edits_always_show=edits_always_show,
        )
        return tx.polling.sources.get(added.slug) or added, settlement


def _host_of(address: str) -> str:
    """Return the host of a URL, or "" for other addresses."""
    try:
        return urlsplit(address.strip()).hostname or ""
    except ValueError:  # a bracket that is not part of an IPv6 address
        return ""


def _check_slug(slug: str) -> None:
    usual = urls.slug(slug)
    if not slug or slug != usual:
        instead = f"; try {usual!r}" if usual else ""
        raise BadRequestError(
            f"The slug {slug!r} can't be used: a slug is up to {urls.LONGEST_SLUG} of a-z, 0-9 and dashes{instead}."
        )
