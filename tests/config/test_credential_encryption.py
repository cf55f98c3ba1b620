"""Test the encryption of credentials: bound to a key and a host, and readable if a former release wrote them."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from aggregator.config.credential_encryption import HeaderCipher
from aggregator.domain.errors import SignInError
from aggregator.domain.secrets import Secret

KEY = "a secret key that is long enough"
OTHER = "another key, which is long enough, too"
HOST = "feeds.example:443"
HEADERS = {"Authorization": "Basic YTpi"}


def test_headers_come_back_for_their_host_alone() -> None:
    cipher = HeaderCipher(Secret(KEY))
    sealed = cipher.close(HOST, HEADERS)
    assert "Basic" not in sealed
    assert cipher.open(HOST, sealed) == HEADERS
    with pytest.raises(SignInError, match="not for other"):
        cipher.open("other.example:443", sealed)


@pytest.mark.parametrize("sealed", ["", "x", "é", "gAAAAA=="])
def test_what_another_key_or_nobody_encrypted_is_refused(sealed: str) -> None:
    with pytest.raises(SignInError, match="another AGGREGATOR_SECRET_KEY"):
        HeaderCipher(Secret(KEY)).open(HOST, sealed)
    with pytest.raises(SignInError, match="another AGGREGATOR_SECRET_KEY"):
        HeaderCipher(Secret(KEY + "!")).open(HOST, HeaderCipher(Secret(KEY)).close(HOST, HEADERS))


def test_the_key_is_derived_by_hkdf() -> None:
    derived = HKDF(SHA256(), 32, salt=None, info=b"sign-ins of sources").derive(KEY.encode())
    stored = Fernet(base64.urlsafe_b64encode(derived)).decrypt(HeaderCipher(Secret(KEY)).close(HOST, HEADERS))
    assert json.loads(stored)["headers"] == HEADERS


def test_credentials_of_a_former_release_are_read() -> None:
    derived = hashlib.sha256(b"sign-ins of sources\n" + KEY.encode()).digest()
    content = json.dumps({"host": HOST, "headers": HEADERS}).encode()
    sealed = Fernet(base64.urlsafe_b64encode(derived)).encrypt(content).decode()
    assert HeaderCipher(Secret(KEY)).open(HOST, sealed) == HEADERS


def test_former_keys_are_only_read_with() -> None:
    former, present = HeaderCipher(Secret(KEY)), HeaderCipher(Secret(OTHER))
    both = HeaderCipher(Secret(OTHER), Secret(KEY))
    sealed = former.close(HOST, HEADERS)
    assert both.open(HOST, sealed) == HEADERS
    assert not both.is_present(sealed)
    again = both.encrypted_again(sealed)
    assert again is not None
    assert both.is_present(again)
    assert present.open(HOST, again) == HEADERS
    assert present.encrypted_again(sealed) is None
