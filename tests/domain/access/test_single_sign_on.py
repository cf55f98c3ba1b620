"""Test who users of a sign-on provider are here: roles of groups, names, domains, and claims of any form."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.access.accounts import Account, Role
from aggregator.domain.access.single_sign_on import SignOnError, SignOnRules, check_claims, names_from, role_of, user_of
from tests.building import NOON

RULES = SignOnRules({"comms": Role.EDITOR, "web": Role.ADMIN, "all": Role.VIEWER}, "groups")
USER = {"sub": "7", "groups": ["all"]}


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["all", "comms"], Role.EDITOR),
        (["web", "all"], Role.ADMIN),
        ("comms", Role.EDITOR),
        (["x", 7, "all"], Role.VIEWER),
    ],
)
def test_the_highest_role_of_the_groups_counts(groups: object, role: Role) -> None:
    assert role_of(groups, RULES) is role


@pytest.mark.parametrize("groups", [None, [], "", "COMMS", ["comms,web"], {"comms": True}, 7, [["comms"]]])
def test_without_a_group_there_is_no_role(groups: object) -> None:
    with pytest.raises(SignOnError, match="in no group"):
        role_of(groups, RULES)


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": "mira.s"}, "mira.s"),
        ({"preferred_username": "mira@id.example"}, "mira"),
        ({"preferred_username": "", "email": "mira.s@id.example"}, "mira.s"),
        ({"name": "Míra  Šťastná"}, "Mira-Stastna"),
        ({"preferred_username": "../../admin\r\n<b>"}, "admin-b"),
        ({"preferred_username": "x" * 300}, "x" * 64),
        ({"preferred_username": "日本"}, "user"),
        ({}, "user"),
    ],
)
def test_names_are_those_that_the_desk_allows(claims: dict[str, Any], name: str) -> None:
    assert user_of({**USER, **claims}, "https://id.example", RULES, "token").name == name


def test_a_taken_name_gets_a_number() -> None:
    assert list(islice(names_from("mira"), 3)) == ["mira", "mira-2", "mira-3"]
    assert all(len(name) <= 64 for name in islice(names_from("x" * 64), 20))


@pytest.mark.parametrize("verified", [False, None, "false", 1, ["true"], {}])
def test_an_address_counts_only_if_the_provider_verified_it(verified: object) -> None:
    claims = {**USER, "email": "mira@example.org", "email_verified": verified}
    user = user_of(claims, "https://id.example", RULES, "token")
    assert user.email is None


_value = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.lists(st.integers(), max_size=2)
)


@given(
    st.dictionaries(st.sampled_from(["sub", "groups", "email", "email_verified", "sid", "aud", "azp", "iat"]), _value)
)
def test_claims_of_any_form_are_refused_or_fit(changes: dict[str, Any]) -> None:
    claims = {**USER, "aud": "desk", "iat": NOON.timestamp(), **changes}
    try:
        check_claims(claims, "desk", None, NOON)
        user = user_of(claims, "https://id.example", RULES, "token")
    except SignOnError:
        return
    assert user.subject
    assert user.role in Role


@pytest.mark.parametrize(("seconds", "fits"), [(0, True), (-59, True), (-61, False), (-3600, False)])
def test_a_confirmation_is_newer_than_its_request(seconds: int, fits: bool) -> None:
    claims = {"aud": "desk", "iat": NOON.timestamp(), "auth_time": (NOON + timedelta(seconds=seconds)).timestamp()}
    if fits:
        check_claims(claims, "desk", NOON, NOON)
    else:
        with pytest.raises(SignOnError, match="did not ask"):
            check_claims(claims, "desk", NOON, NOON)


@pytest.mark.parametrize(
    ("account", "role", "disable", "others", "last"),
    [
        (Role.ADMIN, None, True, 0, True),
        (Role.ADMIN, Role.EDITOR, False, 0, True),
        (Role.ADMIN, Role.ADMIN, False, 0, False),
        (Role.ADMIN, None, True, 1, False),
        (Role.EDITOR, None, True, 0, False),
    ],
)
def test_the_last_admin_is_known(account: Role, role: Role | None, disable: bool, others: int, last: bool) -> None:
    found = Account(1, "ana", account, NOON, NOON)
    assert found.is_last_admin(role, disable=disable, others=others) is last
