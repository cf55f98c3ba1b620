"""Test reading timelines: nothing lost, nothing requested twice, with any page budget."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.activity import Actor
from aggregator.domain.errors import AccountError, PausedError
from aggregator.sources.twitter.errors import CursorError
from aggregator.sources.twitter.read_budget import FIRST_RUN, PAGE, PAGES, ReadQuota
from aggregator.sources.twitter.snowflakes import id_at, time_of
from aggregator.sources.twitter.timeline import CLOCK_MARGIN, ReadResult, Watermark, read

if TYPE_CHECKING:
    from collections.abc import Mapping

ME = Actor("x", "7001", "Desk", "desk_example")
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
FIRST_ID = 999_999_999_999_999_990  # ids grow from 18 to 19 digits in these tests, where text would sort wrongly


class Account:
    """A timeline that responds as the API does: newest first, `since_id` and `until_id` exclusive."""

    def __init__(self, posts: int = 0) -> None:
        self.ids: list[int] = []
        self.requests: list[dict[str, object]] = []
        self.fail_on_page: tuple[int, Exception] | None = None
        self.post(posts)

    def post(self, count: int) -> None:
        start = self.ids[-1] + 1 if self.ids else FIRST_ID
        self.ids += range(start, start + count)

    async def page(self, **query: Any) -> Mapping[str, Any]:
        if self.fail_on_page and len(self.requests) == self.fail_on_page[0]:
            raise self.fail_on_page[1]
        self.requests.append(query)
        since, until = int(str(query.get("since_id", 0))), int(str(query.get("until_id", 2**63)))
        below = int(str(query.get("pagination_token", 2**63)))
        found = [i for i in reversed(self.ids) if since < i < until and i < below]
        page = found[: int(str(query["max_results"]))]
        if not page:
            return {"meta": {"result_count": 0}}
        meta = {"next_token": str(page[-1])} if len(found) > len(page) else {}
        return {"data": [{"id": str(i), "text": f"Post {i}", "author_id": "7001"} for i in page], "meta": meta}


def polled(account: Account, mark: Watermark, quota: ReadQuota = ReadQuota()) -> ReadResult:  # noqa: B008 - frozen
    return asyncio.run(read(account.page, "@desk_example", mark, ME, quota, NOW))


def test_first_run_is_one_bounded_page() -> None:
    account = Account(posts=500)
    reading = polled(account, Watermark())
    assert [int(a.native_id) for a in reading.activities] == account.ids[-FIRST_RUN:]
    assert len(account.requests) == 1
    assert reading.mark == Watermark(since=account.ids[-1])


def test_empty_account_stays_at_its_first_run() -> None:
    reading = polled(Account(), Watermark())
    assert reading.mark == Watermark()
    assert reading.activities == []


def test_later_runs_ask_only_for_what_is_new() -> None:
    account = Account(posts=5)
    mark = polled(account, Watermark()).mark
    account.post(3)
    account.requests.clear()
    reading = polled(account, mark)
    assert [int(a.native_id) for a in reading.activities] == account.ids[-3:]
    assert account.requests == [{"max_results": PAGE, "since_id": account.ids[4]}]
    again = polled(account, reading.mark)
    assert again.activities == []
    assert again.mark == reading.mark


def test_gap_left_by_the_page_budget_is_filled_by_the_next_runs() -> None:
    account = Account(posts=5)
    mark = polled(account, Watermark()).mark
    account.post(PAGE * PAGES * 2 + 30)
    expected = set(account.ids[5:])
    seen: list[int] = []
    for run in range(4):
        reading = polled(account, mark)
        mark = Watermark.of(reading.mark.state())  # as the database gives it back
        seen += [int(a.native_id) for a in reading.activities]
        if run < 2:
            account.post(2)  # while the gap is still open
            expected |= set(account.ids[-2:])
    assert len(seen) == len(set(seen))
    assert set(seen) == expected
    assert mark == Watermark(since=account.ids[-1])


def test_watermark_survives_deletion_of_the_newest_post() -> None:
    account = Account(posts=5)
    mark = polled(account, Watermark()).mark
    newest = account.ids.pop()
    reading = polled(account, mark)
    assert reading.mark == Watermark(since=newest)


def test_watermark_never_moves_backwards() -> None:
    assert Watermark(since=1_000_000_000_000_000_000).read([999_999_999_999_999_999], more=False).since == 10**18


def test_failure_on_a_later_page_keeps_what_was_read() -> None:
    account = Account(posts=5)
    mark = polled(account, Watermark()).mark
    account.post(PAGE * 3)
    account.requests.clear()
    account.fail_on_page = (2, PausedError("later", until=datetime(2026, 1, 1, tzinfo=UTC)))
    reading = polled(account, mark)
    assert isinstance(reading.error, PausedError)
    assert len(reading.activities) == 2 * PAGE
    account.fail_on_page = None
    rest = polled(account, reading.mark)
    assert len(rest.activities) == PAGE
    assert rest.mark == Watermark(since=account.ids[-1])


def test_failure_on_the_first_page_is_raised() -> None:
    account = Account(posts=1)
    account.fail_on_page = (0, AccountError("no"))
    with pytest.raises(AccountError):
        polled(account, Watermark())


def test_fetch_state_with_nonsense_counts_as_empty() -> None:
    assert Watermark.of({"since_id": "12; drop", "until_id": None, "high_id": "-4"}) == Watermark()


def test_fetch_state_goes_there_and_back() -> None:
    mark = Watermark(since=1, until=5, high=9)
    assert Watermark.of(mark.state()) == mark


def test_what_does_not_fit_a_rationed_poll_is_left_out_for_good() -> None:
    account = Account(posts=5)
    mark = polled(account, Watermark()).mark
    account.post(30)
    reading = polled(account, mark, ReadQuota(page=10, pages=1, skipping=True))
    assert [int(a.native_id) for a in reading.activities] == account.ids[-10:]
    assert (reading.skipped, reading.whole) == (True, False)
    assert reading.mark == Watermark(since=account.ids[-1])
    account.post(2)
    again = polled(account, reading.mark, ReadQuota(page=10, pages=1, skipping=True))
    assert [int(a.native_id) for a in again.activities] == account.ids[-2:]
    assert (again.skipped, again.whole) == (False, True)


def test_a_gap_that_is_open_when_rationing_begins_is_given_up() -> None:
    account = Account(posts=5)
    mark = polled(account, Watermark()).mark
    account.post(PAGE * PAGES * 2)
    mark = polled(account, mark).mark
    assert mark.until is not None
    account.post(3)
    reading = polled(account, mark, ReadQuota(page=10, pages=1, skipping=True))
    assert [int(a.native_id) for a in reading.activities] == account.ids[-3:]
    assert reading.mark == Watermark(since=account.ids[-1])


# Pages without posts: X leaves posts out after it has cut the pages


class ReplyingAccount(Account):
    """A timeline whose replies are left out of the pages, as with `exclude=replies`; tokens name an offset."""

    def __init__(self) -> None:
        super().__init__()
        self.replies: set[int] = set()
        self.expired: set[str] = set()  # parameters that are refused

    def reply(self, count: int) -> None:
        self.post(count)
        self.replies.update(self.ids[-count:])

    async def page(self, **query: Any) -> Mapping[str, Any]:
        self.requests.append(query)
        if refused := self.expired & query.keys():
            raise CursorError("too old", refused)
        since, until = int(str(query.get("since_id", 0))), int(str(query.get("until_id", 2**63)))
        start, size = int(str(query.get("pagination_token", 0))), int(str(query["max_results"]))
        found = [i for i in reversed(self.ids) if since < i < until]
        page = [i for i in found[start : start + size] if i not in self.replies]
        meta = {"next_token": str(start + size)} if len(found) > start + size else {}
        data = [{"id": str(i), "text": f"Post {i}", "author_id": "7001"} for i in page]
        return {**({"data": data} if data else {}), "meta": {**meta, "result_count": len(page)}}


def _ids(reading: ReadResult) -> list[int]:
    return [int(activity.native_id) for activity in reading.activities]


def test_first_run_follows_pages_without_posts() -> None:
    account = ReplyingAccount()
    account.post(3)
    account.reply(FIRST_RUN * 3 + 5)
    reading = polled(account, Watermark())
    assert _ids(reading) == account.ids[:3]
    assert len(account.requests) == 4
    assert (reading.empty_pages, reading.mark.token) == (0, None)


def test_first_run_keeps_its_place_behind_pages_without_posts() -> None:
    account = ReplyingAccount()
    account.post(3)
    account.reply(FIRST_RUN * (PAGES + 2))
    reading = polled(account, Watermark())
    assert (len(account.requests), _ids(reading), reading.empty_pages) == (PAGES, [], PAGES)
    mark = Watermark.of(reading.mark.state())
    assert (mark.token, mark.since) == (str(FIRST_RUN * PAGES), None)
    again = polled(account, mark)
    assert _ids(again) == account.ids[:3]
    assert [query.get("pagination_token") for query in account.requests[PAGES : PAGES + 3]] == ["200", "240", "280"]
    assert again.mark == Watermark(since=max(id_at(NOW - CLOCK_MARGIN), account.ids[2]))


def test_pages_without_posts_are_not_requested_again() -> None:
    account = ReplyingAccount()
    account.ids.append(id_at(NOW - timedelta(days=3)))
    mark = polled(account, Watermark()).mark
    account.ids += (new := [id_at(NOW - timedelta(hours=40 - hour / 20)) for hour in range(PAGE * 3)])
    account.replies.update(new)
    account.requests.clear()
    reading = polled(account, mark)
    assert (len(account.requests), reading.empty_pages) == (3, 2)
    account.requests.clear()
    again = polled(account, reading.mark)
    assert len(account.requests) == 1
    assert again.mark == reading.mark == Watermark(since=id_at(NOW - CLOCK_MARGIN))


def test_later_run_keeps_its_place_between_posts_and_pages_without_posts() -> None:
    account = ReplyingAccount()
    account.post(5)
    mark = polled(account, Watermark()).mark
    account.post(4)
    account.reply(PAGE * (PAGES + 1))
    account.post(2)
    expected, seen = [i for i in account.ids[5:] if i not in account.replies], list[int]()
    for _ in range(2):
        reading = polled(account, mark)
        mark = Watermark.of(reading.mark.state())
        seen += _ids(reading)
    assert sorted(seen) == expected
    assert len(seen) == len(set(seen))
    assert mark == Watermark(since=account.ids[-1])
    assert len(account.requests) == 1 + PAGES + 3  # first run; five pages; the rest, and new posts


def test_a_rationed_poll_follows_pages_without_posts_since_they_are_free() -> None:
    account = ReplyingAccount()
    account.post(5)
    mark = polled(account, Watermark()).mark
    account.post(3)
    account.reply(25)
    reading = polled(account, mark, ReadQuota(page=10, pages=1, skipping=True))
    assert _ids(reading) == account.ids[5:8]


def test_a_token_that_leads_back_ends_the_poll_and_loses_nothing() -> None:
    account = Account(posts=5)
    mark = polled(account, Watermark()).mark
    account.post(PAGE * 2)
    plain = account.page

    async def loops(**query: Any) -> Mapping[str, Any]:
        payload = await plain(**{name: value for name, value in query.items() if name != "pagination_token"})
        return {**payload, "meta": {"next_token": "again"}}

    account.requests.clear()
    account.page = loops  # type: ignore[method-assign]
    reading = polled(account, mark)
    assert len(account.requests) == 2
    account.page = plain  # type: ignore[method-assign]
    rest = polled(account, reading.mark)
    assert sorted({*_ids(reading), *_ids(rest)}) == account.ids[5:]
    assert rest.mark == Watermark(since=account.ids[-1])


# Positions that X refuses


def test_a_token_that_x_no_longer_knows_is_dropped_once() -> None:
    account = ReplyingAccount()
    account.post(3)
    account.expired = {"pagination_token"}
    reading = polled(account, Watermark(token="old"))
    assert _ids(reading) == account.ids
    assert [query.get("pagination_token") for query in account.requests] == ["old", None]


def test_an_until_id_that_x_refuses_gives_the_gap_up_and_says_so() -> None:
    account = ReplyingAccount()
    account.post(3)
    account.expired = {"until_id"}
    reading = polled(account, Watermark(since=1, until=account.ids[0], high=account.ids[1]))
    assert (reading.lost, _ids(reading)) == (True, account.ids[2:])
    assert reading.mark == Watermark(since=account.ids[-1])


def test_without_the_since_id_that_x_refuses_reading_ends_at_what_is_known() -> None:
    account = ReplyingAccount()
    account.post(PAGE * 4)
    account.expired = {"since_id"}
    reading = polled(account, Watermark(since=account.ids[-PAGE - 10]))
    assert [int(str(query["max_results"])) for query in account.requests] == [PAGE] * 3  # refused, then two pages
    assert reading.mark == Watermark(since=account.ids[-1])


def test_a_position_that_x_refuses_again_is_an_error() -> None:
    class Stubborn(Account):
        async def page(self, **query: Any) -> Mapping[str, Any]:
            self.requests.append(query)
            raise CursorError("no", {"since_id"})

    account = Stubborn()
    with pytest.raises(CursorError):
        polled(account, Watermark(since=5))
    assert len(account.requests) == 2


def test_ids_and_times_convert_both_ways() -> None:
    assert time_of(id_at(NOW)) == NOW
    assert time_of(1_212_092_628_029_698_048) == datetime(2020, 1, 1, 0, 0, 0, 0, tzinfo=UTC) + timedelta(
        milliseconds=((1_212_092_628_029_698_048 >> 22) + 1_288_834_974_657) - 1_577_836_800_000
    )
