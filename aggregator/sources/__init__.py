"""Find the kinds of source: each is a package here with a module `plugin` that defines `KIND`."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.source_api.kind import SourceKind


@cache
def kinds() -> Mapping[str, SourceKind]:
    """Return every kind by name.

    A package does not import its own `plugin`: processes that only parse documents start without an HTTP client.
    """
    modules = (import_module(f"{__name__}.{found.name}.plugin") for found in pkgutil.iter_modules(__path__))
    return {kind.name: kind for kind in (module.KIND for module in modules)}
