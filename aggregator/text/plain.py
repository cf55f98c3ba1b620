"""Text for messages: numbers with their nouns, and foreign text on one line."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """Return a number with its noun: "1 item", "3 items"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def one_line(text: str, length: int = 100) -> str:
    """Return text without anything that a terminal would act on, at most `length` characters."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return plain if len(plain) <= length else plain[: length - 1] + "…"
