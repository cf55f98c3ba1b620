"""Parse and check the vocabulary: topics, countries and cohorts.

`topics.toml` contains topics with their words in several languages, tags of sources, additional names of countries and
names of cohorts; `countries.csv` lists the participating countries with their cohorts.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aggregator.domain.errors import ConfigurationError
from aggregator.domain.tagging import countries
from aggregator.domain.tagging.tagger import (
    Always,
    Doubt,
    Phrases,
    Sense,
    Tagger,
    folded,
)
from aggregator.domain.toml_lines import line_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_CODE = re.compile(r"[A-Z]{2}")
_COHORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}")
_JOINED = re.compile(r"\d{4}(-\d{2}){0,2}")
_BRACES = re.compile(r"([^{}]*)\{([^{}]*)\}([^{}]*)")
_MOST_ENDINGS = 50
_COLUMNS = ("iso2", "country", "cohort", "joined")
_NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as shown on pages."""

    slug: str
    label: str
    definition: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)  # by language
    definitions: Mapping[str, str] = field(default_factory=dict)  # by language

    def label_in(self, language: str) -> str:
        """Return the label in a language (BCP 47), or the default label."""
        return self.labels.get(language.partition("-")[0].lower(), self.label)

    def definition_in(self, language: str) -> str:
        """Return the definition in a language (BCP 47), or the default definition."""
        return self.definitions.get(language.partition("-")[0].lower(), self.definition)


@dataclass(frozen=True, slots=True)
class Participant:
    """A participating country."""

    code: str  # ISO 3166, two capitals
    name: str
    cohort: str = ""
    joined: str = ""  # "2011-09"


@dataclass(frozen=True)
class Vocabulary:
    """All topics and countries for tagging."""

    topics: Sequence[Topic] = ()  # in the order of the front page
    participants: Sequence[Participant] = ()
    cohort_names: Mapping[str, str] = field(default_factory=dict)  # in their order
    tagger: Tagger | None = None  # None: no tagging
    cohort_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by language

    @cached_property
    def cohorts(self) -> Mapping[str, frozenset[str]]:
        """The countries of each cohort."""
        named = {participant.cohort for participant in self.participants if participant.cohort}
        return {
            name: frozenset(participant.code for participant in self.participants if participant.cohort == name)
            for name in sorted(named)
        }

    def cohort_names_in(self, language: str) -> Mapping[str, str]:
        """Return the names of the cohorts in a language (BCP 47), or the default names."""
        return {**self.cohort_names, **self.cohort_labels.get(language.partition("-")[0].lower(), {})}

    @classmethod
    def of(cls, toml: str, table: str = "") -> Vocabulary:
        """Parse the texts of `topics.toml` and `countries.csv`.

        Raises:
            ConfigurationError: one of them is invalid; the message names place, reason and fix.
        """
        file = _read(toml)
        ordered = sorted(file.topics.items(), key=lambda pair: (pair[1].order, pair[0]))
        return cls(
            topics=tuple(
                Topic(slug, topic.label, topic.definition, topic.labels, topic.definitions) for slug, topic in ordered
            ),
            participants=tuple(_participants(table)),
            cohort_names=file.cohorts,
            tagger=_tagger(file),
            cohort_labels=file.cohort_labels,
        )


NO_VOCABULARY = Vocabulary()


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class _Topic(_Strict):
    label: str = Field(min_length=1, max_length=100)
    order: int = 1000
    definition: str = Field(default="", max_length=2000)
    hashtags: list[str] = []
    never: list[str] = []
    labels: dict[str, str] = {}
    definitions: dict[str, str] = {}
    keywords: dict[str, list[str]] = {}


class _Always(_Strict):
    topics: list[str] = []
    countries: list[str] = []


class _Names(_Strict):
    also: list[str] = []
    doubtful: list[str] = []
    near: list[str] = []
    never: list[str] = []
    words: list[str] = []


