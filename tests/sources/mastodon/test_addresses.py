from __future__ import annotations

import pytest

from aggregator.sources.mastodon.addresses import Account, Hashtag, api, is_id, subject_of


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("@ada@social.example", "@ada@social.example"),
        (" @Ada@Social.Example ", "@Ada@social.example"),
        ("acct:ada@social.example", "@ada@social.example"),
        ("https://social.example/@ada", "@ada@social.example"),
        ("https://social.example/@ada/", "@ada@social.example"),
        ("https://social.example/users/ada", "@ada@social.example"),
        ("https://social.example/web/@ada", "@ada@social.example"),
        ("https://social.example/@bob@far.example", "@bob@far.example"),
        ("hashtag:open@social.example", "hashtag:open@social.example"),
        ("#OpenGov@social.example", "hashtag:OpenGov@social.example"),
        ("https://social.example/tags/open", "hashtag:open@social.example"),
    ],
)
def test_accounts_and_hashtags_are_recognized(address: str, expected: str) -> None:
    subject = subject_of(address)
    assert subject is not None
    assert subject.handle == expected


@pytest.mark.parametrize(
    "address",
    [
        "@ada",
        "ada@social.example",  # a mail address
        "mailto:ada@social.example",
        "https://social.example/",
        "https://social.example/@ada/110000000000000000",  # a post
        "https://social.example/@ada.rss",
        "https://social.example/about",
        "https://social.example/tags/open/feed",
        "https://social.example/@ada?page=2",
        "https://www.youtube.com/@ada",
        "https://medium.com/@ada",
        "https://www.tiktok.com/@ada",
        "https://bsky.app/profile/ada",
        "https://social.example/@../../etc",
        "@a/b@social.example",
        "@ada@social",
        "hashtag:a b@social.example",
        "search:open",
        "",
    ],
)
def test_other_addresses_are_left_to_other_kinds(address: str) -> None:
    found = subject_of(address)
    assert found is None or (address.endswith(".rss") and found.handle == "@ada.rss@social.example")


def test_only_handles_are_certain() -> None:
    assert [subject.certain for subject in (Account("a", "b.example"), Hashtag("a", "b.example"))] == [True, True]
    for address, certain in (("@ada@social.example", True), ("https://social.example/@ada", False)):
        subject = subject_of(address)
        assert subject is not None
        assert subject.certain is certain


@pytest.mark.parametrize("value", ["110000000000000000", "01HXYZ0123456789ABCDEFGHJK", "AbC-d_9"])
def test_ids_of_all_servers(value: str) -> None:
    assert is_id(value)


@pytest.mark.parametrize("value", ["", "../x", "a/b", "a?b", "a b", "x" * 65, 7, None, ["1"], "é"])
def test_other_values_are_no_ids(value: object) -> None:
    assert not is_id(value)


def test_values_in_a_request_are_quoted() -> None:
    address = api("https://social.example", "accounts/lookup", {"acct": "a&b=c", "id[]": ["1", "2"]})
    assert address == "https://social.example/api/v1/accounts/lookup?acct=a%26b%3Dc&id[]=1&id[]=2"
