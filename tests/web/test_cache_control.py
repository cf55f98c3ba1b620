"""Test Cache-Control: responses to callers with a token stay out of shared caches."""

from __future__ import annotations

import pytest

from aggregator.web.cache_control import ALWAYS_ASK, FRESH, headers_for


@pytest.mark.parametrize("cache", [FRESH, ALWAYS_ASK])
def test_a_public_response_may_be_shared(cache: str) -> None:
    assert headers_for(None, cache) == {"Cache-Control": cache, "Vary": "Authorization"}


def test_a_response_to_a_token_is_private() -> None:
    assert headers_for("0123456789ab", FRESH) == {"Cache-Control": "private, max-age=1", "Vary": "Authorization"}
    assert headers_for("0123456789ab", ALWAYS_ASK)["Cache-Control"] == "private, no-cache"
