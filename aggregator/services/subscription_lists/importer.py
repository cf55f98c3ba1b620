"""Import sources: skip existing ones, look the others up concurrently and store them one by one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aggregator.domain.errors import AggregatorError, BadRequestError, SourceError
from aggregator.domain.source import SourceState
from aggregator.domain.source_import import ImportLine, ImportReport, ImportStatus, Lookup
from aggregator.fetching.request_target import display_url
from aggregator.services.subscribe import Subscription, address_forms, discover, discover_together, subscribe
from aggregator.services.subscription_lists.document import read_document, with_policy
from aggregator.sources import kinds
from aggregator.system.thread_pools import in_database_thread
from aggregator.text.plain import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from aggregator.config.credential_encryption import HeaderCipher
    from aggregator.domain.clock import Clock
    from aggregator.domain.polling.results import Discovery, PollRecord
    from aggregator.domain.source import Source
    from aggregator.domain.source_import import UploadedDocument
    from aggregator.domain.tagging.tagger import Tagger
    from aggregator.fetching.ip_policy import Network
    from aggregator.services.runtime import Runtime
    from aggregator.services.subscribe import Found
    from aggregator.services.subscription_lists.toml import Entry
    from aggregator.source_api.kind import PollContext, SourceKind
    from storage.store import Store, Transaction

TOGETHER = 8  # hosts that are called at the same time; the feeds of a host are fetched one by one


@dataclass(frozen=True, slots=True)
class PendingSource:
    """A source to be added."""

    entry: Entry
    address: str
    terms: Subscription

    @property
    def shown(self) -> str:
        """The address, safe for messages."""
        return display_url(self.address)


@dataclass(frozen=True, slots=True)
class AddedSource:
    """A source that was added."""

    source: Source
    first: PollRecord | None  # the record of its first poll, if looking it up was one
    asked_slug: str = ""  # the requested slug, if another source has it


Outcome = AddedSource | AggregatorError | str  # str: it exists already; the text has details


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of an import: entries that need no request, and sources to add."""

    settled: Sequence[tuple[PendingSource | AggregatorError, AggregatorError | str]]
    pending: Sequence[PendingSource]


def planned(tx: Transaction, entries: Iterable[Entry | AggregatorError]) -> Plan:
    """Divide the entries of a file into existing, invalid and new sources."""
    known: dict[str, str] = {}
    for slug_there, address in tx.polling.sources.each_address():
        known.setdefault(_key(address), slug_there)
    settled: list[tuple[PendingSource | AggregatorError, AggregatorError | str]] = []
    pending: dict[str, PendingSource] = {}
    for entry in entries:
        if isinstance(entry, AggregatorError):
            settled.append((entry, entry))
            continue
        source, key = PendingSource(entry, entry.address, _terms(entry)), _key(entry.address)
        if key in known:
            settled.append((source, f"already exists as {known[key]}: {source.shown}"))
        elif key in pending:
            settled.append((source, f"duplicate in the file: {source.shown}"))
        else:
            pending[key] = source
    return Plan(settled, list(pending.values()))


def _key(address: str) -> str:
    """Return the key that all spellings of an address share."""
    kind = _kind_of(address)
    return (kind and kind.address_key(address)) or address


def _kind_of(address: str, name: str = "") -> SourceKind | None:
    """Return the kind of source for an address by its form; `name` is the kind from the file, if any."""
    if name:
        return kinds().get(name)
    ordered = sorted(kinds().values(), key=lambda kind: kind.any_address)
    return next((kind for kind in ordered if kind.address_key(address)), None)


_OPTIONAL = ("every", "floor", "ceiling", "folder", "undescribed")


