"""Parse the file that declares which accounts belong together: `organizations.toml`."""

from __future__ import annotations

import re
import tomllib
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aggregator.domain.errors import ConfigurationError
from aggregator.domain.networks import all_networks
from aggregator.domain.organizations import Organization, Organizations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_LONGEST_ACCOUNT = 600  # characters
_MOST = 2000  # organizations
_MOST_ACCOUNTS = 200  # of one organization


def parse_organizations(toml: str) -> Organizations:
    """Parse the text of `organizations.toml`.

    Raises:
        ConfigurationError: it is invalid; the message names line, reason and fix.
    """
    found: dict[str, Organization] = {}
    for slug, declared in _read(toml).organizations.items():
        organization = Organization(slug, timedelta(minutes=declared.within_minutes))
        for place, account in enumerate(declared.accounts):
            try:
                _add(found, account, organization)
            except ValueError as problem:
                line = _line_of(toml, ("organizations", slug, "accounts", place), account)
                raise ConfigurationError(f"Line {line}: {problem}.") from None
    return Organizations(found)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class _Organization(_Strict):
    accounts: list[str] = Field(min_length=2, max_length=_MOST_ACCOUNTS)
    within_minutes: int = Field(default=60, ge=1, le=1440)


class _File(_Strict):
    organizations: dict[str, _Organization] = Field(default={}, max_length=_MOST)


def _read(toml: str) -> _File:
    try:
        document = tomllib.loads(toml)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise ConfigurationError(f"Invalid TOML: {problem}.") from None
    try:
        file = _File.model_validate(document)
    except ValidationError as problem:
        first = problem.errors()[0]
        where, reason = first["loc"], first["msg"]
        name = ".".join(str(part + 1) if isinstance(part, int) else part for part in where)
        raise ConfigurationError(
            f"Line {_line_of(toml, where, _value(document, where))}: {name}: {reason[0].lower()}{reason[1:]}."
        ) from None
    for slug in file.organizations:
        if not _SLUG.fullmatch(slug):
            line = _line_of(toml, ("organizations", slug))
            raise ConfigurationError(
                f"Line {line}: organizations.{slug}: use lowercase letters, digits and dashes, such as city-council."
            )
    return file


def _add(found: dict[str, Organization], account: str, organization: Organization) -> None:
    """Add an account.

    Raises:
        ValueError: it isn't one, or another organization has it.
    """
    other = found.setdefault(_account_key(account), organization)
    if other is not organization:
        raise ValueError(f"{account} belongs to {other.slug!r} already; remove it from one of them")


def _account_key(account: str) -> str:
    """Return the key of an account that is written as a network and a handle or id.

    Raises:
        ValueError: it is written in another way.
    """
    network, colon, name = account.partition(":")
    name = name.strip().removeprefix("@")
    if not colon or not name or len(account) > _LONGEST_ACCOUNT:
        raise ValueError(f"{account[:100]!r} is not a network and a handle, such as network:@name")
    known = sorted(found.name for found in all_networks() if found.has_accounts)
    if network not in known:
        raise ValueError(f"there is no network {network[:100]!r}; expected one of {', '.join(known)}")
    return f"{network}:{name if name.startswith(('did:', 'http:', 'https:')) else name.casefold()}"


def _value(document: Any, where: Sequence[str | int]) -> object:  # noqa: ANN401  # any TOML
    """Return the value at a place in a document, or None."""
    for part in where:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def _line_of(toml: str, where: Sequence[str | int], value: object = None) -> int:
    """Return the line of a value: of its table, then of its key, then of the text itself, as far as they are found."""
    lines = toml.splitlines()
    names = [part for part in where if isinstance(part, str)]
    patterns = [rf"^\s*\[\s*{_in_header(names[:2])}\s*\]"] if len(names) > 1 else []
    patterns += [rf"^\s*[\"']?{re.escape(names[-1])}[\"']?\s*="] if len(names) != 2 else []  # noqa: PLR2004
    patterns += [f"[\"']{re.escape(value)}[\"']"] if isinstance(value, str) else []
    line = 0
    for pattern in patterns:
        line = next(_matching(lines, line, pattern), line)
    return line + 1


def _in_header(names: Sequence[str]) -> str:
    return r"\s*\.\s*".join(rf"[\"']?{re.escape(name)}[\"']?" for name in names)


def _matching(lines: Sequence[str], start: int, pattern: str) -> Iterator[int]:
    return (start + place for place, line in enumerate(islice(lines, start, None)) if re.search(pattern, line))
