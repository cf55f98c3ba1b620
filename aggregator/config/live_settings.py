"""Read secrets again when their files change, so that they can be replaced without a restart."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import structlog

from aggregator.config.options import OPTIONS
from aggregator.config.settings import FROM_FILE, KEY_FILE, every_option

if TYPE_CHECKING:
    from aggregator.config.settings import Settings
    from aggregator.domain.secrets import Secret
    from aggregator.domain.settings_schema import Option

_INTERVAL = 1.0  # seconds between looks at the files
_CONNECTED = frozenset({"DATABASE_URL", "BROKER_URL", "RATE_STORE", "PROXY"})  # used once, when a process starts

log = structlog.get_logger(__name__)

Mark = tuple[int, int, int] | None


class LiveSettings:
    """The settings of a process, whose secrets follow their files. A file that can't be used changes nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._files = {
            option.name: (option, Path(origin.removeprefix(FROM_FILE)))
            for option in every_option()
            if option.secret and option.name not in _CONNECTED
            if (origin := settings.origins[option.name]).startswith(FROM_FILE)
        }
        self._marks: dict[Path, Mark] = {}
        self._keys: tuple[Secret, ...] = ()
        self._looked = -_INTERVAL
        self._lock = Lock()

    def current(self) -> Settings:
        """Return the settings with the present secrets."""
        self._look()
        return self._settings

    def secret_keys(self) -> tuple[Secret, ...]:
        """Return the keys for sessions and credentials: the first is for new data, the others are former ones.

        Raises:
            SettingsError: there is none, and the data directory isn't writable.
        """
        self._look()
        if not self._keys:
            self._keys = self._settings.secret_keys()
        return self._keys

    def _look(self) -> None:
        if time.monotonic() - self._looked < _INTERVAL:
            return
        with self._lock:
            self._looked = time.monotonic()
            for option, path in self._files.values():
                if self._is_changed(path):
                    self._read(option, path)
            if self._settings.secret_key is None and self._is_changed(self._settings.data_dir / KEY_FILE):
                self._keys = ()

    def _is_changed(self, path: Path) -> bool:
        """Return whether a file is another one than at the last look; true at the first."""
        mark = _mark(path)
        changed = path not in self._marks or self._marks[path] != mark
        self._marks[path] = mark
        return changed

    def _read(self, option: Option[Any], path: Path) -> None:
        try:
            value = option.read(path.read_text(encoding="utf-8").strip())
        except (OSError, ValueError):
            log.warning("secret not replaced", setting=option.variable, reason="its file has no valid value")
            return
        settings = self._settings
        if option.name in OPTIONS:
            changed = replace(settings, **{option.key: value})
        else:
            changed = replace(settings, kinds={**settings.kinds, option.key: value})
        if changed == settings:
            return
        self._settings, self._keys = changed, ()
        log.info("secret replaced", setting=option.variable)


def _mark(path: Path) -> Mark:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
