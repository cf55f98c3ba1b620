"""Check that the sources and topics of a query exist: a misspelled one is an error rather than an empty page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.reader.errors import UnknownSourceError, UnknownTopicError

if TYPE_CHECKING:
    from aggregator.domain.stream import Query
    from aggregator.domain.tagging.vocabulary import Vocabulary
    from storage.store import Transaction

_SHOWN = 80  # characters of a wrong value in the message


def refuse_unknown(query: Query, tx: Transaction, vocabulary: Vocabulary) -> None:
    """Check the sources, removed ones included, and the topics: those of the vocabulary and of visible items.

    Raises:
        UnknownSourceError, UnknownTopicError: one of them doesn't exist.
    """
    for slug in sorted(query.sources):
        if not slug.isprintable() or not tx.polling.sources.slug_taken(slug):  # PostgreSQL refuses NUL with an error
            raise UnknownSourceError(f"Unknown source {slug[:_SHOWN]!r}; see /api/v1/sources.")
    named = {topic.slug for topic in vocabulary.topics} if query.topics else set()
    for slug in sorted(query.topics - named):
        if not tx.stream.activities.has_topic(slug):
            listed = ", ".join(sorted(named)[:30]) or "none"
            raise UnknownTopicError(f"Unknown topic {slug[:_SHOWN]!r}; expected one of: {listed}.")
