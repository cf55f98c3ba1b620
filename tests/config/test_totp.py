"""Test codes of authenticator apps with the values of RFC 6238."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from aggregator.config.totp import address_of, new_key, step_of
from aggregator.domain.secrets import Secret

KEY = Secret(base64.b32encode(b"12345678901234567890").decode())


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)  # fmt: skip
def test_the_values_of_the_standard(seconds: int, code: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    step = seconds // 30
    assert step_of(KEY, f"{code[:3]} {code[3:]}", at) == step
    for seconds_off in (-30, 30):
        assert step_of(KEY, code, at + timedelta(seconds=seconds_off)) == step
    for seconds_off in (-60, 60):
        assert step_of(KEY, code, at + timedelta(seconds=seconds_off)) is None


@pytest.mark.parametrize("code", ["", "28708", "2870820", "28708x", "\uff12\uff18\uff17\uff10\uff18\uff12", "-28708"])
def test_other_texts_are_no_codes(code: str) -> None:
    assert step_of(KEY, code, datetime.fromtimestamp(59, UTC)) is None


def test_apps_read_the_key_and_the_name_from_the_address() -> None:
    key = new_key()
    address = urlsplit(address_of(key, "Review desk (stream.example)", "ana.b"))
    assert (address.scheme, address.netloc) == ("otpauth", "totp")
    assert address.path == "/Review%20desk%20%28stream.example%29:ana.b"
    assert parse_qs(address.query) == {"secret": [key.reveal()], "issuer": ["Review desk (stream.example)"]}
    assert len(base64.b32decode(key.reveal())) == 20
    assert new_key() != key
