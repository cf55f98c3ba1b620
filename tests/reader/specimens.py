"""Build one item of every kind, as the portal's page shows them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from aggregator.domain.activity import (
    ActivityKind,
    Actor,
    Link,
    Media,
    Mention,
    NewActivity,
    Occasion,
    Original,
)
from tests.building import NOON, add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from storage.store import Store

OGP = Actor("x", "1001", "Open Government Partnership", "opengovpart", "https://x.com/opengovpart")
HUB = Actor("x", "2001", "OpenGov Hub", "OpenGovHub", "https://x.com/OpenGovHub")
POWELL = Actor("x", "2002", "Joseph Powell", "josephpowell", "https://x.com/josephpowell")


def tweet(
    native_id: str, kind: ActivityKind, text: str, html: str, at: datetime, actor: Actor, **more: object
) -> NewActivity:
    fields: dict[str, Any] = {
        "kind": kind,
        "network": "x",
        "url": f"https://x.com/{actor.handle}/status/{native_id}",
        "actor": actor,
        "title": None,
        "text": text,
        "html": html,
        "published": at,
        **more,
    }
    return replace(an_activity(native_id, **fields), key=f"x:{native_id}")


def about(activity: NewActivity, original: NewActivity) -> NewActivity:
    """Make an activity the repost or quote of another."""
    inner = Original(original.key, original.native_id, original.content)
    return replace(activity, object=inner, object_key=original.key)


def every_kind(pictures: str, now: datetime = NOON) -> tuple[list[NewActivity], list[NewActivity]]:
    """Return the activities of an X account and a news feed, oldest first."""

    def at(**ago: float) -> datetime:
        return now - timedelta(**ago)

    ogp, hub = replace(OGP, avatar=f"{pictures}/ogp"), replace(HUB, avatar=f"{pictures}/hub")
    expected = tweet(
        "900",
        ActivityKind.POST,
        "The IRM team within @opengovpart is looking for local researchers. Interested? example.org/apply #applytoday",
        '<p>The IRM team within <a href="https://x.com/opengovpart">@opengovpart</a> is looking for local researchers. '
        'Interested? <a href="https://example.org/apply">example.org/apply</a> '
        '<a href="https://x.com/hashtag/applytoday">#applytoday</a></p>',
        at(hours=3),
        hub,
        links=(Link("https://example.org/apply", "example.org/apply"),),
        hashtags=("applytoday",),
        mentions=(Mention("opengovpart", "1001", "https://x.com/opengovpart"),),
    )
    outcomes = tweet(
        "901",
        ActivityKind.POST,
        "#GPEDC outcomes doc includes an Open Government commitment - all Busan endorsers should join OGP",
        "<p>#GPEDC outcomes doc includes an Open Government commitment - all Busan endorsers should join OGP</p>",
        at(days=1, hours=4),
        POWELL,
    )
    content = [
        about(
            tweet(
                "910",
                ActivityKind.QUOTE,
                "A commitment to build on.",
                "<p>A commitment to build on.</p>",
                at(days=1, hours=2),
                ogp,
            ),
            outcomes,
        ),
        tweet(
            "911",
            ActivityKind.REPLY,
            "شكرا لكم على المشاركة في الاستشارة العامة حول خطة العمل الوطنية",
            "<p>شكرا لكم على المشاركة في الاستشارة العامة حول خطة العمل الوطنية</p>",
            at(days=1),
            ogp,
            lang="ar",
            in_reply_to="https://x.com/someone/status/899",
        ),
        tweet(
            "912",
            ActivityKind.POST,
            "Three days, forty countries, one question: what has opening up changed? Pictures from the plenary.",
            "<p>Three days, forty countries, one question: what has opening up changed? Pictures from the plenary.</p>",
            at(hours=5),
            ogp,
            media=(
                Media("image", f"{pictures}/plenary", "Delegates listening in a plenary hall", width=1200, height=800),
                Media("image", f"{pictures}/panel", "Four speakers on a panel"),
            ),
        ),
        about(
            tweet("913", ActivityKind.REPOST, expected.content.text, expected.content.html, at(hours=1), ogp), expected
        ),
    ]
    news = [
        an_activity(
            "a0",
            kind=ActivityKind.VIDEO,
            title="London Summit Video 2013",
            text="Voices from the summit.",
            html="<p>Voices from the summit.</p>",
            url="https://video.example/watch/1",
            published=at(days=2, hours=3),
            media=(Media("video", f"{pictures}/film.mp4", duration=154, preview=f"{pictures}/film"),),
        ),
        an_activity(
            "a1",
            title="The Open Government Partnership Regional Meeting for Europe will take place in Dublin on 8-9 May",
            text="Ministers, civil society and reformers from across Europe meet in Dublin Castle to compare what "
            "their action plans have delivered so far. Registration is open until the end of the month.",
            html="<p>Ministers, civil society and reformers from across Europe meet in <b>Dublin Castle</b> to compare "
            "what their action plans have delivered so far.</p><p>Registration is open until the end of the month.</p>",
            published=at(days=2),
            media=(Media("image", f"{pictures}/dublin", "The castle from the river", width=800, height=600),),
        ),
        an_activity(
            "a2",
            title="How to read the independent progress reports",
            text="A short guide for journalists and citizens.",
            html="<p>A short guide for journalists and citizens.</p>",
            published=at(days=1, hours=1),
        ),
        an_activity(
            "a3",
            kind=ActivityKind.EVENT,
            title="Webinar: writing commitments that can be measured",
            text="With examples from Chile, Georgia and the Philippines, and time for questions.",
            html="<p>With examples from Chile, Georgia and the Philippines, and time for questions.</p>",
            published=at(hours=2),
            event=Occasion(
                datetime.fromisoformat("2026-04-16T14:00:00+00:00"),
                datetime.fromisoformat("2026-04-16T15:00:00+00:00"),
                "EST",
                "Online",
            ),
        ),
    ]
    return [expected, outcomes, *content], news


def fill(store: Store, pictures: str) -> None:
    """Add an X account and a news feed with an item of every kind, and a feed that fails."""
    activities, news = every_kind(pictures)
    account = add_source(store, "opengovpart", "twitter", name="@opengovpart")
    feed = add_source(store, "news", name="News and Events")
    ingest_now(store, account, sorted(activities[2:], key=lambda new: new.content.published or NOON))
    ingest_now(store, feed, news)
    add_source(store, "ministry", name="Ministry of Finance: Open Budget", now=NOON - timedelta(days=1))
