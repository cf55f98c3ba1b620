"""Find the direction in which a text is written."""

from __future__ import annotations

import unicodedata

# Languages that are written from right to left, unless their tag names another script (BCP 47).
_LANGUAGES = frozenset("ar arc ckb dv fa he nqo ps sd syr ug ur yi".split())  # noqa: SIM905  # a list of codes
_SCRIPTS = frozenset({"arab", "hebr", "nkoo", "syrc", "thaa"})
_LONGEST_LOOK = 300  # characters


def is_right_to_left(lang: str | None, text: str) -> bool:
    """Return whether a text is written from right to left: by its language, or if that is unknown, by its letters."""
    if lang:
        language, *subtags = lang.lower().split("-")
        scripts = [subtag for subtag in subtags if len(subtag) == 4 and subtag.isalpha()]  # noqa: PLR2004  # BCP 47
        return scripts[0] in _SCRIPTS if scripts else language in _LANGUAGES
    for char in text[:_LONGEST_LOOK]:
        direction = unicodedata.bidirectional(char)
        if direction in {"L", "R", "AL"}:
            return direction != "L"
    return False
