"""Build the subjects of examinations, and name the findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.services.doctor.examination import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aggregator.domain.monitoring.findings import Finding
    from storage.store import Store


opened: list[Store] = []  # to be closed after the test


def subject(settings: dict[str, str], **changes: Any) -> Subject:
    """Build a subject from variables without their prefix; every name resolves."""
    given = {f"AGGREGATOR_{name}": value for name, value in settings.items()}
    container = Container(Settings.from_environment(given))
    opened.append(container.store)
    usual: dict[str, Any] = {
        "settings": container.settings,
        "environ": given,
        "store": container.store,
        "clock": container.clock,
        "visibility": 600.0,
        "check_portal": container.configuration.check,
        "resolve": lambda _host: None,
    }
    return Subject(**{**usual, **changes})


def codes(check: Callable[[Subject], Iterable[Finding]], examined: Subject) -> set[str]:
    """Return the codes of a check's findings."""
    found = list(check(examined))
    assert all(finding.problem.endswith(".") and finding.remedy for finding in found), found
    return {finding.code for finding in found}
