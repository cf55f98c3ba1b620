"""Give the check of tokens everything that is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.access.single_sign_on import SignOnError
from aggregator.services.id_tokens import Expected, key_set, verified
from tests.building import NOON
from tests.openid_provider import Key, b64

KEY = Key("first")
KEYS = key_set({"keys": [KEY.public()]})
EXPECTED = Expected("https://id.example", "desk", "nonce")
NOW = int(NOON.timestamp())
CLAIMS = {"iss": "https://id.example", "aud": "desk", "nonce": "nonce", "iat": NOW, "exp": NOW + 60, "sub": "7"}

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_a_good_token_is_accepted() -> None:
    assert verified(KEY.signed(CLAIMS), KEYS, EXPECTED, NOON)["sub"] == "7"
    assert verified(KEY.signed({**CLAIMS, "aud": ["desk", "other"]}), KEYS, EXPECTED, NOON)["sub"] == "7"


@given(st.text(max_size=200))
def test_texts_are_refused(token: str) -> None:
    with pytest.raises(SignOnError):
        verified(token, KEYS, EXPECTED, NOON)


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jku", "jwk", "b64", "zip"]), _json), _json)
def test_headers_and_claims_of_any_form_are_refused(header: dict[str, Any], claims: Any) -> None:
    token = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}.{b64(b'signature')}"
    with pytest.raises(SignOnError):
        verified(token, KEYS, EXPECTED, NOON)


@given(st.dictionaries(st.sampled_from([*CLAIMS, "nbf", "jti"]), _json, min_size=1))
def test_signed_claims_of_any_form_are_refused_or_fit(changes: dict[str, Any]) -> None:
    try:
        found = verified(KEY.signed({**CLAIMS, **changes}), KEYS, EXPECTED, NOON)
    except SignOnError:
        return
    assert found["iss"] == CLAIMS["iss"]
    assert found["aud"] == "desk" or "desk" in found["aud"]
    assert found["exp"] > NOW - 61


@given(_json)
def test_documents_without_keys_are_refused(document: Any) -> None:
    with pytest.raises(SignOnError):
        key_set(document)
    with pytest.raises(SignOnError):
        key_set({"keys": document})


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "RSA", "n": "AQAB", "e": "x" * 1000},
        {"kty": "EC", "crv": "P-256", "x": "", "y": ""},
        {"kty": "OKP", "crv": "Ed25519", "x": 7},
        {**KEY.public(), "use": "enc"},
        {"kty": ["RSA"]},
    ],
)
def test_unusable_keys_are_left_out(key: dict[str, Any]) -> None:
    with pytest.raises(SignOnError, match="no usable keys"):
        key_set({"keys": [key]})
    assert len(key_set({"keys": [key, KEY.public()]}).keys) == 1
