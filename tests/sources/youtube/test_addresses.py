"""Test which addresses are those of channels, playlists and videos."""

from __future__ import annotations

import pytest

from aggregator.sources.youtube.addresses import Form, Subject, channel_in, page_address, subject_of, uploads_of
from aggregator.sources.youtube.plugin import KIND
from tests.sources.youtube.server import CHANNEL, PLAYLIST

FEEDS = "https://www.youtube.com/feeds/videos.xml"


@pytest.mark.parametrize(
    ("address", "form", "key"),
    [
        (CHANNEL, Form.CHANNEL, CHANNEL),
        (f" https://m.youtube.com/channel/{CHANNEL}/videos?view=0 ", Form.CHANNEL, CHANNEL),
        (f"youtube.com/channel/{CHANNEL}", Form.CHANNEL, CHANNEL),
        (f"{FEEDS}?channel_id={CHANNEL}", Form.CHANNEL, CHANNEL),
        (f"{FEEDS}?playlist_id={PLAYLIST}", Form.PLAYLIST, PLAYLIST),
        (f"{FEEDS}?user=ada", Form.USER, "ada"),
        (f"https://www.youtube.com/playlist?list={PLAYLIST}", Form.PLAYLIST, PLAYLIST),
        (f"https://www.youtube.com/watch?v=abcdefghijk&list={PLAYLIST}", Form.PLAYLIST, PLAYLIST),
        (f"https://youtu.be/abcdefghijk?list={PLAYLIST}", Form.PLAYLIST, PLAYLIST),
        ("https://youtu.be/abcdefghijk", Form.VIDEO, "abcdefghijk"),
        ("https://www.youtube.com/watch?v=abcdefghijk", Form.VIDEO, "abcdefghijk"),
        ("https://www.youtube.com/shorts/abcdefghijk", Form.VIDEO, "abcdefghijk"),
        ("https://www.youtube.com/live/abcdefghijk?si=x", Form.VIDEO, "abcdefghijk"),
        ("https://www.youtube.com/@ada", Form.HANDLE, "@ada"),
        ("https://www.youtube.com/@ada/shorts", Form.HANDLE, "@ada"),
        ("https://www.youtube.com/user/ada", Form.USER, "ada"),
        ("https://www.youtube.com/c/Ada", Form.PAGE, "c/Ada"),
        ("https://www.youtube.com/Ada", Form.PAGE, "Ada"),
    ],
)
def test_addresses_of_youtube_are_recognized(address: str, form: Form, key: str) -> None:
    assert subject_of(address) == Subject(form, key)


@pytest.mark.parametrize(
    "address",
    [
        "@ada", "ada", "", "UCshort", "https://youtube.com.evil.example/@ada", "https://notyoutube.com/@ada",
        "https://www.youtube.com/", "https://www.youtube.com/feed/subscriptions", "https://www.youtube.com/results?q=x",
        "https://user@www.youtube.com/@ada", "https://[::1", "https://www.youtube.com:8080/@ada", "ftp://youtube.com/@a",
        "https://www.youtube.com/@ada/other/page", "https://vimeo.com/1", f"{FEEDS}?channel_id=x", "@ada.bsky.social",
    ],
)  # fmt: skip
def test_other_addresses_are_left_to_other_kinds(address: str) -> None:
    assert subject_of(address) is None
    assert KIND.address_key(address) is None


def test_spellings_share_a_key_which_is_the_feed() -> None:
    spellings = [CHANNEL, f"https://m.youtube.com/channel/{CHANNEL}", f"{FEEDS}?channel_id={CHANNEL}"]
    assert {KIND.address_key(address) for address in spellings} == {f"{FEEDS}?channel_id={CHANNEL}"}
    assert KIND.address_key("https://www.youtube.com/@ada") is None  # a request is needed to know its channel


def test_an_import_needs_no_request_for_ids() -> None:
    found = KIND.unfetched(f"{FEEDS}?channel_id={CHANNEL}", "Ada", [])
    assert (found.address, found.host, found.name) == (f"{FEEDS}?channel_id={CHANNEL}", "www.youtube.com:443", "Ada")


def test_pages_and_uploads_follow_from_ids() -> None:
    assert page_address(Subject(Form.HANDLE, "@ada")) == "https://www.youtube.com/@ada"
    assert page_address(Subject(Form.PLAYLIST, PLAYLIST)) == f"https://www.youtube.com/playlist?list={PLAYLIST}"
    assert uploads_of(Subject(Form.CHANNEL, CHANNEL)) == f"UU{CHANNEL[2:]}"
    assert uploads_of(Subject(Form.USER, "ada")) is None


@pytest.mark.parametrize(
    "page",
    [
        f'<link rel="canonical" href="https://www.youtube.com/channel/{CHANNEL}">',
        f'<script>var ytInitialData = {{"externalId":"{CHANNEL}"}}</script>',
        f'<meta itemprop="identifier" content="{CHANNEL}">',
    ],
)
def test_a_page_names_its_channel(page: str) -> None:
    assert channel_in(page) == CHANNEL
    assert channel_in(page.replace(CHANNEL, "UCshort")) is None
