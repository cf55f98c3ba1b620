"""Facets: what could be filtered by further, under names that people know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aggregator.domain.activity import ActivityKind
from aggregator.domain.tagging import countries
from aggregator.web.labels import PLURALS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.domain.stream import Facets
    from aggregator.domain.tagging.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Facet:
    """A value to filter by."""

    value: str
    label: str
    count: int


def named(
    found: Facets, vocabulary: Vocabulary, source_names: Mapping[str, str], language: str
) -> Mapping[str, Sequence[Facet]]:
    """Return each facet's values, most first, with their labels in a language (BCP 47)."""
    labels: Mapping[str, Mapping[str, str]] = {
        "kind": {kind.value: PLURALS.get(kind, kind.value) for kind in ActivityKind},
        "source": source_names,
        "topic": {topic.slug: topic.label_in(language) for topic in vocabulary.topics},
        "country": {code: countries.name(code, language) for code in found.counts["country"]},
        "cohort": vocabulary.cohort_names,
    }
    return {
        name: [
            Facet(value, labels.get(name, {}).get(value, value), count)
            for value, count in sorted(values.items(), key=lambda pair: (-pair[1], pair[0]))
        ]
        for name, values in found.counts.items()
    }
