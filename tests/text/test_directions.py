"""Test in which direction a text is written."""

from __future__ import annotations

import pytest

from aggregator.text.directions import is_right_to_left


@pytest.mark.parametrize(
    ("lang", "text", "expected"),
    [
        pytest.param("ar", "Hello", True, id="language-before-letters"),
        pytest.param("he-IL", "x", True, id="region"),
        pytest.param("en", "شكرا", False, id="english"),
        pytest.param("az-Arab", "x", True, id="script"),
        pytest.param("ur-Latn", "x", False, id="latin-script"),
        pytest.param(None, "123 ... شكرا hello", True, id="first-letter-arabic"),
        pytest.param(None, "@hub שלום", False, id="first-letter-latin"),
        pytest.param(None, "", False, id="empty"),
        pytest.param(None, "🎉 42", False, id="no-letter"),
    ],
)
def test_direction(lang: str | None, text: str, expected: bool) -> None:
    assert is_right_to_left(lang, text) is expected