class _File(_Strict):
    languages: list[str] = Field(default=["en"], min_length=1)
    topics: dict[str, _Topic] = {}
    sources: dict[str, _Always] = {}
    cohorts: dict[str, str] = {}
    cohort_labels: dict[str, dict[str, str]] = {}
    countries: dict[str, _Names] = {}


def _read(toml: str) -> _File:
    try:
        file = _File.model_validate(tomllib.loads(toml))
    except tomllib.TOMLDecodeError as problem:
        raise ConfigurationError(f"Invalid TOML: {problem}.") from None
    except ValidationError as problem:
        first = problem.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigurationError(f"{place}: {first['msg'][0].lower()}{first['msg'][1:]}.") from None
    _check_translations(file, toml)
    _check(file)
    return file


def _check_translations(file: _File, toml: str) -> None:
    """Refuse translations to an unknown language, with the line of the table or key."""
    tables: list[tuple[tuple[str, ...], Iterable[str]]] = [(("cohort_labels",), file.cohort_labels)]
    for slug, topic in file.topics.items():
        tables += [(("topics", slug, name), getattr(topic, name)) for name in ("labels", "definitions")]
    for where, languages in tables:
        for language in languages:
            if not countries.is_language(language):
                line = line_of(toml, (*where, language))
                reason = f"{language!r} is not a known language; use a code such as fr"
                raise ConfigurationError(f"Line {line}: {'.'.join(where)}: {reason}.")


def _check(file: _File) -> None:
    for slug in file.topics:
        if not _SLUG.fullmatch(slug):
            raise ConfigurationError(f"topics.{slug}: use lowercase letters, digits and dashes, such as open-data.")
    for code in file.countries:
        if not (_CODE.fullmatch(code) or code == _NOWHERE):
            raise ConfigurationError(f"countries.{code}: use a country code of two capitals (ISO 3166), such as GH.")
    for language in (*file.languages, *(language for topic in file.topics.values() for language in topic.keywords)):
        if not countries.is_language(language):
            raise ConfigurationError(f"{language!r} is not a known language; use a code such as en or pt.")
    for slug, always in file.sources.items():
        unknown = sorted(set(always.topics) - set(file.topics))
        if unknown:
            raise ConfigurationError(f"sources.{slug}: there is no topic {unknown[0]!r} in this file.")
        odd = [code for code in always.countries if not _CODE.fullmatch(code)]
        if odd:
            raise ConfigurationError(f"sources.{slug}: {odd[0]!r} isn't a country code of two capitals, such as GH.")


def _participants(table: str) -> Iterator[Participant]:
    if not table.strip():
        return
    rows = csv.DictReader(io.StringIO(table.lstrip("\ufeff"), newline=""))
    if not set(_COLUMNS[:2]) <= set(rows.fieldnames or ()):
        raise ConfigurationError(f"countries.csv: the first line must name its columns: {','.join(_COLUMNS)}.")
    seen: set[str] = set()
    for row in rows:
        values = {name: (row.get(name) or "").strip() for name in _COLUMNS}
        where = f"countries.csv, line {rows.line_num}"
        if not _CODE.fullmatch(values["iso2"]):
            raise ConfigurationError(f"{where}: {values['iso2']!r} isn't a country code of two capitals, such as GH.")
        if values["iso2"] in seen:
            raise ConfigurationError(f"{where}: {values['iso2']} is listed twice; remove one of them.")
        if values["cohort"] and not _COHORT.fullmatch(values["cohort"]):
            raise ConfigurationError(
                f"{where}: the cohort {values['cohort']!r} must consist of letters, digits and dashes."
            )
        if values["joined"] and not _JOINED.fullmatch(values["joined"]):
            raise ConfigurationError(f"{where}: joined is {values['joined']!r}, but must be a month such as 2011-09.")
        seen.add(values["iso2"])
        name = values["country"] or countries.name(values["iso2"], "en")
        yield Participant(values["iso2"], name, values["cohort"], values["joined"])


