"""Report to a source's publisher which images have no description."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

from aggregator.domain.access.accounts import Role
from aggregator.domain.descriptions import report_of
from aggregator.domain.moderation.queue_query import QueueQuery, QueueTab
from aggregator.review.context import DeskRoute
from aggregator.review.sources import source_of
from aggregator.review.titles import title_of
from aggregator.web.addresses import web_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.responses import Response

    from aggregator.domain.descriptions import DescriptionReport
    from aggregator.domain.source import Source
    from aggregator.review.context import DeskContext, DeskRequest

_ITEMS = 500  # the newest, which are examined
_SHOWN = 100


class DescriptionPages:
    """The report on image descriptions of a source, as a page and as text to send."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/sources/{slug}/descriptions", Role.VIEWER, self.page)
        yield DeskRoute("GET", "/sources/{slug}/descriptions.txt", Role.VIEWER, self.text)

    def page(self, request: DeskRequest) -> Response:
        """Show the report."""
        source, report = self._report(request)
        shown = [(title_of(found.item), found) for found in report.missing[:_SHOWN]]
        values = {"source": source, "report": report, "shown": shown, "examined": _ITEMS}
        return self._desk.page(request, "source-descriptions.html", values)

    def text(self, request: DeskRequest) -> Response:
        """Return the report as plain text for an e-mail to the publisher."""
        source, report = self._report(request)
        return PlainTextResponse("\n".join(_lines(source, report)) + "\n")

    def _report(self, request: DeskRequest) -> tuple[Source, DescriptionReport]:
        with self._desk.store.reading() as tx:
            source = source_of(tx, request)
            query = QueueQuery(QueueTab.ALL, source=source.slug, limit=_ITEMS)
            return source, report_of(tx.moderation.queue.page(query, request.now).items)


def _lines(source: Source, report: DescriptionReport) -> Iterator[str]:
    yield f"Image descriptions of {source.name}"
    yield f"Address: {source.address}"
    yield f"Images: {report.images}. Without description: {report.undescribed}."
    yield ""
    yield "Readers who can't see an image need its description (WCAG 2.2, 1.1.1): the alt attribute of <img>,"
    yield "media:description in RSS, or the description of a post's image."
    for found in report.missing[:_SHOWN]:
        yield ""
        yield title_of(found.item)
        if address := web_address(found.item.content.url):
            yield f"  {address}"
        yield from (f"  without description: {image.url}" for image in found.images)
