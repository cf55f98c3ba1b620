"""Define the schema of a setting: variable, type, allowed values and meaning.

Kinds of source declare their own settings with these types, and `aggregator.config` reads them with all others.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import urlsplit

from aggregator.domain.secrets import Secret
from aggregator.text.durations import duration_text, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

PREFIX = "AGGREGATOR_"
FOREVER = "forever"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Option(Generic[_T]):
    """A setting: variable, parser, meaning and allowed values."""

    name: str  # of its variable, without the prefix
    read: Callable[[str], _T]
    allowed: str  # as text, for errors and documentation
    meaning: str
    default: str | None = None  # as in the environment
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable's name."""
        return PREFIX + self.name

    @property
    def key(self) -> str:
        """The name of the value in code."""
        return self.name.lower()


def duration(least: str, most: str, unit: timedelta) -> Callable[[str], timedelta]:
    """Return a parser of durations such as 10m or 2h within bounds; a bare number counts in `unit`."""
    shortest, longest = parse_duration(least), parse_duration(most)

    def read(text: str) -> timedelta:
        try:
            span = unit * float(text)
        except OverflowError:
            raise ValueError from None
        except ValueError:
            span = parse_duration(text)
        if not shortest <= span <= longest:
            raise ValueError
        return span

    return read


def duration_value(span: timedelta) -> str:
    """Return a duration as the value of a setting."""
    seconds = span.total_seconds()
    return duration_text(seconds) if seconds.is_integer() else f"{seconds:g}"


def unless(word: str, read: Callable[[str], _T]) -> Callable[[str], _T | None]:
    """Return a parser that also accepts a word, which is None."""
    return lambda text: None if text.lower() == word else read(text)


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a parser of whole numbers within bounds."""

    def read(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise ValueError
        return value

    return read


def number(least: float, most: float) -> Callable[[str], float]:
    """Return a parser of numbers within bounds."""

    def read(text: str) -> float:
        value = float(text)
        if not least <= value <= most:
            raise ValueError
        return value

    return read


def one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    """Return a parser that accepts some words."""

    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError
        return text.lower()

    return read


def yes_or_no(text: str) -> bool:
    """Parse "yes" or "no"."""
    return one_of(("yes", "no"))(text) == "yes"


def web_address(text: str) -> str:
    """Parse an http or https URL without query or user name."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError
    _ = parts.port  # raises ValueError for an invalid port
    return text.rstrip("/")


def secret(least: int) -> Callable[[str], Secret]:
    """Return a parser of secrets with a minimum length, without spaces."""

    def read(text: str) -> Secret:
        if len(text) < least or re.search(r"\s", text):
            raise ValueError
        return Secret(text)

    return read


def secret_keys(least: int) -> Callable[[str], tuple[Secret, ...]]:
    """Return a parser of secrets that are separated by spaces or lines."""
    read = secret(least)

    def read_all(text: str) -> tuple[Secret, ...]:
        keys = tuple(dict.fromkeys(read(part) for part in text.split()))
        if not keys:
            raise ValueError
        return keys

    return read_all


def secure_address(text: str) -> str:
    """Parse an https URL, or an http URL on loopback."""
    address = web_address(text)
    parts = urlsplit(address)
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ValueError  # credentials would be sent in clear text
    return address


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
