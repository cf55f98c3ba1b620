"""Parse and document the stream's query parameters from one table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from aggregator.domain.activity import ActivityKind
from aggregator.domain.errors import BadRequestError
from aggregator.domain.search_query import Search
from aggregator.domain.stream import (
    DEFAULT_LIMIT,
    MOST,
    Cursor,
    Order,
    Query,
)
from aggregator.reader.errors import (
    BadLimitError,
    RepeatedParameterError,
    UnknownKindError,
    UnknownParameterError,
)
from aggregator.reader.schemas import ITEM_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MOST_VALUES = 100  # of all parameters of a request
_SHOWN = 80  # characters of a wrong value in the message


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter with its documentation."""

    name: str
    description: str
    schema: Mapping[str, Any]
    example: Any  # that every installation accepts; None: none, since values differ between installations
    repeatable: bool = False

    def documented(self) -> dict[str, Any]:
        """Return the OpenAPI parameter object."""
        style = {"style": "form", "explode": True} if self.repeatable else {}
        example = {} if self.example is None else {"example": self.example}
        return {
            "name": self.name,
            "in": "query",
            "required": False,
            "description": self.description,
            "schema": dict(self.schema),
            **example,
            **style,
        }


_NETWORK = re.compile(r"^[a-z][a-z0-9-]{0,19}$")
_TOPIC = re.compile(r"^[a-z0-9][a-z0-9-]{0,63}$")
_COUNTRY = re.compile(r"^[A-Za-z]{2}$")
_COHORT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9-]{0,31}$")
_LANGUAGE = re.compile(r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$")
_MOMENT = re.compile(r"^\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+ -]\d{2}:\d{2}))?$")
_HAS = ("media", "event")
_NOWHERE = frozenset({"ZZ"})  # matches no activity (ISO 3166 reserves this code for users)


def _several(name: str, description: str, example: list[str] | None, *, pattern: re.Pattern[str]) -> Parameter:
    return Parameter(
        name,
        f"{description} Repeatable, or separated by commas.",
        {"type": "array", "items": {"type": "string", "pattern": pattern.pattern}},
        example,
        repeatable=True,
    )


KIND = Parameter(
    "kind",
    "Only these kinds. Repeatable, or separated by commas.",
    {"type": "array", "items": {"type": "string", "enum": [kind.value for kind in ActivityKind]}},
    ["article"],
    repeatable=True,
)
SOURCE = Parameter(
    "source",
    "Only these sources, by slug, such as `ministry-news`. Repeatable, or separated by commas.",
    {"type": "array", "items": {"type": "string"}},
    None,
    repeatable=True,
)
CURSOR = Parameter(
    "cursor",
    "The `next` of an earlier page. No item is skipped or repeated when new ones arrive.",
    {"type": "string"},
    "MS4xMzk2NDUxMDQ1MDAwMDAwLjE3",
)
LIMIT = Parameter(
    "limit",
    "Maximum number of items on a page.",
    {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT},
    DEFAULT_LIMIT,
)
STITCH = Parameter(
    "stitch",
    "Former spelling: `no` is `collapse=none`.",
    {"type": "string", "enum": ["yes", "no"], "default": "yes"},
    "no",
)
NOT_WITHHELD_IN = Parameter(
    "not_withheld_in",
    "Exclude items that their network withholds in these countries (ISO 3166). Repeatable, or separated by commas.",
    {"type": "array", "items": {"type": "string", "pattern": "^[A-Za-z]{2}$"}},
    ["DE"],
    repeatable=True,
)
NETWORK = _several("network", "Only these networks: x, web, ...", ["x"], pattern=_NETWORK)
TOPIC = _several("topic", "Only about these topics, by slug, such as `open-data`.", None, pattern=_TOPIC)
COUNTRY = _several("country", "Only about these countries (ISO 3166, two letters).", ["GH"], pattern=_COUNTRY)
LANG = _several("lang", "Only in these languages (BCP 47); `en` also finds `en-GB`.", ["en"], pattern=_LANGUAGE)
HAS = Parameter(
    "has",
    "Only items with media, or with an event. Both: items that have both.",
    {"type": "array", "items": {"type": "string", "enum": list(_HAS)}},
    ["media"],
    repeatable=True,
)
SINCE = Parameter(
    "since",
    "Only from this time on (RFC 3339, or a date in UTC). With `order=event`: events that start from then on.",
    {"type": "string", "pattern": _MOMENT.pattern},
    "2014-04-01T00:00:00Z",
)
UNTIL = Parameter(
    "until",
    "Only before this time.",
    {"type": "string", "pattern": _MOMENT.pattern},
    "2014-05-01",
)
Q = Parameter(
    "q",
    'Full-text search. `"open data"` is a phrase, `-draft` excludes a word. Case, accents and punctuation are ignored.',
    {"type": "string", "minLength": 1, "maxLength": 500},
    '"open data" budget -draft',
)
ORDER = Parameter(
    "order",
    "`published`: newest first. `event`: only events, by start time, earliest first.",
    {"type": "string", "enum": [order.value for order in Order], "default": Order.PUBLISHED.value},
    "published",
)
FIELDS = Parameter(
    "fields",
    "Only these fields of each item, separated by commas.",
    {"type": "array", "items": {"type": "string", "enum": list(ITEM_FIELDS)}},
    ["id", "title", "url"],
    repeatable=True,
)
COHORT = _several("cohort", "Only about countries in these cohorts, such as `1`.", None, pattern=_COHORT)
COLLAPSE = Parameter(
    "collapse",
    "Which entries are merged if they are within 40 entries. `story`: items with the same link, and reposts of the "
    "same original; the others are in `story` and `also_reposted_by`. `original`: only reposts of the same original. "
    "`none`: nothing.",
    {"type": "string", "enum": ["story", "original", "none"], "default": "story"},
    "none",
)
_FORMERLY_NONE = "no"  # the former spelling in feeds
FILTERS: Sequence[Parameter] = (
    *(KIND, NETWORK, SOURCE, TOPIC, COUNTRY, COHORT, LANG, HAS, SINCE, UNTIL, Q, NOT_WITHHELD_IN),
)
STREAM: Sequence[Parameter] = (LIMIT, CURSOR, *FILTERS, ORDER, STITCH, COLLAPSE, FIELDS)
PAGE: Sequence[Parameter] = (CURSOR, *FILTERS, COLLAPSE)
AFTER = Parameter(
    "after",
    "The last revision you have: `next` of an earlier response, or the id of an event. 0: from the start.",
    {"type": "integer", "minimum": 0, "default": 0},
    0,
)
WAIT = Parameter(
    "wait",
    "Long polling: wait up to this many seconds for a change.",
    {"type": "integer", "minimum": 0, "maximum": 60, "default": 0},
    30,
)
MOST_CHANGES = Parameter(
    "limit",
    "Maximum number of changes.",
    {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    100,
)
CHANGES: Sequence[Parameter] = (AFTER, MOST_CHANGES, WAIT)
LIVE: Sequence[Parameter] = (AFTER, *FILTERS)


def given(query_string: bytes, known: Iterable[Parameter], *, strict: bool = True) -> dict[str, list[str]]:
    """Return the values of each known parameter in a query string, repeatable ones split at commas.

    Unknown parameters are errors if `strict`, else ignored: shared links carry tracking parameters.

    Raises:
        BadRequestError: the query string is malformed, or a parameter is unknown or repeated.
    """
    by_name = {parameter.name: parameter for parameter in known}
    values: dict[str, list[str]] = {}
    for name, value in _pairs(query_string):
        parameter = by_name.get(name)
        if parameter is None and strict:
            listed = ", ".join(by_name) or "none"
            raise UnknownParameterError(f"Unknown parameter {name[:_SHOWN]!r}; expected one of: {listed}.")
        if parameter is None:
            continue
        if name in values and not parameter.repeatable:
            raise RepeatedParameterError(f"{name} is given more than once.")
        values.setdefault(name, []).extend(value.split(",") if parameter.repeatable else [value])
    return values


def query_of(
    values: Mapping[str, Sequence[str]], cohorts: Mapping[str, frozenset[str]] = MappingProxyType({})
) -> Query:
    """Return the query for parsed parameters; sources are checked later, against the database.

    Args:
        values: as returned by `given`.
        cohorts: the countries of each cohort.

    Raises:
        BadRequestError: a value is invalid.
    """
    order = Order(one_of("order", values["order"][0], tuple(Order))) if "order" in values else Order.PUBLISHED
    collapse = _collapse(values["collapse"][0]) if "collapse" in values else "story"
    return Query(
        kinds=frozenset(_kind(value) for value in values.get("kind", ())),
        networks=_matching("network", values, _NETWORK, "letters, digits and dashes, such as web"),
        sources=frozenset(values.get("source", ())),
        topics=_matching("topic", values, _TOPIC, "letters, digits and dashes, such as open-data"),
        countries=_countries(values, cohorts),
        languages=frozenset(
            map(str.lower, _matching("lang", values, _LANGUAGE, "a language tag, such as en or pt-BR"))
        ),
        has=frozenset(one_of("has", value, _HAS) for value in values.get("has", ())),
        since=_moment("since", values["since"][0]) if "since" in values else None,
        until=_moment("until", values["until"][0]) if "until" in values else None,
        search=Search.parse(values["q"][0]) if "q" in values else None,
        order=order,
        limit=_limit(values["limit"][0]) if "limit" in values else DEFAULT_LIMIT,
        after=Cursor.parse(values["cursor"][0], order) if "cursor" in values else None,
        stitch=collapse != "none" and ("stitch" not in values or _yes(values["stitch"][0])),
        by_story=collapse == "story",
        not_withheld_in=frozenset(_country(value) for value in values.get("not_withheld_in", ())),
    )


def fields_of(values: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Return the requested fields of items; empty: all.

    Raises:
        BadRequestError: items have no such field.
    """
    return frozenset(one_of("fields", value, ITEM_FIELDS) for value in values.get("fields", ()))


def whole_number(name: str, values: Mapping[str, Sequence[str]], *, default: int, least: int = 0, most: int) -> int:
    """Return the value of an integer parameter.

    Raises:
        BadRequestError: it isn't a whole number, or out of range.
    """
    if name not in values:
        return default
    value = values[name][0]
    if not re.fullmatch(r"[0-9]{1,19}", value) or not least <= int(value) <= most:
        refusal = BadLimitError if name == "limit" else BadRequestError
        raise refusal(f"{name} is {value[:_SHOWN]!r}, but it must be a whole number from {least} to {most}.")
    return int(value)


def query_string(values: Mapping[str, Sequence[str]], **changes: object) -> str:
    """Return "?..." with the parameters in a fixed order and some of them changed; "" if none are left.

    None removes a parameter; a sequence sets several values.
    """
    pairs: list[tuple[str, str]] = []
    for name in sorted({*values, *changes}):
        value = changes[name] if name in changes else values[name]
        if value is None:
            continue
        given_ = value if isinstance(value, Sequence) and not isinstance(value, str) else [str(value)]
        pairs += [(name, str(item)) for item in given_]
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
        kinds = ", ".join(ActivityKind)
        raise UnknownKindError(f"Unknown kind {value[:_SHOWN]!r}; expected one of: {kinds}.") from None


def _limit(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", value) or not 1 <= int(value) <= MOST:
        raise BadLimitError(f"limit is {value[:_SHOWN]!r}, but it must be a whole number from 1 to {MOST}.")
    return int(value)


def _countries(values: Mapping[str, Sequence[str]], cohorts: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return the countries given directly and by cohort; if both are given, their intersection."""
    named = frozenset(map(str.upper, _matching("country", values, _COUNTRY, "a two-letter country code, such as GH")))
    names = values.get("cohort", ())
    for name in names:
        if name not in cohorts:
            listed = ", ".join(sorted(cohorts)) or "none"
            raise BadRequestError(f"Unknown cohort {name[:_SHOWN]!r}; expected one of: {listed}.")
    if not names:
        return named
    members = frozenset[str]().union(*(cohorts[name] for name in names))
    return (named & members if named else members) or _NOWHERE


def _collapse(value: str) -> str:
    return "none" if value == _FORMERLY_NONE else one_of("collapse", value, ("story", "original", "none"))


def _yes(value: str) -> bool:
    if value not in {"yes", "no"}:
        raise BadRequestError(f"stitch is {value[:_SHOWN]!r}, but it must be yes or no.")
    return value == "yes"


def _country(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", value):
        raise BadRequestError(
            f"not_withheld_in is {value[:_SHOWN]!r}, but it must be a two-letter country code, such as DE."
        )
    return value.upper()


def one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    """Return a value that is one of those allowed.

    Raises:
        BadRequestError: it isn't.
    """
    if value not in allowed:
        raise BadRequestError(f"{name} is {value[:_SHOWN]!r}, but it must be one of: {', '.join(allowed)}.")
    return value


def _matching(name: str, values: Mapping[str, Sequence[str]], pattern: re.Pattern[str], what: str) -> frozenset[str]:
    for value in values.get(name, ()):
        if not pattern.fullmatch(value):
            raise BadRequestError(f"{name} is {value[:_SHOWN]!r}, but it must be {what}.")
    return frozenset(values.get(name, ()))


def _moment(name: str, value: str) -> datetime:
    message = (
        f"{name} is {value[:_SHOWN]!r}, but it must be a time with a zone, such as 2014-04-01T12:00:00Z, or a date."
    )
    if not _MOMENT.fullmatch(value):
        raise BadRequestError(message)
    try:
        # An unencoded plus sign arrives as a space.
        moment = datetime.fromisoformat(value[:11].replace(" ", "T") + value[11:].replace(" ", "+"))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadRequestError(message) from None
