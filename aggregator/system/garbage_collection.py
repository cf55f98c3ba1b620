"""Tune Python's garbage collection for short commands and for servers."""

from __future__ import annotations

import atexit
import gc

_COMMAND = 200_000  # objects of the youngest generation; imports create about 100,000
_SERVER = 50_000


def collect_rarely() -> None:
    """Collect next to nothing in a short command.

    Imports create many objects that live as long as the process: looking for garbage among them takes a third of the
    CPU of a short command, half of it at exit.
    """
    gc.set_threshold(_COMMAND, 20, 20)
    atexit.register(gc.freeze)


def settle() -> None:
    """Exempt all present objects from collection, when a process that runs for long has started.

    Without that, each full collection of a reader looks at some 300,000 objects of its libraries, and no request is
    answered meanwhile.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_SERVER, 20, 20)
