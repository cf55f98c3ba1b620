"""Make recovery codes, which replace the codes of a lost authenticator app. Pure."""

from __future__ import annotations

import base64
import re
import secrets

from aggregator.domain.access.api_tokens import digest_of

COUNT = 10
LONGEST = 40  # characters of a typed code with spaces and hyphens
_BYTES = 10  # 80 random bits: one round of SHA-256 is enough for its digest
_SEPARATORS = re.compile(r"[\s-]+")
_CODE = re.compile(r"[A-Z2-7]{16}")


def make_codes() -> list[str]:
    """Return new codes in groups of four letters and digits, for people: "ABCD-EFGH-IJKL-MNOP"."""
    return ["-".join(re.findall("....", base64.b32encode(secrets.token_bytes(_BYTES)).decode())) for _ in range(COUNT)]


def recovery_digest(typed: str) -> str | None:
    """Return the stored digest of a typed code; None if it can't be a recovery code."""
    code = _SEPARATORS.sub("", typed).upper()
    return digest_of(code) if _CODE.fullmatch(code) else None
