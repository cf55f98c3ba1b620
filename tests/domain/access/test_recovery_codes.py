"""Test recovery codes as people copy them."""

from __future__ import annotations

import re

import pytest

from aggregator.domain.access.recovery_codes import LONGEST, make_codes, recovery_digest


def test_codes_are_different_and_typed_in_any_form() -> None:
    codes = make_codes()
    assert len({recovery_digest(code) for code in codes}) == 10
    for code in codes:
        assert re.fullmatch(r"([A-Z2-7]{4}-){3}[A-Z2-7]{4}", code)
        assert len(code) <= LONGEST
        forms = {code, code.lower(), code.replace("-", ""), code.replace("-", " "), f" {code}\n"}
        assert {recovery_digest(form) for form in forms} == {recovery_digest(code)}
    assert not set(codes) & set(make_codes())


@pytest.mark.parametrize("text", ["", "123456", "ABCD-EFGH-IJKL", "ABCD-EFGH-IJKL-MNO1", "ABCD-EFGH-IJKL-MNOPQ"])
def test_other_texts_are_no_recovery_codes(text: str) -> None:
    assert recovery_digest(text) is None
