"""Load the kinds of source: the packages here, and entry points of other distributions.

Each package here has a module `plugin` that defines `KIND`. Other distributions declare a kind in the entry point group
`aggregator.sources`, as `name = "package.module:KIND"`.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from aggregator.domain import networks
from aggregator.domain.errors import SettingsError
from aggregator.domain.source_options import KindForm
from aggregator.source_api.kind import SourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from aggregator.domain.billing.budget import Metered
    from aggregator.domain.settings_schema import Option

GROUP = "aggregator.sources"


@cache
def kinds() -> Mapping[str, SourceKind]:
    """Return every kind by name, and register their networks.

    A package does not import its own `plugin`, so that processes that only parse documents start without an HTTP
    client.

    Raises:
        SettingsError: an installed kind can't be loaded, or its name is taken.
    """
    found: dict[str, SourceKind] = {}
    for kind in (*_built_in(), *_installed()):
        if found.setdefault(kind.name, kind) is not kind:
            raise SettingsError(f"Two kinds of source are named {kind.name!r}; uninstall one of them.")
        networks.register(kind.name, kind.networks)
    return found


def settings() -> list[Option[Any]]:
    """Return the settings that kinds of source declare."""
    return [option for kind in kinds().values() for option in kind.settings]


def forms() -> list[KindForm]:
    """Return the facts about each kind that forms need."""
    return [
        KindForm(
            kind.name,
            kind.label,
            tuple(option for option in kind.options if not option.discovered),
            kind.parse_options,
        )
        for kind in kinds().values()
    ]


def metered(values: Mapping[str, Any]) -> dict[str, Metered]:
    """Return the services that bill per result, by name, from the values of the kinds' settings."""
    services = (kind.metered(values) for kind in kinds().values())
    return {service.service: service for service in services if service is not None}


def ids_only(values: Mapping[str, Any]) -> dict[str, str]:
    """Return, from the values of the settings, the networks of which only ids may be stored, with their kinds."""
    return {
        network.name: kind.name
        for kind in kinds().values()
        for network in kind.networks
        if network.terms.allows_ids_only(values)
    }


def _built_in() -> Iterator[SourceKind]:
    for package in pkgutil.iter_modules(__path__):
        yield import_module(f"{__name__}.{package.name}.plugin").KIND


def _installed() -> Iterator[SourceKind]:
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            kind = point.load()
        except Exception as error:
            raise SettingsError(
                f"The kind of source {point.name!r} ({point.value}) can't be loaded: {error}."
            ) from error
        if not isinstance(kind, SourceKind):
            raise SettingsError(f"The entry point {point.value} isn't a SourceKind.")
        yield kind
