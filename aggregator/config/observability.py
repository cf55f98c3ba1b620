"""Start traces and error reports of a process, configured by environment variables."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from aggregator.domain.errors import SettingsError
from aggregator.system import error_reports, tracing
from aggregator.system.product_version import product_version

if TYPE_CHECKING:
    from collections.abc import Iterator


def start_observing(service: str) -> None:
    """Record spans and report errors from now on; call it in each process, after a fork.

    Args:
        service: the name of the process for traces: "reader", "worker", "scheduler".

    Raises:
        SettingsError: an address is set, but the extra that uses it is not installed, or the address is invalid.
    """
    try:
        tracing.start(f"aggregator-{service}")
    except ModuleNotFoundError as missing:
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but traces need the extra 'otel': install "
            "'activity-stream-aggregator[otel]', or unset the variable."
        ) from missing
    try:
        error_reports.start(product_version())
    except ModuleNotFoundError as missing:
        raise SettingsError(
            "SENTRY_DSN is set, but error reports need the extra 'sentry': install "
            "'activity-stream-aggregator[sentry]', or unset the variable."
        ) from missing
    except ValueError:
        raise SettingsError("SENTRY_DSN is not an address of Sentry.") from None


def stop_observing() -> None:
    """Send what waits; each collector gets a few seconds at most."""
    tracing.stop()
    error_reports.stop()


@contextmanager
def observing(service: str) -> Iterator[None]:
    """Record spans and report errors while a block runs.

    Raises:
        SettingsError: as in `start_observing`.
    """
    start_observing(service)
    try:
        yield
    finally:
        stop_observing()
