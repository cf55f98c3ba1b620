"""Define the limits for the time and size of a response."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for one response. Times in seconds, sizes in bytes."""

    look_up: float = 5.0  # DNS, without the wait for a free resolver thread
    connect: float = 5.0  # TLS included
    first_byte: float = 15.0  # from the start of a request until its headers are complete
    total: float = 30.0  # all hops together, without the wait for the rate limiter
    wire: int = 8 * 1024 * 1024  # compressed body
    decoded: int = 16 * 1024 * 1024  # decompressed body
    page: float = 5.0  # body of an error response
    header_line: int = 16 * 1024
    redirects: int = 5
