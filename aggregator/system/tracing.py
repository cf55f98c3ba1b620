"""Record OpenTelemetry spans of a process, if an endpoint for them is set and the extra `otel` is installed.

OpenTelemetry's own variables configure it (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and so
on). Without an endpoint nothing is imported, and a span costs less than a microsecond. Spans name hosts, sources and
counts, never addresses or content.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_FLUSH_WITHIN = 3000  # milliseconds; a process that ends must not wait long for a collector that is away


class _Process:
    """The tracer of this process."""

    def __init__(self) -> None:
        self.tracer: Tracer | None = None
        self.provider: TracerProvider | None = None
        self.lock = threading.Lock()


_process = _Process()


def is_configured() -> bool:
    """Return whether the environment names an endpoint for traces."""
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return not is_off and any(os.environ.get(name, "").strip() for name in _ENDPOINTS)


def start(service: str) -> None:
    """Record the spans of this process from now on; call it after a fork, since a fork copies no threads.

    Args:
        service: the name of the service where OTEL_SERVICE_NAME doesn't set it.

    Raises:
        ModuleNotFoundError: an endpoint is set, but the extra is not installed.
    """
    if not is_configured():
        return
    with _process.lock:
        if _process.tracer is not None:
            return
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        name = os.environ.get("OTEL_SERVICE_NAME", "").strip() or service
        provider = TracerProvider(
            resource=Resource.create({"service.name": name, "process.pid": os.getpid()}), shutdown_on_exit=False
        )
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        _process.provider, _process.tracer = provider, provider.get_tracer("aggregator")


def stop() -> None:
    """Send the spans that wait and stop recording; does nothing if nothing is recorded."""
    with _process.lock:
        provider, _process.provider, _process.tracer = _process.provider, None, None
    if provider is not None:
        provider.force_flush(_FLUSH_WITHIN)
        provider.shutdown()


@contextmanager
def span(name: str, parent: str = "", **attributes: str | int) -> Iterator[Span | None]:
    """Record the time of a block of code.

    Args:
        name: a constant phrase.
        parent: the `traceparent` of a span elsewhere that caused this one; without it, the current span.
        attributes: of the span.

    Yields:
        the span, for further attributes; None if nothing is recorded.
    """
    tracer = _process.tracer
    if tracer is None:
        yield None
        return
    from opentelemetry.trace import StatusCode

    with tracer.start_as_current_span(
        name,
        context=_context(parent),
        attributes=attributes,
        record_exception=False,  # messages may contain addresses with secrets
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as raised:
            current.set_attribute("error.type", type(raised).__name__)
            current.set_status(StatusCode.ERROR)
            raise


def annotate(**attributes: str | int) -> None:
    """Add attributes to the current span, if there is one."""
    if _process.tracer is not None:
        from opentelemetry.trace import get_current_span

        get_current_span().set_attributes(attributes)


def traceparent() -> str:
    """Return the current span in the form of the W3C's Trace Context, for a message; "" if there is none."""
    if _process.tracer is None:
        return ""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent", "")


def trace_id() -> str:
    """Return the id of the current trace as 32 hexadecimal digits, for log lines; "" if there is none."""
    return traceparent()[3:35]


def _context(parent: str) -> Context | None:
    if not parent:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": parent})
