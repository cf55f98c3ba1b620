"""Name the values of facets for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aggregator.domain.tagging import countries
from aggregator.web.labels import plurals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.domain.stream import Facets
    from aggregator.domain.tagging.vocabulary import Participant, Vocabulary


@dataclass(frozen=True, slots=True)
class Facet:
    """A value of a facet."""

    value: str
    label: str
    count: int


def participant_name(participant: Participant, language: str) -> str:
    """Return the name of a participating country in a language (BCP 47): in English, as the file has it."""
    return participant.name if language.startswith("en") else countries.name(participant.code, language)


def named(
    found: Facets, vocabulary: Vocabulary, source_names: Mapping[str, str], language: str
) -> Mapping[str, Sequence[Facet]]:
    """Return the values of each facet, most frequent first, with labels in a language (BCP 47)."""
    labels: Mapping[str, Mapping[str, str]] = {
        "kind": {kind.value: word for kind, word in plurals().items()},
        "source": source_names,
        "topic": {topic.slug: topic.label_in(language) for topic in vocabulary.topics},
        "country": {code: countries.name(code, language) for code in found.counts["country"]},
        "cohort": vocabulary.cohort_names_in(language),
    }
    return {
        name: [
            Facet(value, labels.get(name, {}).get(value, value), count)
            for value, count in sorted(values.items(), key=lambda pair: (-pair[1], pair[0]))
        ]
        for name, values in found.counts.items()
    }
