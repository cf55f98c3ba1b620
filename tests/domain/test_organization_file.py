"""Test the file of accounts that belong together: what it declares, and the line of each error."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aggregator.domain.activity import Actor
from aggregator.domain.errors import ConfigurationError
from aggregator.domain.organization_file import parse_organizations

FILE = """# The council and its accounts.
[organizations.council]
within_minutes = 30
accounts = [
  "x:@CityCouncil",
  "bluesky:did:plc:z72i7hdynmk6r22z27h6tvur",
  "mastodon:council@social.example",
]

[organizations.museum]
accounts = ["x:museum", "bluesky:@museum.example"]
"""


@pytest.mark.parametrize(
    ("actor", "slug"),
    [
        (Actor("x", "1", "City", "citycouncil"), "council"),
        (Actor("bluesky", "did:plc:z72i7hdynmk6r22z27h6tvur", "City", "renamed.example"), "council"),
        (Actor("mastodon", "https://social.example/users/council", "City", "Council@social.example"), "council"),
        (Actor("mastodon", "https://other.example/users/council", "City", "council@other.example"), None),
        (Actor("bluesky", "did:plc:other", "City", "citycouncil"), None),
        (Actor("x", "2", "Museum", None), None),
    ],
    ids=["handle", "id", "server", "another-server", "another-network", "no-handle"],
)
def test_accounts_are_known_by_their_network_and_handle_or_id(actor: Actor, slug: str | None) -> None:
    found = parse_organizations(FILE).of_actor(actor)
    assert (found.slug if found else None) == slug


def test_the_time_has_a_default() -> None:
    by_account = parse_organizations(FILE).by_account
    assert by_account["x:citycouncil"].within == timedelta(minutes=30)
    assert by_account["x:museum"].within == timedelta(hours=1)
    assert not parse_organizations("")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("within_minutes = 30", "within_minutes = 0", r"Line 3: organizations\.council\.within_minutes: .* 1\."),
        ("within_minutes = 30", "within_minutes = 2000", "Line 3: "),
        ("within_minutes", "minutes", r"Line 3: organizations\.council\.minutes: "),
        ('"x:@CityCouncil"', '"@CityCouncil"', "Line 5: '@CityCouncil' is not a network and a handle"),
        ('"x:@CityCouncil"', '"myspace:council"', "Line 5: there is no network 'myspace'; expected one of bluesky, "),
        ('"x:@CityCouncil"', '"x:"', "Line 5: "),
        ('"x:museum"', '"x:citycouncil"', "Line 11: x:citycouncil belongs to 'council' already"),
        ('"x:museum", ', "", r"Line 11: organizations\.museum\.accounts: .* at least 2 items"),
        ('"x:museum"', "5", r"Line 11: organizations\.museum\.accounts\.1: "),
        ("[organizations.museum]", "[organizations.Museum]", r"Line 10: organizations\.Museum: use lowercase letters"),
        ("[organizations.museum]", "[organizations.museum", r"Invalid TOML: .*line 10"),
        ("[organizations.museum]", "[museum]", "museum"),
    ],
    ids=["short", "long", "key", "bare", "network", "empty", "twice", "alone", "type", "slug", "toml", "table"],
)
def test_an_error_names_its_line(old: str, new: str, message: str) -> None:
    assert old in FILE
    with pytest.raises(ConfigurationError, match=message):
        parse_organizations(FILE.replace(old, new, 1))


def test_hostile_files_are_refused() -> None:
    deep = "a = " + "[" * 100_000
    with pytest.raises(ConfigurationError):
        parse_organizations(deep)
