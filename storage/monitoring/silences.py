"""Find sources that have gone silent, and silent ones that publish again, by the index of `source.silent_from`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import String, cast, exists, func, literal, select

from aggregator.domain.monitoring.incidents import IncidentKind
from aggregator.domain.source import SourceState
from storage.tables.monitoring import incident
from storage.tables.polling import source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

MOST = 200  # new silences per round; the next round finds further ones
_ACTIVE = source.c.state == SourceState.ACTIVE.value
SUBJECT = literal("source:") + cast(source.c.slug, String)  # finds the incidents of a source by their index
IS_ABOUT = source.c.slug == func.substr(incident.c.subject, len("source:") + 1)  # finds the source of an incident


class SilentSource(NamedTuple):
    """A source that has gone silent."""

    slug: str
    name: str
    watch: Mapping[str, Any] | None
    last_success: datetime


class Silences:
    """The silent sources, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begun(self, now: datetime) -> list[SilentSource]:
        """Return sources without an open incident that were polled with success after they should have published."""
        known = exists().where(
            incident.c.kind == IncidentKind.SILENCE.value, incident.c.subject == SUBJECT, incident.c.ended.is_(None)
        )
        silent = (
            select(*(source.c[name] for name in SilentSource._fields))
            .where(
                _ACTIVE,
                source.c.silent_from <= now,
                source.c.last_success > source.c.silent_from,
                source.c.failures == 0,
                source.c.watch.is_not(None),
                ~known,
            )
            .order_by(source.c.silent_from)
            .limit(MOST)
        )
        return [SilentSource(*row) for row in self._connection.execute(silent)]

    def ended(self, now: datetime) -> list[int]:
        """Return the open incidents of sources that publish again, or that are no longer polled."""
        silent = exists().where(_ACTIVE, IS_ABOUT, source.c.silent_from <= now)
        running = select(incident.c.id).where(incident.c.kind == IncidentKind.SILENCE.value, incident.c.ended.is_(None))
        return list(self._connection.execute(running.where(~silent)).scalars())
