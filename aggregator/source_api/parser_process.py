"""Run the child process of `parser_pool.ParserPool`: execute function calls, each within limits.

The kernel counts CPU time and kills the process at the limit (SIGPROF, default action), also inside C code.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
import struct
import traceback
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from aggregator.domain.errors import AggregatorError, TooComplexError

LENGTH = struct.Struct("!Q")  # header of a request: length
HEADER = struct.Struct("!Q?")  # header of a response: its length, and whether the process exits afterwards
_RECYCLED_AT = 300 * 1024  # kilobytes of resident memory above which the process exits after its response
_LONGEST_TRACEBACK = 4000  # characters


class Limits(NamedTuple):
    """Limits for one document."""

    cpu: float = 5.0  # seconds
    memory: int = 1024 * 1024 * 1024  # bytes of address space of the process
    answer: int = 128 * 1024 * 1024  # bytes of the pickled result


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a call."""

    result: Any = None
    problem: Exception | None = None


def main(limits: tuple[float, int, int]) -> None:
    """Serve until standard input ends."""
    bounds = Limits(*limits)
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # output of libraries must not mix with responses
    for name in (signal.SIGINT, signal.SIGTERM):  # for the parent, which closes standard input when it ends
        signal.signal(name, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (bounds.memory, bounds.memory))
    with suppress(BrokenPipeError):
        _serve(requests, answers, bounds)


def _serve(requests: BinaryIO, answers: BinaryIO, bounds: Limits) -> None:
    # On Linux, a new process inherits the peak of its parent.
    recycled_at = max(_RECYCLED_AT, _peak_memory())
    while header := requests.read(LENGTH.size):
        work = requests.read(*LENGTH.unpack(header))
        function, args, kwargs = pickle.loads(work)  # noqa: S301 - of our own code
        del work
        signal.setitimer(signal.ITIMER_PROF, bounds.cpu)
        answer, last = _called(function, args, kwargs, bounds)
        last = last or _peak_memory() > recycled_at
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(HEADER.pack(len(answer), last))
        answers.write(answer)
        answers.flush()
        if last:
            break


def _called(function: Any, args: Any, kwargs: Any, bounds: Limits) -> tuple[bytes, bool]:  # noqa: ANN401 - any function
    """Return the pickled result, and whether this process should exit afterwards."""
    try:
        answer = _pickled(Answer(function(*args, **kwargs)))
    except MemoryError:
        return _pickled(Answer(problem=_too_much(bounds.memory))), True
    except AggregatorError as problem:
        answer = _pickled(Answer(problem=problem))
    except Exception:  # noqa: BLE001 - the parent logs it
        unforeseen = RuntimeError(f"The parser failed:\n{traceback.format_exc()[-_LONGEST_TRACEBACK:]}")
        answer = _pickled(Answer(problem=unforeseen))
    if len(answer) > bounds.answer:
        return _pickled(Answer(problem=_too_much(bounds.answer))), True
    return answer, False


def _peak_memory() -> int:
    """Return the peak resident memory in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _pickled(answer: Answer) -> bytes:
    return pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)


def _too_much(limit: int) -> TooComplexError:
    return TooComplexError(f"Parsing takes more than {limit // 1024 // 1024} MB of memory.")
