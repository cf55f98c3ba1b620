"""Test host groups: the longest suffix applies, ports are separate, and empty fields use the defaults."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aggregator.domain.polling.host_groups import HostGroup, HostGroups, HostPolicy, Pauses

SECOND = timedelta(seconds=1)
GROUPS = HostGroups(
    [
        HostGroup("tumblr.com", "tumblr.com"),
        HostGroup("redd.it", "reddit.com", concurrency=2),
        HostGroup("reddit.com", "reddit.com", spacing=10 * SECOND),
        HostGroup("slow.reddit.com", "slow", spacing=60 * SECOND, pauses=Pauses.URL),
    ]
)


@pytest.mark.parametrize(
    ("host", "policy"),
    [
        ("a.tumblr.com:443", HostPolicy("tumblr.com:443", 2 * SECOND, 1, Pauses.GROUP)),
        ("tumblr.com:80", HostPolicy("tumblr.com:80", 2 * SECOND, 1, Pauses.GROUP)),
        ("nottumblr.com:443", HostPolicy("nottumblr.com:443", 2 * SECOND, 1, Pauses.GROUP)),
        ("tumblr.com.example:443", HostPolicy("tumblr.com.example:443", 2 * SECOND, 1, Pauses.GROUP)),
        ("old.reddit.com:443", HostPolicy("reddit.com:443", 10 * SECOND, 1, Pauses.GROUP)),
        ("redd.it:443", HostPolicy("reddit.com:443", 2 * SECOND, 2, Pauses.GROUP)),
        ("very.slow.reddit.com:443", HostPolicy("slow:443", 60 * SECOND, 1, Pauses.URL)),
        ("::1:8080", HostPolicy("::1:8080", 2 * SECOND, 1, Pauses.GROUP)),
    ],
)
def test_how_a_host_is_treated(host: str, policy: HostPolicy) -> None:
    assert GROUPS.policy(host, spacing=2 * SECOND, concurrency=1) == policy
    assert GROUPS.name_of(host) == policy.name
