"""Report errors of a process to Sentry, if SENTRY_DSN is set and the extra `sentry` is installed.

A report is built from a list of what it may contain: the constant phrase of the log event, the types of exceptions and
where in the code they were raised. Messages, local variables, requests and breadcrumbs may contain content or secrets,
so they are left out.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from sentry_sdk.types import Event, Hint

_FLUSH_WITHIN = 2.0  # seconds
_KEPT = ("event_id", "timestamp", "level", "platform", "release", "environment", "server_name", "logger", "sdk")
_FRAME = ("filename", "function", "module", "lineno", "in_app")
_MOST_FRAMES = 100


def is_configured() -> bool:
    """Return whether the environment names an address for reports."""
    return bool(os.environ.get("SENTRY_DSN", "").strip())


def start(release: str) -> None:
    """Report the errors that this process logs from now on; call it after a fork, since a fork copies no threads.

    Args:
        release: the version of this program.

    Raises:
        ModuleNotFoundError: an address is set, but the extra is not installed.
        ValueError: the address is invalid.
    """
    if not is_configured():
        return
    import sentry_sdk
    from sentry_sdk.integrations.logging import LoggingIntegration

    sentry_sdk.init(
        release=release,
        before_send=reduced,
        default_integrations=False,
        integrations=[LoggingIntegration(level=None)],
        auto_enabling_integrations=False,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        send_default_pii=False,
        traces_sample_rate=None,
    )


def stop() -> None:
    """Send the reports that wait; does nothing if nothing is reported."""
    if not is_configured():
        return
    import sentry_sdk

    sentry_sdk.flush(_FLUSH_WITHIN)


def reduced(event: Event, hint: Hint) -> Event:
    """Return a report with what may leave the installation, and nothing else."""
    report: dict[str, Any] = {name: event[name] for name in _KEPT if name in event}  # type: ignore[literal-required]
    record = hint.get("log_record")
    if record is not None:
        report["message"] = _phrase(record.msg)
    raised = event.get("exception") or _raised(record)
    if raised is not None:
        report["exception"] = {"values": [_reduced_exception(found) for found in raised.get("values", ())]}
    return report  # type: ignore[return-value]  # a part of an event is one


def _raised(record: logging.LogRecord | None) -> Mapping[str, Any] | None:
    """Return the exception of a log event, which structlog keeps among its fields."""
    if record is None or not isinstance(record.msg, dict) or not record.msg.get("exc_info"):
        return None
    import sentry_sdk
    from sentry_sdk.utils import event_from_exception

    found = record.msg["exc_info"]
    information = sys.exc_info() if found is True else found
    event, _ = event_from_exception(information, client_options=sentry_sdk.get_client().options)
    return event.get("exception")  # type: ignore[return-value]  # a dictionary is a mapping of any kind


def _phrase(message: object) -> str:
    """Return the constant phrase of a log event; other libraries put values into theirs."""
    if isinstance(message, dict):
        return str(message.get("event", ""))
    return str(message) if "%" in str(message) else "a message of a library"


def _reduced_exception(found: Mapping[str, Any]) -> dict[str, Any]:
    frames = (found.get("stacktrace") or {}).get("frames", ())[-_MOST_FRAMES:]
    return {
        "type": found.get("type"),
        "module": found.get("module"),
        "stacktrace": {"frames": [{name: frame[name] for name in _FRAME if name in frame} for frame in frames]},
    }
