"""What a reader may ask of the stream: one table that both reads requests and documents them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from aggregator.activity import ActivityKind
from aggregator.errors import BadRequestError
from aggregator.reader.refusals import (
    BadLimitError,
    RepeatedParameterError,
    UnknownKindError,
    UnknownParameterError,
    UnknownSourceError,
)
from aggregator.stream import DEFAULT_LIMIT, MOST, Cursor, Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_MOST_VALUES = 100  # of all parameters of one request
_SHOWN = 80  # characters of a wrong value that the sentence repeats


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter, as the documentation shows it."""

    name: str
    description: str
    schema: Mapping[str, Any]
    example: Any
    repeatable: bool = False

    def documented(self) -> dict[str, Any]:
        """Return the OpenAPI parameter object."""
        style = {"style": "form", "explode": True} if self.repeatable else {}
        return {
            "name": self.name,
            "in": "query",
            "required": False,
            "description": self.description,
            "schema": dict(self.schema),
            "example": self.example,
            **style,
        }


KIND = Parameter(
    "kind",
    "Only these kinds. May be repeated or hold several, separated by commas.",
    {"type": "array", "items": {"type": "string", "enum": [kind.value for kind in ActivityKind]}},
    ["article"],
    repeatable=True,
)
SOURCE = Parameter(
    "source",
    "Only what these sources brought, by slug. May be repeated or hold several, separated by commas.",
    {"type": "array", "items": {"type": "string"}},
    ["ministry-news"],
    repeatable=True,
)
CURSOR = Parameter(
    "cursor",
    "Where to go on: the `next` of an earlier page. Pages skip and repeat nothing, whatever arrives meanwhile.",
    {"type": "string"},
    "MS4xMzk2NDUxMDQ1MDAwMDAwLjE3",
)
LIMIT = Parameter(
    "limit",
    "How many items a page has at most.",
    {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT},
    DEFAULT_LIMIT,
)
STITCH = Parameter(
    "stitch",
    "Whether reposts of one original within 40 entries are one item that names the others in `also_reposted_by`.",
    {"type": "string", "enum": ["yes", "no"], "default": "yes"},
    "no",
)
NOT_WITHHELD_IN = Parameter(
    "not_withheld_in",
    "Without what its network withholds in these countries (ISO 3166). May be repeated or hold several.",
    {"type": "array", "items": {"type": "string", "pattern": "^[A-Za-z]{2}$"}},
    ["DE"],
    repeatable=True,
)
STREAM: Sequence[Parameter] = (LIMIT, CURSOR, KIND, SOURCE, STITCH, NOT_WITHHELD_IN)
PAGE: Sequence[Parameter] = (CURSOR, KIND, SOURCE)


def given(query_string: bytes, known: Iterable[Parameter], *, strict: bool = True) -> dict[str, list[str]]:
    """Return the values of each known parameter that was given, commas of repeatable ones taken apart.

    Unknown ones are refused where `strict`, else ignored: people's links carry what others hung on them.

    Raises:
        BadRequestError: the query string can't be read, or a parameter is unknown or repeated.
    """
    by_name = {parameter.name: parameter for parameter in known}
    values: dict[str, list[str]] = {}
    for name, value in _pairs(query_string):
        parameter = by_name.get(name)
        if parameter is None and strict:
            listed = ", ".join(by_name) or "none"
            raise UnknownParameterError(f"There is no parameter {name[:_SHOWN]!r} here; there is: {listed}.")
        if parameter is None:
            continue
        if name in values and not parameter.repeatable:
            raise RepeatedParameterError(f"{name} is given more than once; give it once.")
        values.setdefault(name, []).extend(value.split(",") if parameter.repeatable else [value])
    return values


def query_of(values: Mapping[str, Sequence[str]]) -> Query:
    """Return the query that these values ask for; sources are checked later, against the database.

    Raises:
        BadRequestError: a value can't be used.
    """
    return Query(
        kinds=frozenset(_kind(value) for value in values.get("kind", ())),
        sources=frozenset(values.get("source", ())),
        limit=_limit(values["limit"][0]) if "limit" in values else DEFAULT_LIMIT,
        after=Cursor.parse(values["cursor"][0]) if "cursor" in values else None,
        stitch=_yes(values["stitch"][0]) if "stitch" in values else True,
        not_withheld_in=frozenset(_country(value) for value in values.get("not_withheld_in", ())),
    )


def refuse_unknown_sources(asked: Iterable[str], known: Callable[[str], bool]) -> None:
    """Check the sources that were asked for; `known` looks a slug up, also of one that was removed.

    Raises:
        UnknownSourceError: one of them is not there.
    """
    for slug in sorted(asked):
        if not slug.isprintable() or not known(slug):  # PostgreSQL would refuse NUL with an error of its own
            raise UnknownSourceError(f"There is no source {slug[:_SHOWN]!r}; /api/v1/sources lists those there are.")


def query_string(kinds: Iterable[str] = (), sources: Iterable[str] = (), cursor: Cursor | str | None = None) -> str:
    """Return "?..." in one fixed order, or "" where there is nothing to say."""
    pairs = [("kind", kind) for kind in sorted(kinds)] + [("source", slug) for slug in sorted(sources)]
    if cursor:
        pairs.append(("cursor", str(cursor)))
    return "?" + urlencode(pairs) if pairs else ""


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_VALUES
        )
    except ValueError:
        raise BadRequestError(
            f"The part after '?' can't be read: it must be percent-encoded UTF-8 with at most {_MOST_VALUES} values."
        ) from None


def _kind(value: str) -> ActivityKind:
    try:
        return ActivityKind(value)
    except ValueError:
        there_are = ", ".join(ActivityKind)
        raise UnknownKindError(f"There is no kind {value[:_SHOWN]!r}; there is: {there_are}.") from None


def _limit(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", value) or not 1 <= int(value) <= MOST:
        raise BadLimitError(f"limit is {value[:_SHOWN]!r}, but it must be a whole number from 1 to {MOST}.")
    return int(value)


def _yes(value: str) -> bool:
    if value not in {"yes", "no"}:
        raise BadRequestError(f"stitch is {value[:_SHOWN]!r}, but it must be yes or no.")
    return value == "yes"


def _country(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", value):
        raise BadRequestError(f"not_withheld_in is {value[:_SHOWN]!r}, but it must be a country's two letters, as DE.")
    return value.upper()
