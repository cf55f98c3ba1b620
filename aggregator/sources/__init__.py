"""The kinds of source: one module (or package) each, found by walking this package."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.source import SourceKind


@cache
def kinds() -> Mapping[str, SourceKind]:
    """Return every kind by name: what each module of this package calls `KIND`."""
    modules = (import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    return {kind.name: kind for kind in (module.KIND for module in modules)}
