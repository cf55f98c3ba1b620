"""Find the channel of a handle, a name or a video."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.domain.errors import MissingAccountError, SourceError
from aggregator.sources.youtube.addresses import Form, Subject, channel_in, page_address
from aggregator.sources.youtube.settings import SITE

if TYPE_CHECKING:
    from aggregator.source_api.kind import PollContext
    from aggregator.sources.youtube.api import DataApi


async def followed(subject: Subject, api: DataApi, context: PollContext) -> Subject:
    """Return the channel or playlist to follow: for a handle, a name or a video its channel.

    Raises:
        MissingAccountError: there is no such channel or video.
        SourceError: the response was not usable.
    """
    if subject.form in {Form.CHANNEL, Form.PLAYLIST}:
        return subject
    return Subject(Form.CHANNEL, await _by_api(subject, api) or await _by_page(subject, context))


async def _by_api(subject: Subject, api: DataApi) -> str | None:
    """Return the id of a channel as the API has it; None if the page must be read."""
    if not api.usable:
        return None
    try:
        match subject.form:
            case Form.HANDLE:
                found = await api.channel(forHandle=subject.key)
            case Form.USER:
                found = await api.channel(forUsername=subject.key)
            case Form.VIDEO:
                video = (await api.videos([subject.key])).get(subject.key)
                return (video.channel_id or None) if video else None
            case _:
                return None
    except SourceError:
        return None  # the page has it, too
    return found[0] if found else None


async def _by_page(subject: Subject, context: PollContext) -> str:
    url = page_address(subject, context.settings.get("youtube_site", SITE))
    response = await context.http.get(url, accept="text/html, */*;q=0.1")
    channel = await context.parser.run(_channel_in, response.body)
    if channel is None:
        raise MissingAccountError(f"{page_address(subject)} is not the page of a channel or video on YouTube.")
    return channel


def _channel_in(body: bytes) -> str | None:
    return channel_in(body.decode("utf-8", "replace"))
