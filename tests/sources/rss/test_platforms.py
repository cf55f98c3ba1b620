"""Test where the feeds of well-known platforms are."""

from __future__ import annotations

import pytest

from aggregator.sources.rss.platforms import MOST_GUESSES, address_of_handle, feeds_at, usual_places


@pytest.mark.parametrize(
    ("url", "feed"),
    [
        ("https://github.com/owner/name", "https://github.com/owner/name/releases.atom"),
        ("https://github.com/owner/name.git", "https://github.com/owner/name/releases.atom"),
        ("https://github.com/owner/name/releases", "https://github.com/owner/name/releases.atom"),
        ("https://github.com/owner/name/tags", "https://github.com/owner/name/tags.atom"),
        ("https://github.com/owner/name/commits/main", "https://github.com/owner/name/commits/main.atom"),
        ("https://github.com/owner/name/tree/dev/next", "https://github.com/owner/name/commits/dev/next.atom"),
        ("https://www.reddit.com/r/name", "https://www.reddit.com/r/name/.rss"),
        ("https://old.reddit.com/r/name/top/", "https://www.reddit.com/r/name/top/.rss"),
        ("https://www.reddit.com/user/name", "https://www.reddit.com/user/name/.rss"),
        ("https://ana.substack.com/", "https://ana.substack.com/feed"),
        ("https://ana.substack.com/p/a-post", "https://ana.substack.com/feed"),
        ("https://open.substack.com/pub/ana/p/a-post", "https://ana.substack.com/feed"),
        ("https://medium.com/@ana", "https://medium.com/feed/@ana"),
        ("https://ana.medium.com/", "https://ana.medium.com/feed"),
    ],
)
def test_a_page_of_a_platform_leads_to_its_feed(url: str, feed: str) -> None:
    assert feeds_at(url)[0] == feed


@pytest.mark.parametrize(
    "url",
    [
        "https://site.example/r/name", "https://notgithub.com/a/b",
        "https://github.com/owner/name/releases.atom", "https://github.com/owner", "https://github.com/topics/rss",
        "https://www.reddit.com/r/name/.rss", "https://www.reddit.com/", "https://bsky.app/profile/ana.example/rss",
        "https://bsky.app/profile/ana.example", "https://ana.substack.com/feed", "https://www.youtube.com/channel/short",
        "https://github.com.evil.example/a/b",
    ],
)  # fmt: skip
def test_feeds_and_other_pages_stay_as_they_are(url: str) -> None:
    assert feeds_at(url) == ()


def test_handles_of_the_fediverse_are_profiles() -> None:
    assert address_of_handle("@ana@Social.example") == "https://social.example/@ana"
    assert address_of_handle("@ana") is None
    assert address_of_handle("ana@social.example") is None


def test_usual_places_are_few() -> None:
    site = "https://site.example"
    assert usual_places(f"{site}/") == tuple(site + path for path in ("/feed", "/rss.xml", "/atom.xml", "/feed.xml", "/index.xml"))  # fmt: skip  # noqa: E501
    assert usual_places(f"{site}/@ana")[0] == f"{site}/@ana.rss"
    assert usual_places(f"{site}/users/ana")[0] == f"{site}/users/ana.rss"
    assert usual_places(f"{site}/blog/")[0] == f"{site}/blog/feed"
    assert all(
        len(usual_places(site + path)) <= MOST_GUESSES for path in ("/", "/blog", "/a/b/c", "/page.html", "/@ana")
    )
