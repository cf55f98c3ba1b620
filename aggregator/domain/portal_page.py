"""The portal page as an operator's `portal.toml` says: its heading, and its blocks in their order. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence  # noqa: TC003  # pydantic reads it
from dataclasses import dataclass
from datetime import date  # noqa: TC003  # pydantic reads it
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from aggregator.domain.activity import ActivityKind
from aggregator.domain.errors import ConfigurationError

MOST_BLOCKS = 20


class BlockType(StrEnum):
    """What a block of the page shows."""

    COUNTRIES = "countries"  # those that take part: a map, a list, and how much is new of each
    STREAM = "stream"  # everything, newest first
    NEWS = "news"  # articles and events, in short
    SOCIAL = "social"  # posts
    EVENTS = "events"  # what is coming, and what was
    VIDEO = "video"
    TOPICS = "topics"  # the topics with their definitions


KINDS: dict[BlockType, frozenset[ActivityKind]] = {
    BlockType.NEWS: frozenset({ActivityKind.ARTICLE, ActivityKind.EVENT}),
    BlockType.SOCIAL: frozenset({ActivityKind.POST, ActivityKind.REPOST, ActivityKind.QUOTE, ActivityKind.REPLY}),
    BlockType.EVENTS: frozenset({ActivityKind.EVENT}),
    BlockType.VIDEO: frozenset({ActivityKind.VIDEO}),
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Block(_Strict):
    """One block."""

    type: BlockType
    title: str = Field(min_length=1, max_length=200)
    text: str = Field(default="", max_length=2000)
    limit: int = Field(default=5, ge=1, le=50)
    sources: frozenset[str] = frozenset()  # slugs; none: all of them
    accounts: frozenset[str] = frozenset()  # handles, without "@": what these accounts' sources bring
    topics: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    since: date | None = None  # only what was published from this day on (UTC)
    until: date | None = None  # only what was published before it

    @field_validator("accounts")
    @classmethod
    def _handles(cls, accounts: frozenset[str]) -> frozenset[str]:
        handles = frozenset(one.removeprefix("@").lower() for one in accounts)
        if not all(re.fullmatch(r"[a-z0-9_]{1,30}", one) for one in handles):
            raise ValueError("an account is a handle, as opengovpart")
        return handles

    @field_validator("countries")
    @classmethod
    def _codes(cls, codes: frozenset[str]) -> frozenset[str]:
        if not all(re.fullmatch("[A-Z]{2}", one) for one in codes):
            raise ValueError("a country is its two capitals (ISO 3166), as GH")
        return codes

    @property
    def kinds(self) -> frozenset[ActivityKind]:
        """What kinds of activities it shows; none: all of them."""
        return KINDS.get(self.type, frozenset())


class _File(_Strict):
    name: str = Field(default="", max_length=100)
    heading: str = Field(default="", max_length=200)
    intro: str = Field(default="", max_length=4000)
    recent_days: int = Field(default=90, ge=1, le=3650)
    block: Sequence[Block] = Field(default=(), max_length=MOST_BLOCKS)


@dataclass(frozen=True, slots=True)
class Portal:
    """The page. Without blocks it is the plain stream."""

    name: str = ""  # of the site
    heading: str = ""
    intro: str = ""
    recent_days: int = 90  # what counts as new where topics and countries are counted
    blocks: Sequence[Block] = ()

    @classmethod
    def of(cls, toml: str) -> Portal:
        """Read the text of `portal.toml`.

        Raises:
            ConfigurationError: it can't be used; the sentence says where and why.
        """
        try:
            said = _File.model_validate(tomllib.loads(toml))
        except tomllib.TOMLDecodeError as problem:
            raise ConfigurationError(f"It is no TOML: {problem}.") from None
        except ValidationError as problem:
            first = problem.errors()[0]
            place = ".".join(str(part + 1) if isinstance(part, int) else part for part in first["loc"])
            raise ConfigurationError(f"{place}: {first['msg'].removeprefix('Value error, ').rstrip('.')}.") from None
        seen: set[BlockType] = set()
        for block in said.block:
            if block.type in {BlockType.STREAM, BlockType.COUNTRIES, BlockType.TOPICS} and block.type in seen:
                raise ConfigurationError(f"There are two blocks of the type {block.type.value!r}; one is enough.")
            seen.add(block.type)
        return cls(said.name, said.heading, said.intro, said.recent_days, tuple(said.block))


NO_PORTAL = Portal()
