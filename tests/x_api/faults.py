"""Inject faults into the responses of the simulated X."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, Response, StreamingResponse

from aggregator.demo.x_api import PROBLEMS, problem
from tests.x_api.problems import usage_capped

if TYPE_CHECKING:
    from collections.abc import Iterator

FAULTS = (
    "rate-limit", "rate-limit-untold", "usage-cap", "401", "402", "403", "503", "503-html", "html", "slow", "hanging",
    "endless", "truncated", "list", "empty",
)  # fmt: skip
_TITLES = {401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 503: "Service Unavailable"}
_PAGE = "<!doctype html><title>X</title><p>Something went wrong."
_LONGEST_HANG = 60.0  # seconds


@dataclass
class Fault:
    """A fault for a number of requests to paths that contain `where`."""

    kind: str
    where: str = ""
    left: int = 1
    seconds: float = 1.0  # of a slow response


class Faults:
    """The pending faults. Thread-safe."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()
        self._over = threading.Event()

    def add(self, kind: str, where: str = "", *, times: int = 1, seconds: float = 1.0) -> None:
        """Inject a fault into the next requests to paths that contain `where`; see `FAULTS`."""
        if kind not in FAULTS:
            raise ValueError(f"There is no fault {kind!r}; there are: {', '.join(FAULTS)}.")
        with self._lock:
            self._waiting.append(Fault(kind, where, times, seconds))

    def clear(self) -> None:
        """Remove all pending faults, and release requests that hang."""
        with self._lock:
            self._waiting.clear()
        self._over.set()
        self._over = threading.Event()

    def answer(self, path: str, reset: int) -> Response | None:
        """Return the faulty response for a request, or None for a normal response. May block.

        `reset` is when the rate limit's window ends, in Unix seconds.
        """
        fault = self._next(path)
        if fault is None:
            return None
        if fault.kind == "slow":
            time.sleep(fault.seconds)
            return None
        if fault.kind == "hanging":
            self._over.wait(_LONGEST_HANG)
            return None
        return _instead(fault.kind, reset)

    def _next(self, path: str) -> Fault | None:
        with self._lock:
            found = next((fault for fault in self._waiting if fault.where in path), None)
            if found is not None:
                found.left -= 1
                if found.left <= 0:
                    self._waiting.remove(found)
            return found


def _instead(kind: str, reset: int) -> Response:
    if kind.startswith("rate-limit"):
        response = problem(429, "Too Many Requests")
        if kind == "rate-limit":
            response.headers.update(
                {"x-rate-limit-limit": "1", "x-rate-limit-remaining": "0", "x-rate-limit-reset": str(reset)}
            )
        return response
    if kind == "usage-cap":
        return usage_capped()
    if kind.isdigit():
        more = {"reason": "client-not-enrolled", "type": f"{PROBLEMS}/client-forbidden"} if kind == "403" else {}
        return problem(int(kind), _TITLES[int(kind)], **more)
    if kind.endswith("html"):
        return HTMLResponse(_PAGE, 503 if kind.startswith("503") else 200)
    if kind == "endless":
        return StreamingResponse(_endless(), media_type="application/json")
    bodies = {"truncated": b'{"data":[{"id":"1","text":"cut o', "list": b"[1,2,3]", "empty": b""}
    return Response(bodies[kind], media_type="application/json")


def _endless() -> Iterator[bytes]:
    yield b'{"data":['
    while True:
        yield b" " * 65_536
