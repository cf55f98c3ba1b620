"""How an import adds sources: what is there is left out, the others are looked up side by side and stored in turn."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aggregator.domain.errors import AggregatorError, BadRequestError, ForbiddenAddressError, SourceError
from aggregator.domain.polling.results import Discovery
from aggregator.domain.polling.schedule import DOCUMENT_FLOOR, PRIVATE_FLOOR
from aggregator.domain.source import SourceState
from aggregator.fetching.ip_policy import Network, deny_reason, is_address, within
from aggregator.fetching.request_target import check_address, display_url, host_key
from aggregator.services.subscribe import Subscription, discover, discover_together, subscribe
from aggregator.sources import kinds
from aggregator.system.thread_pools import in_database_thread
from aggregator.text.urls import canonical_url, slug

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aggregator.config.encryption import HeaderCipher
    from aggregator.domain.polling.rate_limit import Clock
    from aggregator.domain.polling.results import PollRecord
    from aggregator.domain.source import Source
    from aggregator.domain.tagging.tagger import Tagger
    from aggregator.services.subscribe import Found
    from aggregator.services.subscription_lists.toml import Entry
    from aggregator.source_api.kind import PollContext
    from storage.store import Store, Transaction

TOGETHER = 8  # hosts that are asked at the same time; each by itself one feed after another

_ON_X = re.compile(
    r"(?i)@([a-z0-9_]{1,15})|https?://(?:www\.|mobile\.)?(?:x|twitter)\.com/@?([a-z0-9_]{1,15})/?(?:\?[^#]*)?"
)
_X_HOSTS = re.compile(r"(?i)(?:www\.|mobile\.)?(?:x|twitter)\.com")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A source that is to be added."""

    entry: Entry
    address: str
    terms: Subscription

    @property
    def shown(self) -> str:
        """Its address, fit for messages."""
        return display_url(self.address)


@dataclass(frozen=True, slots=True)
class Brought:
    """A source that was added."""

    source: Source
    first: PollRecord | None  # how its first poll went, where looking it up was one
    asked_slug: str = ""  # the slug that it should have had, but that is another's


Outcome = Brought | AggregatorError | str  # str: it is there already, in words


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import does: what is settled before anybody is asked, and what is to be added."""

    settled: Sequence[tuple[Wanted | AggregatorError, AggregatorError | str]]
    wanted: Sequence[Wanted]


def planned(tx: Transaction, entries: Iterable[Entry | AggregatorError]) -> Plan:
    """Part what a file says into what is there, what can't be used, and what is to be added."""
    known: dict[str, str] = {}
    for slug_there, address in tx.polling.sources.each_address():
        known.setdefault(_key(address), slug_there)
    settled: list[tuple[Wanted | AggregatorError, AggregatorError | str]] = []
    wanted: dict[str, Wanted] = {}
    for entry in entries:
        if isinstance(entry, AggregatorError):
            settled.append((entry, entry))
            continue
        one, key = Wanted(entry, entry.address, _terms(entry)), _key(entry.address)
        if key in known:
            settled.append((one, f"already there as {known[key]}: {one.shown}"))
        elif key in wanted:
            settled.append((one, f"twice in the file: {one.shown}"))
        else:
            wanted[key] = one
    return Plan(settled, list(wanted.values()))


def _key(address: str) -> str:
    """Return what all spellings of an address share."""
    if match := _ON_X.fullmatch(address):
        return f"@{(match[1] or match[2]).casefold()}"
    return canonical_url(_web(address)) or address


def _web(address: str) -> str:
    """Return the web address behind feed: and webcal:."""
    address = re.sub(r"(?i)^feed:(?://)?(?:(https?:))?", lambda found: found[1] or "https://", address)
    return re.sub(r"(?i)^webcals?:", "https:", address)


def _terms(entry: Entry) -> Subscription:
    columns = {name: entry.changes[name] for name in ("every", "floor", "ceiling") if name in entry.changes}
    return Subscription(
        slug=entry.slug or None,
        name=entry.changes.get("name"),
        policy=entry.policy,
        delay=entry.delay,
        options=entry.options,
        columns={**columns, "on_edit": entry.changes["on_edit"], "trusted": entry.changes["trusted"]},
    )


@dataclass(frozen=True, slots=True)
class Target:
    """Where sources are added.

    Args:
        store: the database.
        clock: gives the present moment.
        seal: gives what encrypts the sign-ins of sources.
        tagger: finds the topics of what is new; None where there is no vocabulary.
        private_networks: networks that may be reached.
        who: adds them, for the history.
        file: where they come from, for the history.
    """

    store: Store
    clock: Clock
    seal: Callable[[], HeaderCipher]
    tagger: Tagger | None
    private_networks: Sequence[Network]
    who: str
    file: str


