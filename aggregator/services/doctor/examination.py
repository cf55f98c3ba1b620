"""Run all checks at once, each with a limit of time; one that fails never stops the others."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aggregator.domain.errors import AggregatorError, StoreUnavailableError
from aggregator.domain.monitoring.findings import Level, error, warning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from aggregator.config.settings import Settings
    from aggregator.domain.clock import Clock
    from aggregator.domain.monitoring.findings import Finding
    from storage.store import Store

LIMIT = 10.0  # seconds for a check


def resolve(host: str) -> None:
    """Resolve a host name.

    Raises:
        OSError: it has no address.
    """
    socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)


@dataclass(frozen=True, slots=True)
class Subject:
    """The installation to examine."""

    settings: Settings
    environ: Mapping[str, str]
    store: Store
    clock: Clock
    visibility: float  # seconds after which the broker delivers an unfinished message again
    check_portal: Callable[[], None]  # raises an error about the portal's files
    responding_workers: Callable[[], Mapping[str, Sequence[str]]] = field(default=dict)
    resolve: Callable[[str], None] = resolve
    check_provider: Callable[[], None] | None = None  # raises an error about the sign-on provider; None: there is none

    @property
    def now(self) -> datetime:
        """The present time."""
        return self.clock()


def examine(
    subject: Subject, checks: Mapping[str, Callable[[Subject], Iterable[Finding]]], limit: float = LIMIT
) -> list[Finding]:
    """Return the findings of some checks, in their order."""
    found: dict[str, list[Finding]] = {}

    def work(name: str, check: Callable[[Subject], Iterable[Finding]]) -> None:
        try:
            found[name] = list(check(subject))
        except StoreUnavailableError:
            found[name] = []  # the check of the schema reports it
        except AggregatorError as problem:
            found[name] = [warning(f"{name}-unknown", f"The check '{name}' is not possible: {problem}", _FIRST)]
        except Exception as problem:  # noqa: BLE001  # a bug of one check must not hide what the others find
            found[name] = [_broken(name, f"{type(problem).__name__}: {problem}")]

    # Daemons, so that one that hangs doesn't keep the program from ending.
    threads = {name: threading.Thread(target=work, args=(name, check), daemon=True) for name, check in checks.items()}
    for thread in threads.values():
        thread.start()
    deadline = time.monotonic() + limit
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    late = _late(limit)
    return [finding for name in checks for finding in found.get(name, [late(name)])]


def ordered(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings once each, errors first."""
    return sorted(dict.fromkeys(findings), key=lambda finding: finding.level is not Level.ERROR)


_FIRST = "Correct the errors first, then run 'aggregator doctor' again."


def _late(limit: float) -> Callable[[str], Finding]:
    def late(name: str) -> Finding:
        return warning(f"{name}-slow", f"The check '{name}' took longer than {limit:g} s.", _FIRST)

    return late


def _broken(name: str, reason: str) -> Finding:
    return error(f"{name}-broken", f"The check '{name}' failed ({reason}).", "Please report this as a bug.")
