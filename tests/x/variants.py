"""Build one post of X of every variant that cards show, as X's API returns it."""

from __future__ import annotations

import zlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aggregator.sources.twitter.normalise import normalise
from tests.building import NOON
from tests.x.scripted import account, post

if TYPE_CHECKING:
    from aggregator.domain.activity import NewActivity

ME, OTHER, THIRD = 1, 2, 3
GONE_WORDS = "Words that were taken back"
USERS = [
    account(ME, "rivertown_gov", name="Rivertown City Hall"),
    account(OTHER, "marta_k", name="Marta Kovač &amp; friends"),
    account(THIRD, "old_ledger", name="Old Ledger"),
]


def _about(kind: str, id_: int) -> dict[str, Any]:
    return {"referenced_tweets": [{"type": kind, "id": str(id_)}]}


def _link(words: str, target: str, **more: Any) -> dict[str, Any]:
    """Return text and entities of words with a link at the end."""
    short = f"https://t.co/{zlib.crc32(target.encode()):010}"
    start = len(words) + 1 if words else 0
    url = {"start": start, "end": start + len(short), "url": short, "expanded_url": target, **more}
    return {
        "words": f"{words} {short}".strip(),
        "entities": {"urls": [{"display_url": target.partition("//")[2], **url}]},
    }


def gone(id_: int, how: str = "resource-not-found", resource: str = "tweet") -> dict[str, Any]:
    """Return X's error about a referenced post."""
    return {
        "resource_id": str(id_),
        "resource_type": resource,
        "parameter": "referenced_tweets.id",
        "type": f"https://api.twitter.com/2/problems/{how}",
        "detail": f"Could not find it: [{id_}].",
    }


def payload(pictures: str = "https://pictures.example") -> dict[str, Any]:
    """Return a timeline page with every variant; ids end with the number of the variant."""
    posts = [
        post(101, ME, "The hearing is on Thursday at 9.", edit_history_tweet_ids=["100", "101"]),
        post(102, ME, "We agree.", **_about("replied_to", 50), in_reply_to_user_id="2", conversation_id="50"),
        post(103, ME, "1/3 The budget in three posts", conversation_id="103"),
        post(104, ME, "2/3 Where it comes from", **_thread(103)),
        post(105, ME, "3/3 Where it goes", **_thread(104)),
        post(106, ME, "When should the assembly meet?", attachments={"poll_ids": ["7"]}),
        post(107, ME, **_link("", "https://x.com/i/article/9"), article={
            "title": "How we opened 214 contracts", "preview_text": "A year ago nobody knew.", "cover_media": "3_9"}),
        post(108, ME, **_link("The audit:", "https://audit.example/report", title="Audit &amp; report",
            description="31 without a tender", images=[{"url": f"{pictures}/small", "width": 150},
                                                       {"url": f"{pictures}/plenary", "width": 1200}])),
        post(109, ME, **_link("Look at this", "https://twitter.com/marta_k/status/60"), **_about("quoted", 60)),
        post(110, ME, "إعلان عن جلسة الاستماع العامة", lang="ar"),
        post(111, ME, f"RT @old_ledger: {GONE_WORDS}", **_about("retweeted", 70)),
        post(112, ME, **_link("We saved it", "https://twitter.com/old_ledger/status/70"), **_about("quoted", 70)),
        post(113, ME, "RT @marta_k: A cut te…", **_about("retweeted", 71)),
        post(114, ME, **_link("Worth a read", "https://twitter.com/marta_k/status/72"), **_about("quoted", 72)),
        post(115, ME, "RT @marta_k: I disagree", **_about("retweeted", 60)),
        post(116, ME, **_link("On air", "https://x.com/rivertown_gov/status/116/video/1", media_key="13_2"),
             attachments={"media_keys": ["13_2"]}),
        post(117, ME, "RT @old_ledger: A vote", **_about("retweeted", 80)),
    ]  # fmt: skip
    original = post(60, OTHER, **_link("I disagree with this", "https://x.com/old_ledger/status/61"))
    original |= _about("quoted", 61)
    vote = post(80, THIRD, "A vote", attachments={"poll_ids": ["8"]})
    return {
        "data": posts,
        "includes": {
            "users": USERS,
            "tweets": [original, vote],
            "media": [
                {"media_key": "3_9", "type": "photo", "url": f"{pictures}/panel"},
                {"media_key": "13_2", "type": "video", "preview_image_url": f"{pictures}/film", "duration_ms": 30500,
                 "variants": [{"content_type": "application/x-mpegURL", "url": "https://video.example/x.m3u8"}]},
            ],
            "polls": [{"id": "7", "end_datetime": "2026-03-03T09:00:00.000Z", "voting_status": "open", "options": [
                {"position": 2, "label": "Saturday morning", "votes": 4717},
                {"position": 1, "label": "Wednesday evening", "votes": 4718}]}],
        },
        "errors": [gone(70)],
    }  # fmt: skip


def activities(pictures: str = "https://pictures.example") -> list[NewActivity]:
    """Return the variants as activities, a minute apart, the last one at noon."""
    page = payload(pictures)
    for place, entry in enumerate(reversed(page["data"])):
        entry["created_at"] = f"{NOON - timedelta(minutes=place):%Y-%m-%dT%H:%M:%S}.000Z"
    return normalise(page)


def _thread(answered: int) -> dict[str, Any]:
    return {**_about("replied_to", answered), "in_reply_to_user_id": str(ME), "conversation_id": "103"}
