"""Explain errors on pages in languages other than English, whose detailed messages are in English only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.web.translation import gettext, translatable

if TYPE_CHECKING:
    from collections.abc import Mapping

_SENTENCES: Mapping[str, str] = {
    "not-found": translatable("There is no page at this address. Check the address."),
    "gone": translatable("This item is no longer shown."),
    "unknown-source": translatable("This site has no such source."),
    "unknown-topic": translatable("This site has no such topic."),
    "unknown-kind": translatable("This site has no such type of item."),
    "bad-cursor": translatable("This address is no longer valid. Start with the latest items."),
    "bad-search": translatable("The search has no words, or too many."),
    "too-many-requests": translatable("Too many requests came from your connection. Wait a moment, then try again."),
    "store-unavailable": translatable("The database does not respond at the moment. Try again later."),
    "internal-error": translatable("An internal error occurred. It has been logged. Try again later."),
}
_OTHER = translatable("The address or the request has a mistake.")
_TITLES = (
    *(translatable("Bad request"), translatable("Not found"), translatable("Method not allowed")),
    *(translatable("Internal error"), translatable("Database unavailable"), translatable("Unknown parameter")),
    *(translatable("Repeated parameter"), translatable("Bad limit"), translatable("Bad cursor")),
    *(translatable("Unknown kind"), translatable("Unknown source"), translatable("Unknown topic")),
    *(translatable("Bad search"), translatable("Unknown revision"), translatable("Bad token")),
    *(translatable("Too many requests"), translatable("Unsupported format"), translatable("Gone")),
    *(translatable("Database schema out of date"), translatable("Not set up")),
)  # of all kinds of problems, which JSON has in English


def explained(code: str) -> str:
    """Return a sentence on the errors of a code, in the current language."""
    return gettext(_SENTENCES.get(code, _OTHER))