async def bring(
    wanted: Sequence[Wanted],
    target: Target,
    context: PollContext,
    report: Callable[[Wanted, Outcome], None],
    *,
    no_fetch: bool,
) -> None:
    """Add sources and report each as it is done, in any order.

    Args:
        wanted: as `planned` found them.
        target: where to.
        context: of the requests.
        report: is called with each.
        no_fetch: add feeds unseen.
    """
    by_host: dict[str, list[Wanted]] = {}
    for source in wanted:
        by_host.setdefault(_host(source.address), []).append(source)
    addresses = [source.address for source in wanted if not no_fetch]
    try:
        known = await discover_together(addresses, kinds().values(), context)
    except SourceError:  # each of them says it in its own words
        known = {}
    bringing = _Bringing(target, context, known, no_fetch=no_fetch)
    slots = asyncio.Semaphore(TOGETHER)

    async def of_host(sources: Sequence[Wanted]) -> None:
        for source in sources:
            async with slots:
                outcome = await bringing.one(source)
            report(source, outcome)

    async with asyncio.TaskGroup() as group:
        for sources in by_host.values():
            group.create_task(of_host(sources))


def _host(address: str) -> str:
    """Return the host of an address, or "" where it has none."""
    try:
        return (urlsplit(_web(address)).hostname or "").lower()
    except ValueError:
        return ""


class _Bringing:
    """Adds one source after another to the store, while others are still looked up."""

    def __init__(self, target: Target, context: PollContext, known: Found, *, no_fetch: bool) -> None:
        self._target = target
        self._context = context
        self._known = known
        self._no_fetch = no_fetch
        self._storing = asyncio.Lock()  # so that nobody takes a slug between its check and its use

    async def one(self, wanted: Wanted) -> Outcome:
        """Add a source; what goes wrong is its outcome."""
        try:
            found = await self._found(wanted)
            async with self._storing:
                return await self._stored(wanted, found)
        except AggregatorError as problem:
            return problem

    async def _found(self, wanted: Wanted) -> Discovery:
        known: Mapping[str, Discovery | SourceError] = self._known
        # What is paused is not asked for either: nobody wants its items now, and it may be paused since it is broken.
        if self._no_fetch or (wanted.entry.paused and not _is_on_x(wanted.address)):
            known = {wanted.address: self._unseen(wanted)}
        return await discover(wanted.address, kinds().values(), self._context, wanted.terms, known)

    def _unseen(self, wanted: Wanted) -> Discovery:
        """Take an address for what it looks like.

        Raises:
            BadRequestError: it does not look like anything that can be polled.
            ForbiddenAddressError: it leads into a private network.
        """
        if _is_on_x(wanted.address):
            raise BadRequestError("Who is on X under a name must be asked there; import it without --no-fetch.")
        url = canonical_url(_web(wanted.address))
        if url is None:
            raise BadRequestError(f"{wanted.shown!r} is no web address (https://...) that could be polled.")
        check_address(url, ForbiddenAddressError)
        host, networks = urlsplit(url).hostname or "", self._target.private_networks
        if is_address(host) and (why := deny_reason(host, networks)) is not None:
            raise ForbiddenAddressError(
                f"{display_url(url)} leads to {host} ({why}), where we do not fetch from. "
                "If it is meant, add the address to AGGREGATOR_PRIVATE_NETWORKS."
            )
        calendar = re.match(r"(?i)webcals?:", wanted.address) or urlsplit(url).path.lower().endswith(".ics")
        return Discovery(
            kind="calendar" if calendar else "rss",
            address=url,
            host=host_key(url),
            name=wanted.terms.name or host,
            slug=slug(wanted.terms.name or "") or slug(host) or "feed",
            every=None,
            floor=PRIVATE_FLOOR if within(host, networks) else DOCUMENT_FLOOR,
        )

    async def _stored(self, wanted: Wanted, found: Discovery) -> Outcome:
        there, asked_slug = await in_database_thread(self._taken, wanted, found)
        if there:
            return f"already there as {there}: {wanted.shown}"
        terms = replace(wanted.terms, slug=None) if asked_slug else wanted.terms
        added, first = await subscribe(
            wanted.address,
            kinds().values(),
            self._context,
            self._target.store,
            self._target.seal,
            terms,
            MappingProxyType({wanted.address: found}),
            self._target.tagger,
        )
        added = await in_database_thread(self._noted, added, paused=bool(wanted.entry.paused))
        return Brought(added, first, asked_slug)

    def _taken(self, wanted: Wanted, found: Discovery) -> tuple[str, str]:
        """Return under which slug an address is there already, and which wanted slug is another's; "" for none."""
        with self._target.store.reading() as tx:
            former = tx.polling.sources.at(found.kind, found.address)
            if former is not None and former.state is not SourceState.REMOVED:
                return former.slug, ""
            asked = wanted.terms.slug
            taken = (
                asked is not None and tx.polling.sources.slug_taken(asked) and (former is None or former.slug != asked)
            )
            return "", asked or "" if taken else ""

    def _noted(self, added: Source, *, paused: bool) -> Source:
        """Write the history of a source that was added, and pause it where it was paused before."""
        now, about = self._target.clock(), f"source:{added.slug}"
        with self._target.store.writing() as tx:
            tx.moderation.audit.note(
                now,
                self._target.who,
                "added a source",
                about,
                {"policy": added.policy.value, "from": self._target.file},
            )
            if paused:
                tx.polling.sources.set_state(added.id, SourceState.PAUSED, "paused by hand", now)
                tx.moderation.audit.note(now, self._target.who, "paused a source", about, {"from": self._target.file})
            return tx.polling.sources.get(added.slug) or added


def _is_on_x(address: str) -> bool:
    if address.startswith(("@", "search:")):
        return True
    return _X_HOSTS.fullmatch(_host(address)) is not None
