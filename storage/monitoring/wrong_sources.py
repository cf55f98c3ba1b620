"""Find sources that answer with a web page instead of their feed, by the index of failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, exists, or_, select

from aggregator.domain.errors import NoFeedError
from aggregator.domain.monitoring.incidents import PAGE, IncidentKind
from aggregator.domain.source import SourceState
from aggregator.domain.source_health import FAILURES_THAT_COUNT
from storage.monitoring.silences import IS_ABOUT, SUBJECT
from storage.polling.outages import excused
from storage.tables.monitoring import incident
from storage.tables.polling import source

if TYPE_CHECKING:
    from sqlalchemy import Connection

MOST = 200  # per round; the next round finds further ones
_ACTIVE = source.c.state == SourceState.ACTIVE.value
_OPEN = and_(incident.c.kind == IncidentKind.WRONG.value, incident.c.ended.is_(None))


class PageSource(NamedTuple):
    """A source that answers with a page."""

    slug: str
    name: str
    last_error: str
    failures: int


class WrongSources:
    """The sources with wrong responses, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def pages(self) -> list[PageSource]:
        """Return sources without an open incident that had a feed, and answered with a page at the last polls."""
        answering = (
            select(*(source.c[name] for name in PageSource._fields))
            .where(
                _ACTIVE,
                source.c.failures >= FAILURES_THAT_COUNT,
                source.c.last_error_code == NoFeedError.code,
                source.c.last_success.is_not(None),
                ~excused(),
                ~exists().where(_OPEN, incident.c.subject == SUBJECT),
            )
            .order_by(source.c.slug)
            .limit(MOST)
        )
        return [PageSource(*row) for row in self._connection.execute(answering)]

    def ended(self) -> list[int]:
        """Return the open incidents of sources that have a feed again, or that are no longer polled."""
        still = and_(source.c.failures > 0, source.c.last_error_code == NoFeedError.code)
        polled = exists().where(IS_ABOUT, _ACTIVE)
        page = incident.c.evidence["sign"].as_string() == PAGE
        over = or_(~polled, and_(page, ~exists().where(IS_ABOUT, _ACTIVE, still)))
        return list(self._connection.execute(select(incident.c.id).where(_OPEN, over)).scalars())
