"""Convert videos to activities. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC
from typing import TYPE_CHECKING

from aggregator.domain.activity import ActivityKind, Actor, Content, Media, NewActivity
from aggregator.source_api.untrusted_json import compact
from aggregator.sources.youtube.addresses import Form, Subject, page_address, video_page
from aggregator.sources.youtube.network import NETWORK
from aggregator.sources.youtube.videos import Sort
from aggregator.text.html import paragraphs
from aggregator.text.urls import web_key

if TYPE_CHECKING:
    from aggregator.sources.youtube.videos import Video

_WIDTH, _HEIGHT = 480, 360  # of the picture that every video has

_WORDS = {
    Sort.SHORT: "Short",
    Sort.LIVE: "Live now",
    Sort.PLANNED: "Live stream",
    Sort.PREMIERE: "Premiere",
    Sort.RECORDING: "Recorded live or as a premiere",
}


def native_id(id_: str) -> str:
    """Return the id of a video in its feed, which sources that are read as feeds store, too."""
    return f"yt:video:{id_}"


def keys_of(id_: str) -> list[str]:
    """Return the keys of a video: that of this kind, and those under which its feed was read."""
    return [f"{NETWORK}:{id_}", *(web_key(video_page(id_, short=short)) for short in (False, True))]


def activity_of(video: Video) -> NewActivity:
    """Return a video as an activity."""
    url = video_page(video.id, short=video.sort is Sort.SHORT)
    text = "\n\n".join(filter(None, (sort_line(video), video.description, facts_line(video))))
    media = Media(
        "video",
        video_page(video.id),
        width=_WIDTH,
        height=_HEIGHT,
        duration=video.duration,
        preview=f"https://i.ytimg.com/vi/{video.id}/hqdefault.jpg",
    )
    content = Content(
        kind=ActivityKind.VIDEO,
        network=NETWORK,
        url=url,
        actor=_actor(video),
        title=" ".join(video.title.split()) or None,
        text=text,
        html=paragraphs(text),
        lang=video.lang or None,
        published=video.published,
        media=(media,),
    )
    raw = raw_of(video)
    return NewActivity(
        native_id=native_id(video.id),
        key=f"{NETWORK}:{video.id}",
        content=content,
        entry_digest=digest_of(video),
        raw=raw,
    )


def sort_line(video: Video) -> str:
    """Return the sort of a video as a sentence; "" for usual ones. It is the first line: cards show a beginning."""
    word = _WORDS.get(video.sort, "")
    if word and video.starts is not None:
        word = f"{word} on {video.starts.astimezone(UTC):%Y-%m-%d at %H:%M} UTC"
    return f"{word}." if word else ""


def facts_line(video: Video) -> str:
    """Return the length and captions of a video in words; "" if nothing of that is known.

    Fingerprints ignore durations of media, so that this line shows when a length becomes known.
    """
    return " · ".join(filter(None, (_length(video.duration), "With captions" if video.captions else "")))


def _length(seconds: float | None) -> str:
    minutes, rest = divmod(round(seconds or 0), 60)
    hours, minutes = divmod(minutes, 60)
    if not seconds:
        return ""
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def digest_of(video: Video) -> str:
    """Return a digest of the known fields of a video."""
    return hashlib.sha256(raw_of(video)).hexdigest()


def raw_of(video: Video) -> bytes:
    """Return the known fields of a video as JSON."""
    times = {name: moment.isoformat() if (moment := getattr(video, name)) else None for name in ("published", "starts")}
    names = ("id", "title", "description", "channel_id", "channel", "sort", "duration", "captions", "lang")
    return compact({**{name: getattr(video, name) for name in names}, **times})


def _actor(video: Video) -> Actor | None:
    if not video.channel_id:
        return None
    url = page_address(Subject(Form.CHANNEL, video.channel_id))
    return Actor(NETWORK, video.channel_id, video.channel or video.channel_id, None, url, None)
