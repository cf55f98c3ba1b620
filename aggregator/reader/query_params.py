"""What a reader may ask of the stream: one table that both reads requests and documents them."""

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
    UnknownSourceError,
)
from aggregator.reader.schemas import ITEM_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

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


_NETWORK = re.compile(r"^[a-z][a-z0-9-]{0,19}$")
_TOPIC = re.compile(r"^[a-z0-9][a-z0-9-]{0,63}$")
_COUNTRY = re.compile(r"^[A-Za-z]{2}$")
_COHORT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9-]{0,31}$")
_LANGUAGE = re.compile(r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$")
_MOMENT = re.compile(r"^\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+ -]\d{2}:\d{2}))?$")
_HAS = ("media", "event")
_NOWHERE = frozenset({"ZZ"})  # what no activity is about (ISO 3166 leaves this code to users)


def _several(name: str, description: str, example: list[str], *, pattern: re.Pattern[str]) -> Parameter:
    return Parameter(
        name,
        f"{description} May be repeated or hold several, separated by commas.",
        {"type": "array", "items": {"type": "string", "pattern": pattern.pattern}},
        example,
        repeatable=True,
    )


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
NETWORK = _several("network", "Only what was published there: x, web, ...", ["x"], pattern=_NETWORK)
TOPIC = _several("topic", "Only about these topics, by slug.", ["open-data"], pattern=_TOPIC)
COUNTRY = _several("country", "Only about these countries (ISO 3166, two letters).", ["GH"], pattern=_COUNTRY)
LANG = _several("lang", "Only in these languages (BCP 47); `en` also finds `en-GB`.", ["en"], pattern=_LANGUAGE)
HAS = Parameter(
    "has",
    "Only with media, or only what announces an event. May be repeated or hold both, which then must be there both.",
    {"type": "array", "items": {"type": "string", "enum": list(_HAS)}},
    ["media"],
    repeatable=True,
)
SINCE = Parameter(
    "since",
    "Only from this moment on (RFC 3339, or a date, which begins in UTC). In `order=event` it bounds when they begin.",
    {"type": "string", "pattern": _MOMENT.pattern},
    "2014-04-01T00:00:00Z",
)
UNTIL = Parameter(
    "until",
    "Only before this moment.",
    {"type": "string", "pattern": _MOMENT.pattern},
    "2014-05-01",
)
Q = Parameter(
    "q",
    'Only what holds these words. `"open data"` is found as a phrase, `-draft` must not be there. Case, accents and '
    "punctuation do not count.",
    {"type": "string", "minLength": 1, "maxLength": 500},
    '"open data" budget -draft',
)
ORDER = Parameter(
    "order",
    "`published`: newest first. `event`: events only, by when they begin, soonest first.",
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
COHORT = _several("cohort", "Only about countries of these cohorts, as the portal names them.", ["1"], pattern=_COHORT)
COLLAPSE = Parameter(
    "collapse",
    "`story`: what is about one thing (the same link, or reposts of one original) within 40 entries is one item, the "
    "article or original itself where it is among them; the rest is in `story`.",
    {"type": "string", "enum": ["story"]},
    "story",
)
FILTERS: Sequence[Parameter] = (
    *(KIND, NETWORK, SOURCE, TOPIC, COUNTRY, COHORT, LANG, HAS, SINCE, UNTIL, Q, NOT_WITHHELD_IN),
)
STREAM: Sequence[Parameter] = (LIMIT, CURSOR, *FILTERS, ORDER, STITCH, COLLAPSE, FIELDS)
PAGE: Sequence[Parameter] = (CURSOR, *FILTERS)
ARCHIVE = Parameter(
    "archive",
    "A document of the archive (RFC 5005): the feed itself links to the newest, and each to the one before.",
    {"type": "string"},
    "MS4xMzk2NDUxMDQ1MDAwMDAwLjE3",
)
FIRST = Parameter(
    "page",
    "For `/feed.as2`: the first page instead of the collection that links to it.",
    {"type": "string", "enum": ["first"]},
    "first",
)
FEED: Sequence[Parameter] = (LIMIT, CURSOR, ARCHIVE, FIRST, *FILTERS)
AFTER = Parameter(
    "after",
    "The last revision that you have: the `next` of an earlier answer, or the id of an event. 0: from the beginning.",
    {"type": "integer", "minimum": 0},
    5120,
)
WAIT = Parameter(
    "wait",
    "Where nothing changed, wait so many seconds for something to change before answering.",
    {"type": "integer", "minimum": 0, "maximum": 60, "default": 0},
    30,
)
MOST_CHANGES = Parameter(
    "limit",
    "How many changes an answer has at most.",
    {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    100,
)
CHANGES: Sequence[Parameter] = (AFTER, MOST_CHANGES, WAIT)
LIVE: Sequence[Parameter] = (AFTER, *FILTERS)


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


def query_of(
    values: Mapping[str, Sequence[str]], cohorts: Mapping[str, frozenset[str]] = MappingProxyType({})
) -> Query:
    """Return the query that these values ask for; sources are checked later, against the database.

    Args:
        values: as `given` returns them.
        cohorts: the countries of each cohort.

    Raises:
        BadRequestError: a value can't be used.
    """
    order = Order(_one_of("order", values["order"][0], tuple(Order))) if "order" in values else Order.PUBLISHED
    return Query(
        kinds=frozenset(_kind(value) for value in values.get("kind", ())),
        networks=_fitting("network", values, _NETWORK, "letters, digits and dashes, as web"),
        sources=frozenset(values.get("source", ())),
        topics=_fitting("topic", values, _TOPIC, "letters, digits and dashes, as open-data"),
        countries=_countries(values, cohorts),
        languages=frozenset(map(str.lower, _fitting("lang", values, _LANGUAGE, "a language tag, as en or pt-BR"))),
        has=frozenset(_one_of("has", value, _HAS) for value in values.get("has", ())),
        since=_moment("since", values["since"][0]) if "since" in values else None,
        until=_moment("until", values["until"][0]) if "until" in values else None,
        search=Search.parse(values["q"][0]) if "q" in values else None,
        order=order,
        limit=_limit(values["limit"][0]) if "limit" in values else DEFAULT_LIMIT,
        after=Cursor.parse(values["cursor"][0], order) if "cursor" in values else None,
        stitch=_yes(values["stitch"][0]) if "stitch" in values else True,
        by_story="collapse" in values and _one_of("collapse", values["collapse"][0], ("story",)) == "story",
        not_withheld_in=frozenset(_country(value) for value in values.get("not_withheld_in", ())),
    )


def fields_of(values: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Return the fields that items are slimmed to; none: whole items.

    Raises:
        BadRequestError: items have no such field.
    """
    return frozenset(_one_of("fields", value, ITEM_FIELDS) for value in values.get("fields", ()))


def whole_number(name: str, values: Mapping[str, Sequence[str]], *, default: int, least: int = 0, most: int) -> int:
    """Return the value of a parameter that is a whole number.

    Raises:
        BadRequestError: it is none, or out of bounds.
    """
    if name not in values:
        return default
    value = values[name][0]
    if not re.fullmatch(r"[0-9]{1,19}", value) or not least <= int(value) <= most:
        refusal = BadLimitError if name == "limit" else BadRequestError
        raise refusal(f"{name} is {value[:_SHOWN]!r}, but it must be a whole number from {least} to {most}.")
    return int(value)


def refuse_unknown_sources(asked: Iterable[str], known: Callable[[str], bool]) -> None:
    """Check the sources that were asked for; `known` looks a slug up, also of one that was removed.

    Raises:
        UnknownSourceError: one of them is not there.
    """
    for slug in sorted(asked):
        if not slug.isprintable() or not known(slug):  # PostgreSQL would refuse NUL with an error of its own
            raise UnknownSourceError(f"There is no source {slug[:_SHOWN]!r}; /api/v1/sources lists those there are.")


def query_string(values: Mapping[str, Sequence[str]], **changes: object) -> str:
    """Return "?..." of what was asked for, in one fixed order, with some values changed; "" where nothing is left.

    None takes a value out; several are given as a sequence of texts.
    """
    pairs: list[tuple[str, str]] = []
    for name in sorted({*values, *changes}):
        value = changes[name] if name in changes else values[name]
        if value is None:
            continue
        given_ = value if isinstance(value, Sequence) and not isinstance(value, str) else [str(value)]
        pairs += [(name, str(one)) for one in given_]
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


def _countries(values: Mapping[str, Sequence[str]], cohorts: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return the countries that are asked for by themselves and by cohort; where both are, those that are in both."""
    named = frozenset(map(str.upper, _fitting("country", values, _COUNTRY, "a country's two letters, as GH")))
    asked = values.get("cohort", ())
    for name in asked:
        if name not in cohorts:
            listed = ", ".join(sorted(cohorts)) or "none"
            raise BadRequestError(f"There is no cohort {name[:_SHOWN]!r}; there is: {listed}.")
    if not asked:
        return named
    members = frozenset[str]().union(*(cohorts[name] for name in asked))
    return (named & members if named else members) or _NOWHERE


def _yes(value: str) -> bool:
    if value not in {"yes", "no"}:
        raise BadRequestError(f"stitch is {value[:_SHOWN]!r}, but it must be yes or no.")
    return value == "yes"


def _country(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", value):
        raise BadRequestError(f"not_withheld_in is {value[:_SHOWN]!r}, but it must be a country's two letters, as DE.")
    return value.upper()


def _one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise BadRequestError(f"{name} is {value[:_SHOWN]!r}, but it must be one of: {', '.join(allowed)}.")
    return value


def _fitting(name: str, values: Mapping[str, Sequence[str]], pattern: re.Pattern[str], what: str) -> frozenset[str]:
    for value in values.get(name, ()):
        if not pattern.fullmatch(value):
            raise BadRequestError(f"{name} is {value[:_SHOWN]!r}, but it must be {what}.")
    return frozenset(values.get(name, ()))


def _moment(name: str, value: str) -> datetime:
    wanted = f"{name} is {value[:_SHOWN]!r}, but it must be a moment with its zone, as 2014-04-01T12:00:00Z, or a date."
    if not _MOMENT.fullmatch(value):
        raise BadRequestError(wanted)
    try:
        # A plus sign that nobody encoded arrives as a space.
        moment = datetime.fromisoformat(value[:11].replace(" ", "T") + value[11:].replace(" ", "+"))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadRequestError(wanted) from None
