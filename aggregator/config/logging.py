"""Configure logging: constant events with fields, as text or JSON, also for other libraries."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import structlog

from aggregator.config.log_floods import FloodSummary
from aggregator.system import tracing

if TYPE_CHECKING:
    from structlog.types import EventDict, Processor

# At "info" these log only their own housekeeping (Celery: three lines per tick); at "debug" some log request headers,
# including tokens, so they stay at "warning" there, too.
_QUIET = ("amqp", "kombu", "urllib3", "requests_oauthlib", "oauthlib", "tweepy", "asyncio", "aiohttp", "uvicorn.access")
_CALM = ("alembic", "celery.beat", "celery.worker.strategy", "celery.app.trace", "uvicorn.error")


def configure_logging(level: str, form: str) -> None:
    """Send all log lines to standard error.

    Args:
        level: "debug", "info", "warning" or "error".
        form: "text" or "json".
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_trace,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if form == "json":
        last += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        # Plain, since rich tracebacks (if such a library is installed) print local variables, including secrets.
        plain = structlog.dev.plain_traceback
        last += [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=plain)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=last, foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in _CALM:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else max(logging.WARNING, root.level))
    structlog.configure(
        processors=[FloodSummary(), *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        cache_logger_on_first_use=False,
    )


def _add_trace(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Add the id of the trace that the line belongs to."""
    if trace := tracing.trace_id():
        event["trace"] = trace
    return event


def bind(**fields: Any) -> None:  # noqa: ANN401  # any loggable value
    """Add fields to all later log lines of this thread."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**fields)
