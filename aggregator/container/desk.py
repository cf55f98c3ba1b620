"""Connect the sections of the review desk to a container."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aggregator.sources import forms, kinds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, timedelta

    from aggregator.container import Container
    from aggregator.domain.activity import Content
    from aggregator.domain.own_posts import PostPlan
    from aggregator.domain.source import Json, Policy, Source
    from aggregator.domain.source_import import ImportReport, UploadedDocument
    from aggregator.domain.source_preview import SourcePreview
    from aggregator.review.context import DeskContext, Section
    from storage.store import Transaction


def desk_sections(container: Container, desk: DeskContext) -> Iterable[Section]:
    """Return the sections of the review desk, connected to a container."""
    from aggregator.review.routes import sections
    from aggregator.services.editorial import publish
    from aggregator.services.subscribe import Subscription
    from aggregator.services.subscription_lists.importer import Target, import_document

    def add(
        address: str, policy: Policy, delay: timedelta | None, options: Mapping[str, Json], confirmed: bool
    ) -> Source:
        terms = Subscription(policy=policy, delay=delay, options=options)
        return container.subscribe(address, replace(terms, approve=lambda _: True) if confirmed else terms)[0]

    def store(tx: Transaction, content: Content, native_id: str | None, who: str, now: datetime, plan: PostPlan) -> int:
        return publish(tx, content, native_id, who, now, plan, container.configuration.tagger)

    def import_(document: UploadedDocument, who: str) -> ImportReport:
        target = Target.of(container, lambda: container.seal, who, document.name)
        return container.run(import_document(document, target, container.context))

    def preview(address: str, options: Mapping[str, Json]) -> SourcePreview:
        return container.preview(address, Subscription(options=options))

    def move(slug: str, address: str, who: str) -> Source:
        return container.run(_readdressed(container, slug, address, who))

    return sections(
        desk,
        publish=store,
        subscribe=add,
        preview=preview,
        readdress=move,
        import_document=import_,
        kinds=forms(),
        connection=container.account_connection,
        public_url=container.settings.public_url,
    )


async def _readdressed(container: Container, slug: str, address: str, who: str) -> Source:
    from aggregator.services.readdress import readdress

    return await readdress(slug, address, kinds().values(), await container.context(), container.store, who)
