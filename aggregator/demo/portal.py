"""Hold the content of the portal's page of April 2014. All other content of the sample world is marked as sample.

The page has no ids or times of its posts, and no titles or addresses of its news; minimal placeholders fill the fields
that the formats require.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

PORTAL = "opengovpart"


@dataclass(frozen=True, slots=True)
class Retweet:
    """A post that the portal retweeted."""

    author: str
    body: str
    posted: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of "News and Events"; `posted` as printed, a date without a time."""

    name: str
    title: str | None
    text: str
    posted: datetime | None
    film: bool = False


RETWEETS = (
    Retweet(
        "FelipeEstefan",
        '"The strategy for us is delivery" of results, says #Mexico\'s @aniacalderon about their #OpenGov strategy.'
        " #HLMOpen #GPHLM",
        datetime(2014, 4, 15, 15, 0, tzinfo=UTC),
    ),
    Retweet(
        "josephpowell",
        "#GPEDC outcomes doc includes an Open Government commitment - all Busan endorsers should join OGP"
        " http://t.co/cVmzwAfBv8",
        datetime(2014, 4, 15, 16, 0, tzinfo=UTC),
    ),
    Retweet(
        "OpenGovHub",
        "The IRM team within @opengovpart is looking for local researchers. Interested? http://t.co/bXtMGLzoRm"
        " #applytoday",
        datetime(2014, 4, 15, 17, 0, tzinfo=UTC),
    ),
)

ENTRIES = (
    Entry(
        "portal-event-1",
        None,
        "Wednesday, April 16, 2014 10:00 - 11:00 AM EST",
        datetime(2014, 4, 2, tzinfo=UTC),
    ),
    Entry(
        "portal-news-2",
        None,
        "This May 4-5, 2014 there will be a two day Ministerial-level meeting of",
        datetime(2014, 3, 7, tzinfo=UTC),
    ),
    Entry(
        "portal-news-3",
        None,
        "As an important milestone for Indonesia's OGP Chairmanship in 2013-2014, we are pleased to host",
        datetime(2014, 3, 7, tzinfo=UTC),
    ),
    Entry(
        "portal-news-4",
        None,
        "The Open Government Partnership (OGP) Regional Meeting for Europe will take place in Dublin on 8-9 May 2014.",
        datetime(2014, 3, 7, tzinfo=UTC),
    ),
    Entry("portal-video-1", "London Summit Video 2013", "", None, film=True),
)
