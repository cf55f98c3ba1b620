"""Test request slots of a host, on both databases: spacing, concurrency, pauses, and dead holders."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.domain.polling.host_groups import HostPolicy, Pauses
from aggregator.domain.polling.host_limits import Wanted
from tests.building import NOON

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from aggregator.domain.polling.host_limits import Turn
    from storage.store import Store

SPACING, HOLD = timedelta(seconds=2), timedelta(seconds=30)
HOST = "news.example:443"


def _wanted(*asks: str, ended: Sequence[str] = (), answered: bool = False, concurrency: int = 1) -> Wanted:
    return Wanted(HostPolicy(HOST, SPACING, concurrency, Pauses.GROUP), asks, ended, answered)


def _turn(store: Store, who: str, now: datetime = NOON, *, concurrency: int = 1) -> Turn:
    with store.writing() as tx:
        return tx.polling.hosts.turns([_wanted(who, concurrency=concurrency)], now, hold=HOLD)[who]


def _give_back(store: Store, who: str, now: datetime = NOON, *, answered: bool = False) -> None:
    with store.writing() as tx:
        assert tx.polling.hosts.turns([_wanted(ended=[who], answered=answered)], now, hold=HOLD) == {}


def test_one_at_a_time_and_two_seconds_apart(store: Store) -> None:
    first = _turn(store, "a")
    assert (first.granted, first.start) == (True, NOON)
    assert not _turn(store, "b").granted  # a's request is under way
    _give_back(store, "a")
    second = _turn(store, "b", NOON + timedelta(seconds=1))
    assert (second.granted, second.start) == (True, NOON + SPACING)


def test_several_at_a_time_where_the_operator_says_so(store: Store) -> None:
    starts = [_turn(store, who, concurrency=3) for who in "abc"]
    assert [turn.start for turn in starts] == [NOON, NOON + SPACING, NOON + 2 * SPACING]
    assert not _turn(store, "d", concurrency=3).granted


def test_the_turn_of_a_dead_worker_ends_by_itself(store: Store) -> None:
    _turn(store, "dead")
    assert not _turn(store, "b", NOON + HOLD - timedelta(seconds=1)).granted
    assert _turn(store, "b", NOON + HOLD).granted


def test_a_pause_holds_for_everybody_and_only_grows(store: Store) -> None:
    with store.writing() as tx:
        two, sooner = NOON + timedelta(hours=2), NOON + timedelta(hours=1)
        assert tx.polling.hosts.pause(HOST, two, NOON, "it answered 429") == two
        assert tx.polling.hosts.pause(HOST, sooner, NOON, "shorter") == two
        assert [(pause.host, pause.reason) for pause in tx.polling.hosts.paused(NOON)] == [(HOST, "it answered 429")]
    refused = _turn(store, "a")
    assert (refused.granted, refused.start, refused.paused) == (False, NOON + timedelta(hours=2), "it answered 429")
    assert _turn(store, "a", NOON + timedelta(hours=2)).granted


def test_what_ends_makes_room_within_the_same_transaction(store: Store) -> None:
    _turn(store, "a")
    with store.writing() as tx:
        answers = tx.polling.hosts.turns([_wanted("b", "c", ended=["a"])], NOON, hold=HOLD)
    assert [answers[who].granted for who in "bc"] == [True, False]


def test_many_hosts_are_answered_together(store: Store) -> None:
    expected = [
        Wanted(HostPolicy(f"{number}.example:443", SPACING, 1, Pauses.GROUP), [str(number)]) for number in range(40)
    ]
    with store.writing() as tx:
        answers = tx.polling.hosts.turns(expected, NOON, hold=HOLD)
    assert {turn.start for turn in answers.values()} == {NOON}
    assert len(answers) == 40


def test_hosts_not_called_for_long_are_forgotten(store: Store) -> None:
    _turn(store, "a")
    with store.writing() as tx:
        assert tx.polling.hosts.forget_idle(NOON) == 0
        assert tx.polling.hosts.forget_idle(NOON + timedelta(days=1)) == 1
