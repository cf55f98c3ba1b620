"""Run all checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.services.doctor.broker_checks import check_broker, check_rate_store, check_workers
from aggregator.services.doctor.database_checks import (
    check_clock,
    check_content,
    check_direct_address,
    check_migrations,
    check_schema,
    check_server,
)
from aggregator.services.doctor.examination import examine, ordered
from aggregator.services.doctor.file_checks import check_folders, check_modes, check_portal
from aggregator.services.doctor.network_checks import (
    check_feed_names,
    check_names,
    check_public_address,
    check_servers,
)
from aggregator.services.doctor.setting_checks import (
    check_contact,
    check_encryption,
    check_load_and_logs,
    check_networks,
    check_processes,
    check_proxies,
)
from aggregator.services.doctor.sign_in_checks import check_sign_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aggregator.domain.monitoring.findings import Finding
    from aggregator.services.doctor.examination import Subject

    Checks = Mapping[str, Callable[[Subject], Iterable[Finding]]]

_SCHEMA: Checks = {"schema": check_schema}
# These need a database with the schema of this version.
_STORED: Checks = {
    "server": check_server,
    "migrations": check_migrations,
    "direct-address": check_direct_address,
    "clock": check_clock,
    "content": check_content,
    "workers": check_workers,
    "feed-names": check_feed_names,
}
_OTHERS: Checks = {
    "broker": check_broker,
    "rate-store": check_rate_store,
    "contact": check_contact,
    "proxies": check_proxies,
    "networks": check_networks,
    "processes": check_processes,
    "load": check_load_and_logs,
    "encryption": check_encryption,
    "portal": check_portal,
    "folders": check_folders,
    "modes": check_modes,
    "names": check_names,
    "servers": check_servers,
    "public-address": check_public_address,
    "sign-on": check_sign_on,
}


def examine_all(subject: Subject) -> list[Finding]:
    """Return the findings of all checks; without a usable database, those that read it are left out."""
    found = examine(subject, _SCHEMA)
    return ordered([*found, *examine(subject, _OTHERS if found else {**_STORED, **_OTHERS})])
