"""Test ingesting a batch, on both databases, with a scripted kind of source."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import pytest

from aggregator.domain.activity import Media
from aggregator.domain.errors import AccountError, PausedError, StatusError
from aggregator.domain.polling.results import (
    Discovery,
    Failure,
    FetchFacts,
    FetchResult,
    PollOutcome,
)
from aggregator.domain.source import SourceState
from aggregator.domain.stream import Query
from aggregator.services.ingest import Ingest, PollTerms
from aggregator.source_api.kind import PollContext, SourceKind
from tests.building import NOON, add_source, an_activity, due_of, lease_of, token

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

    from aggregator.domain.polling.host_limits import RateLimiter
    from aggregator.domain.source import Json, Source
    from aggregator.fetching.client import Http
    from aggregator.services.poll_report import Report
    from aggregator.source_api.archive import ArchiveRequest
    from storage.store import Store

LEASE = timedelta(minutes=5)
QUARTER = timedelta(minutes=15)  # between polls of a test's source


@dataclass
class Scripted(SourceKind):
    """A kind of source that yields given results by slug; a source without one is not started."""

    outcomes: dict[str, FetchResult | Failure] = field(default_factory=dict)
    breaks: bool = False
    name: str = "scripted"
    label: str = "a scripted source"
    any_address: bool = False
    eagerness: float = 1.0
    per_host: int | None = None

    def parse_options(self, options: Mapping[str, Json]) -> Mapping[str, Json]:
        return options

    async def discover(
        self,
        address: str,
        context: PollContext,
        options: Mapping[str, Json] = MappingProxyType({}),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Discovery | None:
        del address, context, options, headers
        return None

    async def archive(
        self, source: Source, context: PollContext, request: ArchiveRequest
    ) -> AsyncGenerator[FetchResult]:
        del source, context, request
        for page in tuple[FetchResult, ...]():
            yield page

    async def poll(self, batch: Sequence[Source], context: PollContext) -> AsyncIterator[PollOutcome]:
        assert context.clock() == NOON
        for source in batch:
            await asyncio.sleep(0)
            if source.slug in self.outcomes:
                yield PollOutcome(source.id, self.outcomes[source.slug])
        if self.breaks:
            raise ZeroDivisionError


def _poll(store: Store, kind: Scripted, *slugs: str, under: str = "") -> dict[str, Report]:
    under = under or token()
    with store.writing() as tx:
        known = {source.slug: source for source in tx.polling.sources.each()}
    sources = [known.get(slug) or add_source(store, slug, kind="scripted") for slug in slugs]
    with store.writing() as tx:
        tx.polling.schedule.claim_these([source.id for source in sources], NOON, lease=LEASE, token=under)
        batch = tx.polling.schedule.renew([source.id for source in sources], under, NOON + LEASE)
    context = PollContext(cast("Http", None), lambda: NOON, cast("RateLimiter", None))
    reports = asyncio.run(Ingest(store, {"scripted": kind}, context, PollTerms(under, {})).run(batch))
    return {report.slug: report for report in reports}


def _source(store: Store, slug: str) -> Source:
    with store.reading() as tx:
        source = tx.polling.sources.get(slug)
    assert source is not None
    return source


def _shown(store: Store) -> set[str]:
    with store.reading() as tx:
        return {item.native_id for item in tx.stream.activities.page(Query(limit=100)).items}


def _failure(problem: StatusError | AccountError | PausedError) -> Failure:
    return Failure(problem, FetchFacts(NOON, timedelta(seconds=1), status=500))


def test_each_source_ends_by_itself(store: Store) -> None:
    kind = Scripted(
        {
            "good": FetchResult([an_activity("1"), an_activity("2")], {"etag": "a"}, name="Good"),
            "bad": _failure(StatusError("It answered 500.", status=500)),
            "same": FetchResult(state={"etag": "b"}, unchanged=True),
        }
    )
    reports = _poll(store, kind, "good", "bad", "same")
    assert {slug: (report.outcome, report.new, report.error) for slug, report in reports.items()} == {
        "good": ("new", 2, None),
        "bad": ("failed", 0, "It answered 500."),
        "same": ("unchanged", 0, None),
    }
    assert _shown(store) == {"1", "2"}
    good, bad, same = (_source(store, slug) for slug in ("good", "bad", "same"))
    assert (good.poll.fetch_state, same.poll.fetch_state, bad.poll.fetch_state) == ({"etag": "a"}, {"etag": "b"}, {})
    assert (good.poll.failures, bad.poll.failures, bad.poll.last_error) == (0, 1, "It answered 500.")
    assert all(lease_of(store, source.id).until is None for source in (good, bad, same))
    assert NOON + QUARTER <= due_of(good) <= NOON + 1.1 * QUARTER


def test_validators_and_items_are_stored_together_or_not_at_all(store: Store) -> None:
    lost = Scripted({"news": FetchResult([an_activity("1")], {"etag": "new"})})
    source = add_source(store, "news", kind="scripted")
    under = token()
    with store.writing() as tx:
        tx.polling.schedule.claim_these([source.id], NOON, lease=LEASE, token=under)
        batch = tx.polling.schedule.renew([source.id], under, NOON + LEASE)
        tx.polling.schedule.release([source.id], under)
        tx.polling.schedule.claim_these([source.id], NOON, lease=LEASE, token="somebody else's")
    context = PollContext(cast("Http", None), lambda: NOON, cast("RateLimiter", None))
    [report] = asyncio.run(Ingest(store, {"scripted": lost}, context, PollTerms(under, {})).run(batch))
    assert (report.outcome, report.error) == ("failed", "another worker has taken it over")
    assert _shown(store) == set()
    assert _source(store, "news").poll.fetch_state == {}
    assert lease_of(store, _source(store, "news").id).until == NOON + LEASE  # the other one's


def test_what_cannot_be_stored_costs_its_source_alone(store: Store) -> None:
    too_much = replace(an_activity("1"), content=replace(an_activity("1").content, media=(Media("image", 7),)))  # type: ignore[arg-type]  # what a faulty kind might give
    broken = FetchResult([replace(too_much, entry_digest=None)])  # type: ignore[arg-type]
    kind = Scripted({"a": broken, "b": FetchResult([an_activity("2")])})
    reports = _poll(store, kind, "a", "b")
    assert reports["b"].new == 1
    assert reports["a"].outcome == "failed"
    assert "can't be stored" in (reports["a"].error or "")
    assert _source(store, "a").poll.failures == 1
    assert lease_of(store, _source(store, "a").id).until is None


def test_a_kind_that_breaks_fails_what_it_had_not_ended(store: Store) -> None:
    kind = Scripted({"a": FetchResult([an_activity("1")])}, breaks=True)
    reports = _poll(store, kind, "a", "b")
    assert reports["a"].outcome == "new"
    assert "ZeroDivisionError" in (reports["b"].error or "")
    assert due_of(_source(store, "b")) > NOON


def test_what_was_not_begun_in_time_stays_due(store: Store) -> None:
    reports = _poll(store, Scripted({"a": FetchResult(unchanged=True)}), "a", "b")
    assert reports.keys() == {"a"}
    left = _source(store, "b")
    assert (left.poll.due, lease_of(store, left.id).until, left.poll.last_polled) == (NOON, None, None)


def test_a_permanent_error_stops_the_source_and_says_why(store: Store) -> None:
    _poll(store, Scripted({"a": _failure(AccountError("@a is suspended."))}), "a")
    stopped = _source(store, "a")
    assert (stopped.state, stopped.state_reason, lease_of(store, stopped.id).until) == (
        SourceState.STOPPED,
        "@a is suspended.",
        None,
    )
    with store.writing() as tx:
        assert tx.polling.schedule.claim(NOON + 9 * LEASE, lease=LEASE, token=token(), most=9, per_host=9) == []


def test_a_host_that_wants_silence_is_no_failure_of_the_source(store: Store) -> None:
    until = NOON + timedelta(hours=2)
    _poll(store, Scripted({"a": _failure(PausedError("Left alone.", until=until))}), "a")
    waiting = _source(store, "a")
    assert waiting.poll.failures == 0
    assert until <= due_of(waiting) <= until + QUARTER
    assert waiting.poll.due_reason.startswith("host paused: again after 2")


def test_failures_add_up_and_one_success_ends_them(store: Store) -> None:
    broken = Scripted({"a": _failure(StatusError("It answered 500.", status=500))})
    for expected in (1, 2, 3):
        _poll(store, broken, "a")
        assert _source(store, "a").poll.failures == expected
    assert _source(store, "a").poll.failure_weight == 0.75
    assert QUARTER * 2**0.75 <= due_of(_source(store, "a")) - NOON <= 1.1 * QUARTER * 2**0.75
    _poll(store, Scripted({"a": FetchResult(unchanged=True)}), "a")
    assert (_source(store, "a").poll.failures, _source(store, "a").poll.last_error) == (0, None)


def test_keys_that_a_source_calls_gone_leave_the_stream(store: Store) -> None:
    _poll(store, Scripted({"a": FetchResult([an_activity("1"), an_activity("2")])}), "a")
    _poll(store, Scripted({"a": FetchResult(gone=["web:1"], unchanged=True)}), "a")
    assert _shown(store) == {"2"}


@pytest.mark.parametrize("unstorable", ["\x00", "\ud800"], ids=["NUL", "surrogate"])
def test_what_a_publisher_says_never_costs_another_source_its_outcome(store: Store, unstorable: str) -> None:
    kind = Scripted(
        {
            "a": FetchResult(unchanged=True),
            "b": _failure(StatusError(f"It answered {unstorable}.", status=500)),
            "c": FetchResult(state={"etag": [unstorable, "c"]}, unchanged=True),
            "d": FetchResult([an_activity("1")], {"etag": unstorable}, note=f"Odd {unstorable}."),
        }
    )
    reports = _poll(store, kind, *"abcd")
    assert [reports[slug].outcome for slug in "abcd"] == ["unchanged", "failed", "unchanged", "new"]
    sources = [_source(store, slug) for slug in "abcd"]
    assert [source.poll.last_outcome for source in sources] == ["unchanged", "failed", "unchanged", "new"]
    assert all(lease_of(store, source.id).until is None for source in sources)
    assert sources[1].poll.last_error == "It answered ."


def test_one_outcome_that_cannot_be_stored_costs_no_other(store: Store) -> None:
    kind = Scripted({"a": FetchResult(unchanged=True), "b": FetchResult(state={"x": object()}, unchanged=True)})
    _poll(store, kind, "a", "b", "c")
    assert _source(store, "a").poll.last_outcome == "unchanged"
    assert lease_of(store, _source(store, "b").id).until is not None  # until it runs out
    assert lease_of(store, _source(store, "c").id).until is None  # given back


def test_many_unchanged_sources_share_a_transaction(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    slugs = [f"s{number}" for number in range(20)]
    kind = Scripted({slug: FetchResult(unchanged=True) for slug in slugs})
    for slug in slugs:
        add_source(store, slug, kind="scripted")
    writes = 0
    writing = store.writing

    def counted() -> object:
        nonlocal writes
        writes += 1
        return writing()

    monkeypatch.setattr(store, "writing", counted)
    assert len(_poll(store, kind, *slugs)) == 20
    assert writes <= 4  # two to look and to claim, one or two to settle them all
