from __future__ import annotations

import pytest

from aggregator.domain.errors import BadRequestError
from aggregator.sources.bluesky.addresses import (
    account_id,
    handle_in,
    is_did,
    is_handle,
    page_of,
    post_id,
    subject_of,
    uri_of,
    xrpc,
)
from aggregator.sources.bluesky.plugin import KIND
from aggregator.sources.twitter.addresses import parse as on_x


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("@ada.bsky.social", "@ada.bsky.social"),
        (" @Ada.Example ", "@ada.example"),
        ("did:plc:abc234", "did:plc:abc234"),
        ("did:web:ada.example", "did:web:ada.example"),
        ("at://did:plc:abc234", "did:plc:abc234"),
        ("at://ada.example/", "@ada.example"),
        ("https://bsky.app/profile/Ada.example", "@ada.example"),
        ("https://www.bsky.app/profile/did:plc:abc/", "did:plc:abc"),
        ("https://bsky.app/profile/ada.example/followers", "@ada.example"),
        ("https://bsky.app/profile/did%3Aplc%3Aabc", "did:plc:abc"),
        ("https://bsky.app/profile/ada.example/feed/science", "https://bsky.app/profile/ada.example/feed/science"),
        ("at://did:plc:abc/app.bsky.feed.generator/science", "https://bsky.app/profile/did:plc:abc/feed/science"),
        ("https://bsky.app/profile/did:plc:abc/lists/3kabc", "https://bsky.app/profile/did:plc:abc/lists/3kabc"),
        ("at://did:plc:abc/app.bsky.graph.list/3kabc", "https://bsky.app/profile/did:plc:abc/lists/3kabc"),
        ("hashtag:OpenGov", "hashtag:OpenGov"),
        ("hashtag:#Öffnung", "hashtag:Öffnung"),
        ("https://bsky.app/hashtag/OpenGov", "hashtag:OpenGov"),
    ],
)
def test_accounts_feeds_lists_and_hashtags_are_recognized(address: str, expected: str) -> None:
    subject = subject_of(address)
    assert str(subject) == expected
    assert str(subject_of(expected)) == expected  # an export leads to the same source


@pytest.mark.parametrize(
    "address",
    [
        "@ada",  # on X
        "@ada@social.example",  # on Mastodon
        "hashtag:open@social.example",
        "ada.bsky.social",
        "@ada.",
        "@-ada.example",
        "@ada.123",
        "@handle.invalid",
        "@" + "a." * 200 + "example",
        "did:plc:",
        "did:plc:a b",
        "did:PLC:abc",
        "https://bsky.app/",
        "https://bsky.app/profile/ada",
        "https://bsky.app/profile/ada.example/rss",
        "https://bsky.app/profile/ada.example/feed/a b",
        "https://bsky.app/profile/ada.example/feed/..",
        "https://bsky.app:8443/profile/ada.example",
        "https://evil-bsky.app/profile/ada.example",
        "at://did:plc:abc/app.bsky.feed.like/3k",
        "at://",
        "hashtag:a b",
        "search:open",
        "",
    ],
)
def test_other_addresses_are_left_to_other_kinds(address: str) -> None:
    assert subject_of(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "https://bsky.app/profile/ada.example/post/3kabc",
        "at://ada.example/app.bsky.feed.post/3kabc",
    ],
)
def test_a_post_is_answered_with_its_author(address: str) -> None:
    with pytest.raises(BadRequestError, match=r"@ada\.example"):
        subject_of(address)
    assert KIND.address_key(address) is None
    assert handle_in(address) is None


@pytest.mark.parametrize("address", ["@ada.bsky.social", "did:plc:abc", "hashtag:open", "at://ada.example"])
def test_x_leaves_them_alone(address: str) -> None:
    assert on_x(address) is None


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("@Ada.Example", "@ada.example"),
        ("https://bsky.app/profile/Ada.example", "@ada.example"),
        ("hashtag:OpenGov", "hashtag:opengov"),
        ("@ada", None),
    ],
)
def test_spellings_share_a_key(address: str, key: str | None) -> None:
    assert KIND.address_key(address) == key


def test_ids_of_posts_and_accounts() -> None:
    uri = "at://did:plc:abc/app.bsky.feed.post/3kabc"
    assert (
        post_id(uri) == post_id(f"bluesky:{uri}") == post_id("https://bsky.app/profile/did:plc:abc/post/3kabc") == uri
    )
    assert post_id("https://bsky.app/profile/ada.example/post/3kabc") is None  # has no DID
    assert post_id("1234567890") is None
    assert account_id("did:plc:abc") == account_id("bluesky:@did:plc:abc") == "did:plc:abc"
    assert account_id("https://bsky.app/profile/did:plc:abc") == "did:plc:abc"
    assert account_id("123") is account_id("@ada.example") is None
    assert (handle_in("@ada.example"), handle_in("did:plc:abc"), handle_in("@ada")) == ("ada.example", None, None)


@pytest.mark.parametrize(
    "value", [None, 7, "", [], "at://x/y/z", "at://did:plc:a/app.bsky.feed.post/a/b", "at://did:plc:a"]
)
def test_other_values_are_no_uris(value: object) -> None:
    assert uri_of(value) is None
    assert not is_did(value)
    assert not is_handle(value)


def test_pages_of_records() -> None:
    for uri, page in (
        ("at://did:plc:a/app.bsky.feed.post/3k", "https://bsky.app/profile/did:plc:a/post/3k"),
        ("at://did:plc:a/app.bsky.graph.starterpack/3k", "https://bsky.app/starter-pack/did:plc:a/3k"),
        ("at://did:plc:a/com.example.thing/3k", ""),
    ):
        found = uri_of(uri)
        assert found is not None
        assert page_of(found) == page


def test_values_in_a_request_are_quoted() -> None:
    address = xrpc("https://api.example", "a.b", {"q": "#a&b=c", "uris": ["at://did:plc:a/b/c", "d"]})
    assert address == "https://api.example/xrpc/a.b?q=%23a%26b%3Dc&uris=at:%2F%2Fdid:plc:a%2Fb%2Fc&uris=d"
