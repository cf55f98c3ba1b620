"""Send requests to a reader while the stack polls, and count what comes back."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.processes import Processes

CLIENTS = 4
PATHS = ("/", "/api/v1/activities?limit=5", "/feed.rss", "/api/v1/activities?q=word{}", "/activities/{}", "/readyz")


class Load:
    """The responses to some clients, by status; 0: no connection."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()

    @property
    def errors(self) -> int:
        """Return the number of responses that are neither found nor missing."""
        return sum(count for status, count in self.statuses.items() if status not in {200, 404})


@contextmanager
def load(stack: Processes) -> Iterator[Load]:
    """Send requests of several clients for the time of the block."""
    answers, stopping = Load(), threading.Event()

    def client(number: int) -> None:
        count = 0
        while not stopping.wait(0.05):  # the processors must not be the limit
            count += 1
            path = PATHS[count % len(PATHS)].format(f"{number}{count}")
            answers.statuses[_status(f"http://127.0.0.1:{stack.port}{path}")] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(1, CLIENTS + 1)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def _status(url: str) -> int:
    try:
        with urlopen(url, timeout=60) as response:
            response.read()
            return int(response.status)
    except HTTPError as error:
        error.close()
        return error.code
    except (URLError, OSError):
        return 0
