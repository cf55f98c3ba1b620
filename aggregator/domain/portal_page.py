"""Parse `portal.toml`: the heading and blocks of the portal page. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence  # noqa: TC003  # pydantic reads it
from dataclasses import dataclass, field, replace
from datetime import date  # noqa: TC003  # pydantic reads it
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from aggregator.domain.activity import ActivityKind
from aggregator.domain.errors import ConfigurationError
from aggregator.domain.file_translations import LanguageTag, for_language, translated
from aggregator.domain.languages import TRANSLATED
from aggregator.domain.site_frame import PLAIN, Accessibility, Site, low_contrasts
from aggregator.domain.toml_lines import line_of

MOST_BLOCKS = 20


class BlockType(StrEnum):
    """The content type of a block."""

    COUNTRIES = "countries"  # participating countries: a map, a list, and counts of new items
    STREAM = "stream"  # all items, newest first
    NEWS = "news"  # headlines of articles and events
    SOCIAL = "social"  # posts
    EVENTS = "events"  # upcoming and past events
    VIDEO = "video"
    TOPICS = "topics"  # the topics with their definitions


KINDS: dict[BlockType, frozenset[ActivityKind]] = {
    BlockType.NEWS: frozenset({ActivityKind.ARTICLE, ActivityKind.EVENT}),
    BlockType.SOCIAL: frozenset({ActivityKind.POST, ActivityKind.REPOST, ActivityKind.QUOTE, ActivityKind.REPLY}),
    BlockType.EVENTS: frozenset({ActivityKind.EVENT}),
    BlockType.VIDEO: frozenset({ActivityKind.VIDEO}),
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class _BlockTexts(_Strict):
    title: str = Field(default="", min_length=1, max_length=200)
    text: str = Field(default="", max_length=2000)


class _PageTexts(_Strict):
    name: str = Field(default="", min_length=1, max_length=100)
    heading: str = Field(default="", max_length=200)
    intro: str = Field(default="", max_length=4000)


class Block(_Strict):
    """A block of the page."""

    type: BlockType
    title: str = Field(min_length=1, max_length=200)
    text: str = Field(default="", max_length=2000)
    limit: int = Field(default=5, ge=1, le=50)
    sources: frozenset[str] = frozenset()  # slugs; empty: all
    accounts: frozenset[str] = frozenset()  # handles without "@", whose sources are included
    topics: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    since: date | None = None  # only items published from this day on (UTC)
    until: date | None = None  # only items published before this day
    translations: Mapping[LanguageTag, _BlockTexts] = {}

    @field_validator("accounts")
    @classmethod
    def _handles(cls, accounts: frozenset[str]) -> frozenset[str]:
        handles = frozenset(account.removeprefix("@").lower() for account in accounts)
        if not all(re.fullmatch(r"[a-z0-9_]{1,30}", handle) for handle in handles):
            raise ValueError("an account must be a handle such as opengovpart")
        return handles

    @field_validator("countries")
    @classmethod
    def _codes(cls, codes: frozenset[str]) -> frozenset[str]:
        if not all(re.fullmatch("[A-Z]{2}", code) for code in codes):
            raise ValueError("a country must be two capitals (ISO 3166) such as GH")
        return codes

    @property
    def kinds(self) -> frozenset[ActivityKind]:
        """The kinds of activities shown; empty: all."""
        return KINDS.get(self.type, frozenset())

    def in_language(self, language: str) -> Block:
        """Return the block in a language (BCP 47)."""
        return translated(self, self.translations, language)


class _File(_Strict):
    name: str = Field(default="", max_length=100)
    heading: str = Field(default="", max_length=200)
    intro: str = Field(default="", max_length=4000)
    recent_days: int = Field(default=90, ge=1, le=3650)
    block: Sequence[Block] = Field(default=(), max_length=MOST_BLOCKS)
    site: Site = Site()
    accessibility: Accessibility | None = None
    languages: Sequence[str] = Field(default=(), max_length=20)
    translations: Mapping[LanguageTag, _PageTexts] = {}

    @field_validator("languages")
    @classmethod
    def _translated(cls, languages: Sequence[str]) -> Sequence[str]:
        for language in languages:
            if language not in TRANSLATED:
                raise ValueError(f"pages are not translated to {language!r}; choose from {', '.join(TRANSLATED)}")
        return languages


@dataclass(frozen=True, slots=True)
class Portal:
    """The portal page. Without blocks it is the plain stream."""

    name: str = ""  # name of the site
    heading: str = ""
    intro: str = ""
    recent_days: int = 90  # the period for counts of topics and countries
    blocks: Sequence[Block] = ()
    site: Site = PLAIN
    accessibility: Accessibility | None = None
    languages: tuple[str, ...] = ()  # of its pages, besides that of the installation
    translations: Mapping[str, _PageTexts] = field(default_factory=dict)

    def in_language(self, language: str) -> Portal:
        """Return the portal with the texts of the file in a language (BCP 47), as far as it has them."""
        texts = for_language(self.translations, language) or _PageTexts()
        return replace(
            self,
            **{name: getattr(texts, name) for name in texts.model_fields_set},
            blocks=[block.in_language(language) for block in self.blocks],
            site=self.site.in_language(language),
            accessibility=self.accessibility.in_language(language) if self.accessibility else None,
        )

    @property
    def title(self) -> str:
        """The name of the site, or a default."""
        return self.name or "Activity Stream"

    @classmethod
    def of(cls, toml: str) -> Portal:
        """Parse the text of `portal.toml`.

        Raises:
            ConfigurationError: it is invalid; the message names line, place and reason.
        """
        try:
            file = _File.model_validate(tomllib.loads(toml))
        except (tomllib.TOMLDecodeError, RecursionError) as problem:
            raise ConfigurationError(f"Invalid TOML: {problem}.") from None
        except ValidationError as problem:
            first = problem.errors()[0]
            raise _error(toml, first["loc"], first["msg"].removeprefix("Value error, ").rstrip(".")) from None
        seen: set[BlockType] = set()
        for place, block in enumerate(file.block):
            if block.type in {BlockType.STREAM, BlockType.COUNTRIES, BlockType.TOPICS} and block.type in seen:
                reason = f"there are two blocks of the type {block.type.value!r}; one is enough"
                raise _error(toml, ("block", place), reason)
            seen.add(block.type)
        for theme, color, sentence in low_contrasts(file.site):
            raise _error(toml, ("site", theme, color), sentence)
        frame = (file.site, file.accessibility, tuple(file.languages), file.translations)
        return cls(file.name, file.heading, file.intro, file.recent_days, tuple(file.block), *frame)


def _error(toml: str, where: Sequence[str | int], reason: str) -> ConfigurationError:
    name = ".".join(str(part + 1) if isinstance(part, int) else part for part in where)
    return ConfigurationError(f"Line {line_of(toml, where)}: {name}: {reason[0].lower()}{reason[1:]}.")


NO_PORTAL = Portal()