def _terms(entry: Entry) -> Subscription:
    columns = {name: entry.changes[name] for name in _OPTIONAL if name in entry.changes}
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
    """The destination of an import.

    Args:
        store: the database.
        clock: returns the present time.
        seal: returns the cipher for credentials.
        tagger: finds topics; None: there is no vocabulary.
        private_networks: networks that may be reached.
        who: adds them, for the audit log.
        file: their origin, for the audit log.
    """

    store: Store
    clock: Clock
    seal: Callable[[], HeaderCipher]
    tagger: Tagger | None
    private_networks: Sequence[Network]
    who: str
    file: str

    @classmethod
    def of(cls, runtime: Runtime, seal: Callable[[], HeaderCipher], who: str, file: str) -> Target:
        """Return the target in the database of a process."""
        tagger, networks = runtime.configuration.tagger, runtime.settings.private_networks
        return cls(runtime.store, runtime.clock, seal, tagger, networks, who, file)


async def import_entries(
    entries: Sequence[Entry | AggregatorError],
    target: Target,
    context: Callable[[], Awaitable[PollContext]],
    report: Callable[[ImportLine], None],
    *,
    lookup: Lookup,
    preview: bool,
) -> None:
    """Add the sources of a document, and report each result as it is known.

    Args:
        entries: of the document.
        target: the destination.
        context: returns the context of requests; not called for a preview.
        report: is called with each result.
        lookup: which addresses are looked up.
        preview: only report the plan; nothing is requested or stored.
    """
    with target.store.reading() as tx:
        plan = planned(tx, entries)
    for source, outcome in plan.settled:
        report(_line(source, outcome))
    if preview:
        for source in plan.pending:
            report(ImportLine(ImportStatus.PLANNED, f"would be added: {one_line(source.shown)}"))
    elif plan.pending:
        await add_pending(
            plan.pending, target, await context(), lambda source, outcome: report(_line(source, outcome)), lookup=lookup
        )


async def import_document(
    document: UploadedDocument, target: Target, context: Callable[[], Awaitable[PollContext]]
) -> ImportReport:
    """Add the sources of an uploaded document. Documents on the web are fetched by their first poll.

    Raises:
        BadRequestError: the document as a whole is invalid.
    """
    entries, skipped = read_document(document.body, document.name or "The text")
    delay = round(document.delay.total_seconds()) if document.delay else None
    entries = [with_policy(entry, document.policy, delay) for entry in entries]
    report = ImportReport([], skipped)
    await import_entries(entries, target, context, report.lines.append, lookup=Lookup.NEEDED, preview=document.preview)
    return report


def _line(source: PendingSource | AggregatorError, outcome: Outcome) -> ImportLine:
    if isinstance(outcome, AggregatorError):
        about = f"{one_line(source.shown)}: " if isinstance(source, PendingSource) else ""
        return ImportLine(ImportStatus.FAILED, f"{about}not added. {outcome}")
    if isinstance(outcome, str):
        return ImportLine(ImportStatus.KNOWN, outcome)
    added, first = outcome.source, outcome.first
    items = counted(first.new, "item") if first else "paused" if added.state is SourceState.PAUSED else "due now"
    renamed = f"; its slug {outcome.asked_slug} is taken here" if outcome.asked_slug else ""
    return ImportLine(
        ImportStatus.ADDED, f"added {added.slug} ({added.kind}, {one_line(added.name, 60)}, {items}{renamed})"
    )


async def add_pending(
    pending: Sequence[PendingSource],
    target: Target,
    context: PollContext,
    report: Callable[[PendingSource, Outcome], None],
    *,
    lookup: Lookup,
) -> None:
    """Add sources and report each result, in any order.

    Args:
        pending: from `planned`.
        target: the destination.
        context: of the requests.
        report: is called with each result.
        lookup: which addresses are looked up.
    """
    by_host: dict[str, list[PendingSource]] = {}
    for source in pending:
        by_host.setdefault(_host(source.address), []).append(source)
    addresses = [source.address for source in pending if lookup is not Lookup.NONE]
    try:
        known = await discover_together(addresses, kinds().values(), context)
    except SourceError:  # reported for each source below
        known = {}
    importer = _Importer(target, context, known, lookup)
    slots = asyncio.Semaphore(TOGETHER)

    async def of_host(sources: Sequence[PendingSource]) -> None:
        for source in sources:
            async with slots:
                outcome = await importer.add(source)
            report(source, outcome)

    async with asyncio.TaskGroup() as group:
        for sources in by_host.values():
            group.create_task(of_host(sources))


