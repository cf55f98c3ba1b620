"""Test which addresses on X are followed, and the advice for all others."""

from __future__ import annotations

import pytest

from aggregator.domain.errors import BadRequestError
from aggregator.sources.twitter.addresses import Address, Feed, handle_in, parse, post_id

_HOSTS = ["x.com", "www.x.com", "mobile.x.com", "twitter.com", "www.twitter.com", "mobile.twitter.com", "m.twitter.com"]


@pytest.mark.parametrize("host", _HOSTS)
@pytest.mark.parametrize(
    "scheme", ["https://", "http://", "HTTPS://", "//", ""], ids=["https", "http", "HTTPS", "//", ""]
)
def test_an_account_is_recognized_on_every_host(scheme: str, host: str) -> None:
    for rest in ("/OpenGovPart", "/@OpenGovPart", "/OpenGovPart/", "/OpenGovPart?s=20&t=x", "/OpenGovPart#top"):
        assert parse(f"{scheme}{host}{rest}") == Address(Feed.ACCOUNT, "OpenGovPart"), rest
        assert handle_in(f"{scheme}{host}{rest}") == "OpenGovPart"


@pytest.mark.parametrize(
    ("address", "feed", "value"),
    [
        ("@desk", Feed.ACCOUNT, "desk"),
        ("  @desk ", Feed.ACCOUNT, "desk"),
        ("https://x.com:443/desk", Feed.ACCOUNT, "desk"),
        ("https://x.com./desk", Feed.ACCOUNT, "desk"),
        ("https://twitter.com/#!/desk", Feed.ACCOUNT, "desk"),
        ("https://x.com/desk/with_replies", Feed.ACCOUNT, "desk"),
        ("https://x.com/desk/media", Feed.ACCOUNT, "desk"),
        ("https://x.com/intent/follow?screen_name=desk", Feed.ACCOUNT, "desk"),
        ("https://x.com/i/lists/1234567890", Feed.LIST, "1234567890"),
        ("https://mobile.twitter.com/i/lists/12/members", Feed.LIST, "12"),
        ("list:12", Feed.LIST, "12"),
        ("list:https://x.com/i/lists/12", Feed.LIST, "12"),
        ("LIST: 12", Feed.LIST, "12"),
        ("https://x.com/search?q=from%3Adesk%20OR%20%23plan&src=typed_query&f=live", Feed.SEARCH, "from:desk OR #plan"),
        ("https://twitter.com/search/%23plan", Feed.SEARCH, "#plan"),
        ("https://x.com/hashtag/OpenGov?src=hashtag_click", Feed.SEARCH, "#OpenGov"),
        ("https://x.com/hashtag/%D8%B4%D9%81%D8%A7%D9%81%D9%8A%D8%A9", Feed.SEARCH, "#شفافية"),
        ("search:  #plan   OR from:desk", Feed.SEARCH, "#plan OR from:desk"),
        ("mentions:@desk", Feed.MENTIONS, "desk"),
        ("mentions:desk", Feed.MENTIONS, "desk"),
        ("mentions:https://x.com/desk", Feed.MENTIONS, "desk"),
        ("quotes:@desk", Feed.QUOTES, "desk"),
    ],
)
def test_what_can_be_followed_is_recognized(address: str, feed: Feed, value: str) -> None:
    found = parse(address)
    assert found == Address(feed, value)
    assert found is not None
    assert parse(str(found)) == found  # the canonical form means the same


@pytest.mark.parametrize("address", ["https://x.com/i/user/150000001", "https://x.com/intent/user?user_id=150000001"])
def test_an_account_is_recognized_by_its_id(address: str) -> None:
    assert parse(address) == Address(Feed.ACCOUNT, "150000001", by_id=True)
    assert handle_in(address) is None


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("https://x.com/", "Use an account"),
        ("x.com", "Use an account"),
        ("https://x.com/home", "Use an account"),
        ("https://x.com/explore/tabs/for-you", "Use an account"),
        ("https://x.com/i/communities/1", "Use an account"),
        ("https://x.com/i/spaces/1abc", "Use an account"),
        ("https://x.com/search?f=live", "Use an account"),
        ("https://x.com/settings", "Use an account"),
        ("https://x.com/much_too_long_for_a_handle", "Use an account"),
        ("https://x.com/rss.xml", "Use an account"),
        ("https://help.x.com/en/using-x", "Use an account"),
        ("https://pic.twitter.com/abc.def", "Use an account"),
        ("https://x.com/desk/status/20", "Add its author: '@desk'"),
        ("https://twitter.com/desk/status/20/photo/1?s=20", "Add its author: '@desk'"),
        ("https://x.com/i/web/status/20", "Add its author: '@name'"),
        ("https://x.com/i/status/20", "Add its author: '@name'"),
        ("https://x.com/desk/lists/friends", "list:1234567890"),
        ("list:friends", "list:1234567890"),
        ("mentions:", "mentions:@name"),
        ("quotes:https://example.org/", "quotes:@name"),
        ("search: ", "The search is empty"),
    ],
)
def test_all_other_pages_of_x_are_answered_with_advice(address: str, advice: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        parse(address)
    assert advice in str(refused.value)


@pytest.mark.parametrize(
    "address",
    ["https://example.org/x.com/desk", "https://notx.com/desk", "https://x.com.example.org/", "desk", "@", "", "http://[",
     "@far_too_long_for_a_handle", "words with x.com in them"],
)  # fmt: skip
def test_addresses_elsewhere_are_left_alone(address: str) -> None:
    assert parse(address) is None


@pytest.mark.parametrize(
    "text",
    ["20", "x:20", "https://x.com/desk/status/20", "https://twitter.com/desk/statuses/20?s=1", "x.com/i/web/status/20",
     "https://mobile.twitter.com/desk/status/20/photo/1"],
)  # fmt: skip
def test_the_id_of_a_post_is_found_in_every_form(text: str) -> None:
    assert post_id(text) == "20"
