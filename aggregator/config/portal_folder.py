"""Load the configuration folder with the files that customize the portal, and reload changed files.

An invalid edit has no effect: the last valid version stays in force, and the log contains the error.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

import structlog

from aggregator.domain.errors import ConfigurationError
from aggregator.domain.toml_lines import line_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from aggregator.domain.organizations import Organizations
    from aggregator.domain.portal_page import Portal
    from aggregator.domain.tagging.tagger import Tagger
    from aggregator.domain.tagging.vocabulary import Vocabulary

TOPICS, COUNTRIES, PORTAL, ORGANIZATIONS = "topics.toml", "countries.csv", "portal.toml", "organizations.toml"
_LARGEST = 2_000_000  # bytes per file
_LARGEST_LOGO = 200_000  # bytes
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class Configuration:
    """The files of a folder; without a folder, nothing is configured."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._logo: tuple[tuple[object, ...], bytes] | None = None

    # The schemas of the files are imported when they are needed: without a folder, polling needs neither.

    @cached_property
    def _vocabulary(self) -> _Watched[Vocabulary]:
        from aggregator.domain.tagging.vocabulary import NO_VOCABULARY, Vocabulary

        return _Watched(_paths(self._folder, TOPICS, COUNTRIES), lambda texts: Vocabulary.of(*texts), NO_VOCABULARY)

    @cached_property
    def _portal(self) -> _Watched[Portal]:
        from aggregator.domain.portal_page import NO_PORTAL, Portal

        def parsed(texts: Sequence[str]) -> Portal:
            portal = Portal.of(*texts)
            self._read_logo(portal.site.logo, texts[0])
            return portal

        return _Watched(_paths(self._folder, PORTAL), parsed, NO_PORTAL)

    @cached_property
    def _organizations(self) -> _Watched[Organizations]:
        from aggregator.domain.organization_file import parse_organizations
        from aggregator.domain.organizations import NO_ORGANIZATIONS

        paths = _paths(self._folder, ORGANIZATIONS)
        return _Watched(paths, lambda texts: parse_organizations(*texts), NO_ORGANIZATIONS)

    def check(self) -> None:
        """Read all files.

        Raises:
            ConfigurationError: a file is invalid; the message contains its name, the position and the reason.
        """
        self._vocabulary.read()
        self._portal.read()
        self._organizations.read()

    @property
    def vocabulary(self) -> Vocabulary:
        """Topics, countries and cohorts."""
        return self._vocabulary.now()

    @property
    def portal(self) -> Portal:
        """The front page."""
        return self._portal.now()

    @property
    def organizations(self) -> Organizations:
        """The accounts that belong together."""
        from aggregator.domain.organizations import NO_ORGANIZATIONS

        return self._organizations.now() if self._folder is not None else NO_ORGANIZATIONS

    @property
    def tagger(self) -> Tagger | None:
        """The tagger for topics and countries, or None if there are none."""
        return self.vocabulary.tagger if self._folder is not None else None

    @property
    def logo(self) -> tuple[str, bytes] | None:
        """The name and content of the logo."""
        name = self.portal.site.logo
        if not name or self._folder is None:
            return None
        stamp = _stamp(self._folder / name)
        if self._logo is None or self._logo[0] != (name, stamp):
            try:
                self._logo = (name, stamp), self._read_logo(name, "")
            except ConfigurationError as problem:
                _log.error("configuration not read, the former one stays", reason=str(problem))
                self._logo = (name, stamp), self._logo[1] if self._logo else b""
        return (name, self._logo[1]) if self._logo[1] else None

    def _read_logo(self, name: str, toml: str) -> bytes:
        """Return the content of the logo.

        Raises:
            ConfigurationError: it can't be read, or is too large.
        """
        if not name or self._folder is None:
            return b""
        where = f"Line {line_of(toml, ('site', 'logo'))}: site.logo: {name}"
        try:
            content = (self._folder / name).read_bytes()
        except OSError as problem:
            raise ConfigurationError(f"{where} can't be read: {problem.strerror}.") from None
        if not 0 < len(content) <= _LARGEST_LOGO:
            raise ConfigurationError(f"{where} has {len(content)} bytes, but must have 1 to {_LARGEST_LOGO}.")
        return content

    @property
    def stamp(self) -> tuple[object, ...]:
        """A value that changes whenever a file has changed."""
        return self._stamps

    @property
    def _stamps(self) -> tuple[tuple[int, int] | None, ...]:
        stamps = (*self._vocabulary.stamp(), *self._portal.stamp())
        if self._folder is None or not self.portal.site.logo:
            return stamps
        return (*stamps, _stamp(self._folder / self.portal.site.logo))

    @property
    def changed(self) -> datetime:
        """When a file was last changed; without files, the epoch."""
        times = [stamp[0] for stamp in self._stamps if stamp is not None]
        return datetime.fromtimestamp(max(times, default=0) // 1_000_000_000, UTC)


class _Watched(Generic[_T]):
    """The parsed content of some files, read again after a change."""

    def __init__(self, paths: Sequence[Path], parse: Callable[[Sequence[str]], _T], default: _T) -> None:
        self._paths = paths
        self._parse = parse
        self._default = default  # value if the first file does not exist
        self._cached: tuple[tuple[object, ...], _T] | None = None
        self._lock = threading.Lock()

    def stamp(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_stamp(path) for path in self._paths)

    def read(self) -> _T:
        """Read the current files; raise an error if one is invalid."""
        with self._lock:
            stamp = self.stamp()
            if not stamp or stamp[0] is None:
                self._cached = (stamp, self._default)
            elif self._cached is None or self._cached[0] != stamp:
                self._cached = (stamp, self._parsed())
            return self._cached[1]

    def _parsed(self) -> _T:
        try:
            return self._parse([_text(path) for path in self._paths])
        except ConfigurationError as problem:
            raise ConfigurationError(f"{self._paths[0]}: {problem}") from None

    def now(self) -> _T:
        """Return the current content, or the last valid content if the files are invalid."""
        current = self._cached
        if current is None:
            return self.read()
        if current[0] != self.stamp():
            try:
                return self.read()
            except ConfigurationError as problem:
                _log.error("configuration not read, the former one stays", reason=str(problem))
                self._cached = (self.stamp(), current[1])  # logged once per edit
                return current[1]
        return current[1]


def _paths(folder: Path | None, *names: str) -> Sequence[Path]:
    return [folder / name for name in names] if folder is not None else []


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _text(path: Path) -> str:
    """Return the text of a file, or an empty text if it does not exist."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigurationError(f"{path.name} is larger than {_LARGEST} bytes.")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeError) as problem:
        raise ConfigurationError(f"{path.name} can't be read: {problem}.") from None
