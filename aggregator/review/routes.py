"""List all sections of the desk."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aggregator.review.connections import ConnectionPages
from aggregator.review.decisions import DecisionPages
from aggregator.review.editorial import EditorialPages
from aggregator.review.freezes import FreezePages, freeze_banners
from aggregator.review.history import HistoryPages
from aggregator.review.incidents import IncidentPages
from aggregator.review.item_pictures import ItemPicturePages
from aggregator.review.items import ItemPages
from aggregator.review.post_pictures import PicturePages
from aggregator.review.queue import QueuePages
from aggregator.review.rules import RulePages
from aggregator.review.source_descriptions import DescriptionPages
from aggregator.review.source_import import ImportPages
from aggregator.review.source_preview import PreviewPages
from aggregator.review.source_settings import SourceSettingsPages
from aggregator.review.source_table import SourceTablePages
from aggregator.review.sources import SourcePages, alert_banners
from aggregator.review.suggestions import SuggestionPages
from aggregator.review.views import ViewPages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aggregator.domain.source_options import KindForm
    from aggregator.review.connections import Connection
    from aggregator.review.context import DeskContext, Section
    from aggregator.review.editorial import Publish
    from aggregator.review.source_import import ImportDocument
    from aggregator.review.source_preview import Preview
    from aggregator.review.source_settings import Readdress
    from aggregator.review.sources import Subscribe


def sections(
    desk: DeskContext,
    *,
    publish: Publish,
    subscribe: Subscribe,
    preview: Preview,
    readdress: Readdress,
    import_document: ImportDocument,
    kinds: Sequence[KindForm],
    connection: Connection,
    public_url: str | None = None,
) -> Iterable[Section]:
    """Yield the sections; what they need of the container are arguments."""
    yield QueuePages(desk)
    yield DecisionPages(desk)
    yield ViewPages(desk)
    yield EditorialPages(desk, publish, public_url)
    yield PicturePages(desk)
    yield ItemPages(desk)
    yield ItemPicturePages(desk)
    yield RulePages(desk)
    yield SuggestionPages(desk)
    yield ImportPages(desk, import_document)  # before what its path would be the slug of
    yield PreviewPages(desk, preview, kinds)
    yield SourceTablePages(desk)
    yield DescriptionPages(desk)
    yield SourceSettingsPages(desk, preview, readdress)
    yield SourcePages(desk, subscribe, kinds)
    yield FreezePages(desk)
    yield IncidentPages(desk)
    yield HistoryPages(desk)
    yield ConnectionPages(desk, connection, public_url)
    desk.banners.extend([partial(freeze_banners, desk.pages.dates), alert_banners])
