"""Test parsing in child processes: limits of CPU time and memory, crashes, cancellation."""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import signal
import time
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from aggregator.domain.errors import NoFeedError, ParserCrashError, TooComplexError, UnreadableError
from aggregator.source_api.parser_pool import Limits, ParserPool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = [pytest.mark.usefixtures("own_parsers"), pytest.mark.long]

QUICK = Limits(cpu=0.5, memory=512 * 1024 * 1024, answer=1024 * 1024)


def doubled(text: str) -> str:
    return text * 2


def process() -> int:
    return os.getpid()


def environment() -> dict[str, str]:
    return dict(os.environ)


def burn() -> None:
    while True:
        pass


def backtrack() -> None:
    re.match(r"(a+)+$", "a" * 40 + "b")  # one call into C code


def crash() -> None:
    ctypes.string_at(0)


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave() -> None:
    os._exit(3)


def eat() -> int:
    return len(bytearray(2 * 1024**3))


def long_answer() -> str:
    return "x" * 2 * 1024 * 1024


def no_feed() -> None:
    raise NoFeedError("This is no feed.", status=200)


def surprise() -> None:
    raise ZeroDivisionError("a surprise")


def within(work: Callable[[ParserPool], Awaitable[None]], limits: Limits = QUICK, most: int = 2) -> None:
    async def run() -> None:
        pool = ParserPool(limits, most=most)
        try:
            async with asyncio.timeout(60):
                await work(pool)
        finally:
            await pool.close()

    asyncio.run(run())


def test_a_function_runs_in_another_process_which_is_used_again() -> None:
    async def work(pool: ParserPool) -> None:
        assert await pool.run(doubled, "ab") == "abab"
        first, second = await pool.run(process), await pool.run(process)
        assert first == second != os.getpid()

    within(work)


@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (burn, TooComplexError, "0.5 s of CPU time"),
        pytest.param(backtrack, TooComplexError, "0.5 s of CPU time", marks=pytest.mark.slow),
        (eat, TooComplexError, "512 MB of memory"),
        pytest.param(long_answer, TooComplexError, "1 MB of memory", marks=pytest.mark.slow),
        (crash, ParserCrashError, "SIGSEGV"),
        pytest.param(killed, ParserCrashError, "SIGKILL", marks=pytest.mark.slow),
        pytest.param(leave, ParserCrashError, "exit code 3", marks=pytest.mark.slow),
    ],
    ids=["loop", "regex", "memory", "answer", "segmentation-fault", "killed", "exit"],
)
def test_what_reaches_a_limit_or_dies_is_a_failure_and_the_next_document_is_read(
    function: Callable[[], object], error: type[UnreadableError], words: str
) -> None:
    async def work(pool: ParserPool) -> None:
        with pytest.raises(error, match=words):
            await pool.run(function)
        assert await pool.run(doubled, "ab") == "abab"

    within(work)


def test_errors_of_the_function_arrive_as_they_are() -> None:
    async def work(pool: ParserPool) -> None:
        with pytest.raises(NoFeedError, match="no feed") as caught:
            await pool.run(no_feed)
        assert caught.value.status == 200
        with pytest.raises(ParserCrashError, match="failed unexpectedly"), capture_logs() as lines:
            await pool.run(surprise)
        assert "a surprise" in lines[0]["reason"]

    within(work)


def test_one_slow_document_does_not_hold_up_the_others() -> None:
    async def work(pool: ParserPool) -> None:
        slow = asyncio.create_task(pool.run(burn))
        began = time.monotonic()
        assert await asyncio.gather(*(pool.run(doubled, str(number)) for number in range(20)))
        assert not slow.done() or time.monotonic() - began > QUICK.cpu
        with pytest.raises(TooComplexError):
            await slow

    within(work, Limits(cpu=2.0))


@pytest.mark.slow
def test_a_large_parent_does_not_make_every_child_a_new_one() -> None:
    memory = bytearray(400 * 1024 * 1024)
    memory[::4096] = b"x" * len(memory[::4096])  # resident

    async def work(pool: ParserPool) -> None:
        assert await pool.run(process) == await pool.run(process)

    within(work)


@pytest.mark.slow
def test_there_are_no_more_processes_than_allowed() -> None:
    async def work(pool: ParserPool) -> None:
        results = await asyncio.gather(*(pool.run(burn) for _ in range(5)), return_exceptions=True)
        assert [type(result) for result in results] == [TooComplexError] * 5
        assert len({await pool.run(process) for _ in range(5)}) == 1

    within(work, Limits(cpu=0.1))


def test_who_no_longer_waits_stops_the_work() -> None:
    async def work(pool: ParserPool) -> None:
        pid = await pool.run(process)
        task = asyncio.create_task(pool.run(burn))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert await pool.run(doubled, "ab") == "abab"

    within(work, most=1)


def test_a_child_that_died_while_it_had_nothing_to_do_is_replaced() -> None:
    async def work(pool: ParserPool) -> None:
        pid = await pool.run(process)
        os.kill(pid, signal.SIGKILL)
        (child,) = pool.children
        await child.ended()
        assert await pool.run(process) != pid

    within(work, most=1)


def test_a_child_gets_no_settings_and_ends_with_its_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGGREGATOR_X_BEARER_TOKEN", "secret")
    pids: list[int] = []

    async def work(pool: ParserPool) -> None:
        assert "secret" not in (await pool.run(environment)).values()
        pids.append(await pool.run(process))

    within(work)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
