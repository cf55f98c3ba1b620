"""Derive ids of parametrized tests that are readable and stable between runs and processes.

The two processes of a divided run must collect the same tests, so no identifier may hold what differs between them.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 60  # characters of one value

_UNREADABLE = re.compile(r"[^A-Za-z0-9_.,:/@=+*%-]+")
_BAD = (
    (re.compile(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U[0-9a-f]{8}"), "bytes or characters that are escaped"),
    (re.compile(r"\b0x[0-9a-f]{9,}", re.IGNORECASE), "an address in memory"),
    (re.compile(r"\d{2}:\d{2}:\d{2}\.\d{3,}"), "a time of the clock"),
    (re.compile(r"\b1[789]\d{8}(?:\.\d+)?\b"), "a time in Unix seconds"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "a random identifier"),
)


def identifier(value: object, name: str) -> str | None:
    """Return how a value appears in a test's identifier; None leaves it to pytest.

    Bytes get the parameter's name, to which pytest adds a number: what they hold may differ between runs, as compressed
    data does, and is not readable.
    """
    if isinstance(value, bytes):
        return name
    if isinstance(value, str):
        # Normalizing takes quadratic time for long runs of combining marks.
        plain = unicodedata.normalize("NFKD", value[: 4 * LONGEST]).encode("ascii", "ignore").decode()
        return _UNREADABLE.sub("-", plain).strip("-")[:LONGEST].rstrip("-") or name
    return None


def fault(identifier: str) -> str | None:
    """Return what an identifier holds that may differ between runs; None where there is nothing."""
    return next((meaning for pattern, meaning in _BAD if pattern.search(identifier)), None)