def _tagger(file: _File) -> Tagger:
    words: list[tuple[str, Sense]] = []
    hashtags: dict[str, set[str]] = {}
    for slug, topic in file.topics.items():
        for language, phrases in topic.keywords.items():
            spoken = frozenset({language})
            words += [(folded(phrase), Sense(slug, spoken)) for phrase in _spelled(phrases, f"topics.{slug}")]
        words += [(folded(phrase), Sense("", frozenset())) for phrase in _spelled(topic.never, f"topics.{slug}")]
        for tag in topic.hashtags:
            hashtags.setdefault(folded(tag.removeprefix("#")), set()).add(slug)
    names = dict(_known_names())
    for code, more in file.countries.items():
        names[code] = _joined(names.get(code, _Names()), more)
    places, doubts = _places(names, file.languages)
    return Tagger(
        topics=Phrases.of(words),
        hashtags={tag: frozenset(slugs) for tag, slugs in hashtags.items()},
        countries=Phrases.of(places),
        doubts=doubts,
        first_language=file.languages[0],
        languages=frozenset(file.languages),
        by_source={
            slug: Always(tuple(defaults.topics), tuple(defaults.countries)) for slug, defaults in file.sources.items()
        },
    )


def _places(names: Mapping[str, _Names], languages: Sequence[str]) -> tuple[list[tuple[str, Sense]], dict[str, Doubt]]:
    """Return the phrases that name countries, and the ambiguous ones among them."""
    senses: dict[str, Sense] = {}
    doubts: dict[str, Doubt] = {}
    for code in countries.countries():
        for spelling, language in countries.spellings(code, languages):
            phrase = folded(spelling)
            known = senses.get(phrase)
            spoken = known.languages if known is not None and known.tag == code else frozenset[str]()
            senses[phrase] = Sense(code, spoken | {language})
    for code, names_ in names.items():
        where = f"countries.{code}"
        tag = "" if code == _NOWHERE else code
        for phrase in (*_spelled(names_.also, where), *_spelled(names_.words, where), *names_.doubtful):
            known = senses.get(folded(phrase))
            if known is None or known.tag != tag or phrase not in names_.doubtful:
                senses[folded(phrase)] = Sense(tag, frozenset())
        near, never = frozenset(map(folded, names_.near)), frozenset(map(folded, names_.never))
        doubts |= {folded(name): Doubt(near, never) for name in names_.doubtful}
    return list(senses.items()), doubts


@cache
def _known_names() -> Mapping[str, _Names]:
    """Return additional names besides the locale data."""
    text = files("aggregator.domain.tagging").joinpath("country_names.toml").read_text(encoding="utf-8")
    return {code: _Names.model_validate(value) for code, value in tomllib.loads(text).items()}


def _joined(names: _Names, other: _Names) -> _Names:
    return _Names(**{name: [*getattr(names, name), *getattr(other, name)] for name in _Names.model_fields})


def _spelled(phrases: Iterable[str], where: str) -> Iterator[str]:
    """Expand the endings in braces: "technolog{y,ies}" is "technology" and "technologies"."""
    for phrase in phrases:
        many: list[str] = [phrase]
        while any("{" in spelling or "}" in spelling for spelling in many):
            spelled: list[str] = []
            for spelling in many:
                parted = _BRACES.match(spelling)
                if parted is None or len(many) > _MOST_ENDINGS:
                    raise ConfigurationError(
                        f"{where}: {phrase!r} has invalid braces; write them as in 'technolog{{y,ies}}'."
                    )
                rest = spelling[parted.end() :]
                spelled += [f"{parted[1]}{ending.strip()}{parted[3]}{rest}" for ending in parted[2].split(",")]
            many = spelled
        for spelling in many:
            if not folded(spelling):
                raise ConfigurationError(f"{where}: {phrase!r} has no letters or digits.")
            yield spelling