def _host(address: str) -> str:
    """Return the host of an address, or "" if it has none."""
    try:
        return (urlsplit(_key(address)).hostname or "").lower()
    except ValueError:
        return ""


class _Importer:
    """Stores sources one by one while others are still looked up."""

    def __init__(self, target: Target, context: PollContext, known: Found, lookup: Lookup) -> None:
        self._target = target
        self._context = context
        self._known = known
        self._lookup = lookup
        self._storing = asyncio.Lock()  # so that a slug can't be taken between its check and its use

    async def add(self, source: PendingSource) -> Outcome:
        """Add a source; an error becomes its outcome."""
        try:
            found = await self._found(source)
            async with self._storing:
                return await self._stored(source, found)
        except AggregatorError as problem:
            return problem

    async def _found(self, source: PendingSource) -> Discovery:
        known: Mapping[str, Discovery | SourceError] = self._known
        # A paused source is not fetched either: it may be paused because it is broken.
        if self._lookup is not Lookup.ALL or source.entry.paused:
            known = {**known, **self._unfetched(source)}
        return await discover(source.address, self._kinds(source), self._context, source.terms, known)

    def _kinds(self, source: PendingSource) -> Iterable[SourceKind]:
        """Return the possible kinds of a source.

        Raises:
            BadRequestError: the file names a kind that is not installed.
        """
        name = source.entry.kind
        if not name:
            return kinds().values()
        if name not in kinds():
            raise BadRequestError(
                f"{source.shown}: the kind {name!r} is not installed; installed: {', '.join(sorted(kinds()))}."
            )
        return [kinds()[name]]

    def _unfetched(self, source: PendingSource) -> Mapping[str, Discovery]:
        """Return the discovery by the address's form; None for a paused source that needs a lookup.

        Raises:
            BadRequestError: the form isn't a valid source address.
            ForbiddenAddressError: the address is in a private network.
        """
        kind = _kind_of(source.address, source.entry.kind)
        if kind is None:
            raise BadRequestError(f"{source.shown!r} isn't {address_forms()}.")
        try:
            found = kind.unfetched(source.address, source.terms.name, self._target.private_networks)
        except BadRequestError:
            if self._lookup is Lookup.NONE:
                raise
            return {}
        return {source.address: found}

    async def _stored(self, source: PendingSource, found: Discovery) -> Outcome:
        there, asked_slug = await in_database_thread(self._taken, source, found)
        if there:
            return f"already exists as {there}: {source.shown}"
        terms = replace(source.terms, slug=None) if asked_slug else source.terms
        added, first = await subscribe(
            source.address,
            self._kinds(source),
            self._context,
            self._target.store,
            self._target.seal,
            terms,
            MappingProxyType({source.address: found}),
            self._target.tagger,
        )
        added = await in_database_thread(self._noted, added, paused=bool(source.entry.paused))
        return AddedSource(added, first, asked_slug)

    def _taken(self, source: PendingSource, found: Discovery) -> tuple[str, str]:
        """Return the slug that an address already has, and the requested slug if it is taken; "" for none."""
        with self._target.store.reading() as tx:
            former = tx.polling.sources.at(found.kind, found.address)
            if former is not None and former.state is not SourceState.REMOVED:
                return former.slug, ""
            slug = source.terms.slug
            taken = slug is not None and tx.polling.sources.slug_taken(slug) and (former is None or former.slug != slug)
            return "", slug or "" if taken else ""

    def _noted(self, added: Source, *, paused: bool) -> Source:
        """Write the audit entries of a new source, and pause it if the file has it paused."""
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
