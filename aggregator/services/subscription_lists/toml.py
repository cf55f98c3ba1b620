"""Convert sources to and from the tables of list files, with validation."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aggregator.domain.activity import storable_json
from aggregator.domain.errors import BadRequestError
from aggregator.domain.polling.schedule import DOCUMENT_FLOOR, LONGEST_INTERVAL, SHORTEST_FLOOR
from aggregator.domain.source import LONGEST_FOLDER, OnEdit, Policy, SourceState, Undescribed
from aggregator.sources import kinds
from aggregator.text.durations import duration_text, parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aggregator.domain.source import Source

Table = dict[str, Any]  # of one source, in TOML's types

_KNOWN = frozenset(
    {
        *("address", "kind", "slug", "name", "policy", "delay", "on_edit", "trusted", "every"),
        *("floor", "ceiling", "options", "paused", "folder", "undescribed"),
    }
)
_LISTS = frozenset({"trusted", "options", "paused"})  # attributes that OPML holds as JSON
_CEILING = timedelta(hours=24)
_WEB = re.compile(r"(?i)https?://")
_KEYS = re.compile(  # query parameters that act as credentials
    r"(?i)(?:^|&)((?:access_?|auth_?)?token|(?:api_?)?key|pass(?:word|wd)?|pwd|secret|auth|sig(?:nature)?)="
)


@dataclass(frozen=True, slots=True)
class Entry:
    """The settings of a source in a file; missing ones stay unchanged."""

    address: str
    slug: str  # "": derived from the source's own name
    changes: Mapping[str, Any]  # columns
    policy: Policy
    delay: timedelta | None
    options: Mapping[str, Any] = field(default_factory=dict)  # of its kind
    paused: bool | None = None
    says_policy: bool = True
    kind: str = ""  # of source; "": determined by the address


def entry_of(table: Any, where: str) -> Entry:  # noqa: ANN401  # any TOML value
    """Validate the table of a source in a file.

    Raises:
        BadRequestError: it is invalid; the message begins with `where`.
    """
    table = _known_table(table, where)
    if not isinstance(table.get("address"), str) or not table["address"].strip():
        raise BadRequestError(f"{where}: address is missing.")
    slug = _slug(table, where)
    try:
        policy = Policy(table.get("policy", Policy.AUTO.value))
        on_edit = OnEdit(table.get("on_edit", OnEdit.STAY.value))
    except ValueError as problem:
        raise BadRequestError(f"{where}: {problem}.") from None
    delay = _span(table.get("delay"), f"{where}: delay")
    if (policy is Policy.DELAY) != (delay is not None):
        raise BadRequestError(f'{where}: policy = "delay" and delay must be set together.')
    trusted = _trusted(table, where)
    options, paused = table.get("options", {}), table.get("paused")
    if not isinstance(options, dict):
        raise BadRequestError(f"{where}: options must be a table.")
    if not isinstance(paused, bool | None):
        raise BadRequestError(f"{where}: paused must be true or false.")
    changes: dict[str, Any] = {
        "policy": policy.value,
        "delay": round(delay.total_seconds()) if delay else None,
        "on_edit": on_edit.value,
        "trusted": trusted or None,
        **_pace(table, where),
    }
    changes |= _grouping(table, where)
    if isinstance(table.get("name"), str) and table["name"].strip():
        changes["name"] = table["name"].strip()
    return Entry(
        table["address"].strip(), slug, changes, policy, delay, options, paused, "policy" in table, _kind(table, where)
    )


def _grouping(table: Mapping[str, Any], where: str) -> dict[str, str]:
    """Return the folder and the policy on images without description, if they are set."""
    found: dict[str, str] = {}
    if "folder" in table:
        folder = table["folder"]
        if not isinstance(folder, str) or len(folder) > LONGEST_FOLDER:
            raise BadRequestError(f"{where}: folder must be a text of at most {LONGEST_FOLDER} characters.")
        found["folder"] = " ".join(folder.split())
    if "undescribed" in table:
        try:
            found["undescribed"] = Undescribed(table["undescribed"]).value
        except ValueError as problem:
            raise BadRequestError(f"{where}: {problem}.") from None
    return found


def _known_table(table: Any, where: str) -> Table:  # noqa: ANN401  # any TOML value
    if not isinstance(table, dict) or not set(table) <= _KNOWN:
        strange = sorted(set(table) - _KNOWN) if isinstance(table, dict) else []
        raise BadRequestError(
            f"{where}: {', '.join(strange) or 'it'} is unknown; expected {', '.join(sorted(_KNOWN))}."
        )
    stored: Table = storable_json(table)
    return stored


def _slug(table: Mapping[str, Any], where: str) -> str:
    slug = table.get("slug", "")
    if not isinstance(slug, str) or (slug and not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", slug)):
        raise BadRequestError(f"{where}: slug is {slug!r}; expected 1 to 40 characters of a-z, 0-9 and dashes.")
    return slug


def _trusted(table: Mapping[str, Any], where: str) -> list[str]:
    trusted = table.get("trusted", [])
    if not isinstance(trusted, list) or not all(isinstance(author, str) and author.strip() for author in trusted):
        raise BadRequestError(f"{where}: trusted must be a list of names.")
    return [author.strip().removeprefix("@") for author in trusted]


def _kind(table: Mapping[str, Any], where: str) -> str:
    kind = table.get("kind", "")
    if not isinstance(kind, str):
        raise BadRequestError(f"{where}: kind is {kind!r}; expected the name of a kind of source.")
    return kind


def _pace(table: Mapping[str, Any], where: str) -> dict[str, int]:
    """Return the poll interval settings as columns, in seconds."""
    spans = {name: _span(table.get(name), f"{where}: {name}") for name in ("every", "floor", "ceiling")}
    seconds = {name: round(span.total_seconds()) for name, span in spans.items() if span is not None}
    for name, span in seconds.items():
        least = 1 if name == "every" else SHORTEST_FLOOR
        if not least <= span <= LONGEST_INTERVAL:
            raise BadRequestError(f"{where}: {name} is {table[name]!r}; expected {least} s to {LONGEST_INTERVAL} s.")
    if "floor" in seconds and seconds["floor"] > seconds.get("ceiling", LONGEST_INTERVAL):
        raise BadRequestError(f"{where}: the floor {table['floor']!r} is above the ceiling {table['ceiling']!r}.")
    return seconds


def _span(value: Any, where: str) -> timedelta | None:  # noqa: ANN401
    if value is None:
        return None
    try:
        if isinstance(value, str) and (span := parse_duration(value)):
            return span
    except (ValueError, OverflowError):
        pass
    raise BadRequestError(f'{where} is {value!r}; expected a duration such as "90s", "10m", "2h" or "1d".')


def table_of(source: Source) -> Table:
    """Return the table of a source in the form that `entry_of` reads, without secrets."""
    kind = kinds()[source.kind]
    found = {option.name for option in kind.options if option.discovered}
    options = {name: value for name, value in sorted(source.options.items()) if name not in found}
    return {
        "address": _without_credentials(kind.export_address(source)),
        "kind": source.kind,
        "slug": source.slug,
        "name": source.name,
        "policy": source.policy.value,
        **(
            {"delay": duration_text(source.delay.total_seconds())}
            if source.delay and source.policy is Policy.DELAY
            else {}
        ),
        **({"on_edit": source.on_edit.value} if source.on_edit is not OnEdit.STAY else {}),
        **({"trusted": list(source.trusted)} if source.trusted else {}),
        **({"every": duration_text(source.every.total_seconds())} if source.every else {}),
        # Shorter intervals come from hosts that the operator opened; discovery finds them again.
        **(
            {"floor": duration_text(source.floor.total_seconds())}
            if source.floor != DOCUMENT_FLOOR and source.floor >= timedelta(minutes=1)
            else {}
        ),
        **({"ceiling": duration_text(source.ceiling.total_seconds())} if source.ceiling != _CEILING else {}),
        **({"folder": source.folder} if source.folder else {}),
        **({"undescribed": source.undescribed.value} if source.undescribed is not Undescribed.ALLOW else {}),
        **({"options": options} if options else {}),
        **({"paused": True} if source.state is not SourceState.ACTIVE else {}),
    }


def secrets_of(source: Source) -> list[str]:
    """Return sentences on the secret parts of a source, or possibly secret ones."""
    notes = []
    if source.sealed is not None:
        notes.append(f"its credentials are not exported; set them with 'aggregator source credentials {source.slug}'")
    parts = urlsplit(source.address) if _WEB.match(source.address) else None
    if parts and "@" in parts.netloc:
        notes.append("the user name and password in its address are not exported")
    if parts and (key := _KEYS.search(parts.query)):
        notes.append(f"its address seems to contain a key ({key[1]}=...), so keep the file private")
    return notes


def _without_credentials(address: str) -> str:
    """Return an address without user name and password."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else address


def attributes_of(table: Mapping[str, Any]) -> dict[str, str]:
    """Return a table as OPML attributes, except name and feed address, which have their own attributes."""
    return {
        name: json.dumps(value, ensure_ascii=False) if name in _LISTS else str(value)
        for name, value in table.items()
        if name != "name"
    }


def table_in(attributes: Mapping[str, str], where: str) -> Table:
    """Parse OPML attributes into a table; `entry_of` validates the names.

    Raises:
        BadRequestError: an attribute isn't valid JSON where required.
    """
    table: Table = {}
    for name, value in attributes.items():
        try:
            table[name] = json.loads(value) if name in _LISTS else value
        except (ValueError, RecursionError):
            raise BadRequestError(f"{where}: {name} is {value[:80]!r}, which isn't JSON.") from None
    return table


def toml_of(tables: Iterable[Mapping[str, Any]]) -> str:
    """Return tables as TOML for `source apply`."""
    return "\n".join(
        "[[source]]\n" + "".join(f"{name} = {_value(value)}\n" for name, value in table.items()) for table in tables
    )


def _value(value: Any) -> str:  # noqa: ANN401  # what options hold
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    # JSON strings are valid TOML except for one control character that JSON leaves unescaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
