"""Describe the filters of the stream page: the choices with their counts, and the active filters. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.networks import network_of
from aggregator.domain.tagging.countries import name, sort_key
from aggregator.reader.facets import participant_name
from aggregator.reader.query_params import query_string
from aggregator.web.labels import network_label, plurals
from aggregator.web.translation import gettext, translatable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aggregator.domain.activity import SourceRef
    from aggregator.domain.stream import Facets, Query
    from aggregator.domain.tagging.vocabulary import Vocabulary

    Values = Mapping[str, Sequence[str]]

# The title of each menu, its first choice, and the label of the field that finds a choice.
_TITLES = {
    "kind": (translatable("Type"), translatable("All types"), translatable("Find a type")),
    "network": (translatable("Network"), translatable("All networks"), translatable("Find a network")),
    "topic": (translatable("Topic"), translatable("All topics"), translatable("Find a topic")),
    "country": (translatable("Country"), translatable("All countries"), translatable("Find a country")),
    "source": (translatable("Source"), translatable("All sources"), translatable("Find a source")),
}
MOST_LINKS = 12  # choices that are shown as links; more are a list to select from
# The filters in the order of their chips, with the labels of those whose values do not explain themselves.
_FILTERS = ("q", "kind", "network", "source", "topic", "country", "cohort", "lang", "has", "since", "until")
_HAS = {"media": translatable("With pictures or videos"), "event": translatable("With an event")}


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a filter, with the address of the stream that it selects."""

    value: str
    label: str
    address: str
    chosen: bool
    count: int | None = None  # None: unknown, since this filter is active with another value
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Menu:
    """A filter with its choices; the first one removes the filter."""

    name: str
    title: str
    find: str  # the label of a field that finds a choice
    choices: Sequence[Choice]
    kept: Sequence[tuple[str, str]]  # the other parameters

    @property
    def is_select(self) -> bool:
        """Whether the choices are a list to select from instead of links."""
        return self.name == "country" or len(self.choices) > MOST_LINKS

    @property
    def is_chosen(self) -> bool:
        """Whether the filter is active."""
        return not self.choices[0].chosen


class ActiveFilter(NamedTuple):
    """A value of an active filter, with the address of the stream without it."""

    name: str
    label: str
    address: str


class Present(NamedTuple):
    """The kinds and networks of visible items."""

    kinds: Sequence[str]
    networks: Sequence[str]


class Names(NamedTuple):
    """What the values of filters are called."""

    vocabulary: Vocabulary
    language: str  # BCP 47
    sources: Mapping[str, str]  # by slug


class Context(NamedTuple):
    """What filters are described with."""

    values: Values
    query: Query
    vocabulary: Vocabulary
    facets: Facets
    language: str  # BCP 47


def menus(context: Context, sources: Sequence[SourceRef], failing: frozenset[str], present: Present) -> list[Menu]:
    """Return the filters that have a choice, in the order of the page."""
    language, vocabulary = context.language, context.vocabulary
    shown = {*present.kinds, *context.values.get("kind", ())}
    kinds = [(kind.value, label) for kind, label in plurals().items() if kind.value in shown]
    named = [(network, network_label(network_of(network))) for network in present.networks]
    topics = [(topic.slug, topic.label_in(language)) for topic in vocabulary.topics]
    listed = [(source.slug, source.name) for source in sources]
    found = [
        _menu(context, "kind", kinds),
        _menu(context, "network", named if len(named) > 1 else []),
        _menu(context, "topic", topics),
        _menu(context, "country", _countries(context)),
        _menu(context, "source", listed if len(listed) > 1 else [], failing),
    ]
    return [menu for menu in found if len(menu.choices) > 1]


def active_filters(context: Context, source_names: Mapping[str, str]) -> list[ActiveFilter]:
    """Return the active filters as chips."""
    names = Names(context.vocabulary, context.language, source_names)
    return [
        ActiveFilter(parameter, _label(names, parameter, value), _without(context, parameter, value))
        for parameter in _FILTERS
        for value in context.values.get(parameter, ())
    ]


def filter_labels(values: Values, names: Names) -> list[str]:
    """Return the labels of the active filters, for titles."""
    return [_label(names, parameter, value) for parameter in _FILTERS for value in values.get(parameter, ())]


def kind_links(present: Sequence[str]) -> list[Choice]:
    """Return links to the stream of each kind that has items, without counts."""
    every = Choice("", gettext("All"), "/", chosen=True)
    kinds = [(kind.value, label) for kind, label in plurals().items() if kind.value in present]
    return [every] + [Choice(kind, label, "/" + query_string({}, kind=kind), chosen=False) for kind, label in kinds]


def _menu(
    context: Context,
    parameter: str,
    named: Sequence[tuple[str, str]],
    failing: frozenset[str] = frozenset(),
) -> Menu:
    values = context.values
    chosen = {_spelled(parameter, value) for value in values.get(parameter, ())}
    counts = None if chosen else context.facets.counts[parameter]

    def count(value: str) -> int | None:
        return counts.get(value, 0) if counts is not None else None

    def address(value: str | None) -> str:
        return "/" + query_string(values, **{"cursor": None, parameter: value})

    title, every, find = map(gettext, _TITLES[parameter])
    choices = [Choice("", every, address(None), not chosen)]
    choices += [
        Choice(value, label, address(value), value in chosen, count(value), value in failing) for value, label in named
    ]
    return Menu(parameter, title, find, choices, list(kept_without(values, parameter)))


def kept_without(values: Values, parameter: str) -> Iterator[tuple[str, str]]:
    """Yield the parameters that a form keeps when it sets one of them."""
    for other in values:
        if other not in {parameter, "cursor"}:
            yield from ((other, value) for value in values[other])


def _countries(context: Context) -> list[tuple[str, str]]:
    """Return the participating countries, or those with items if there are none, and the chosen ones."""
    codes = {
        participant.code: participant_name(participant, context.language)
        for participant in context.vocabulary.participants
    }
    if not codes:
        codes = {code: name(code, context.language) for code in context.facets.counts["country"]}
    for value in context.values.get("country", ()):
        codes.setdefault(value.upper(), name(value.upper(), context.language))
    return sorted(codes.items(), key=lambda pair: sort_key(pair[1]))


def _spelled(parameter: str, value: str) -> str:
    return value.upper() if parameter == "country" else value


def _without(context: Context, parameter: str, value: str) -> str:
    left = [other for other in context.values[parameter] if other != value]
    return "/" + query_string(context.values, **{"cursor": None, parameter: left or None})


def _label(names: Names, parameter: str, value: str) -> str:
    """Return a chip's label."""
    vocabulary, language = names.vocabulary, names.language
    if parameter == "country":
        return name(value.upper(), language)
    if parameter in {"since", "until"}:
        return gettext("From %(day)s", day=value) if parameter == "since" else gettext("Before %(day)s", day=value)
    if parameter == "q":
        return gettext("“%(words)s”", words=value)
    labels: Mapping[str, Mapping[str, str]] = {
        "kind": {kind.value: label for kind, label in plurals().items()},
        "network": {value: network_label(network_of(value))},
        "source": names.sources,
        "topic": {topic.slug: topic.label_in(language) for topic in vocabulary.topics},
        "cohort": vocabulary.cohort_names_in(language),
        "has": {name: gettext(text) for name, text in _HAS.items()},
    }
    return labels.get(parameter, {}).get(value, value)
