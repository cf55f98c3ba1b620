"""Find the tags of HTML by the rules of HTML's tokenizer, in linear time. Pure."""

from __future__ import annotations

import html as entities
import re
from functools import lru_cache
from typing import NamedTuple

_VOID_NAMES = "area base br col embed hr img input link meta param source track wbr"
VOID = frozenset(_VOID_NAMES.split())
_RAW_TEXT_NAMES = "script style iframe textarea title xmp noembed noframes"
RAW_TEXT = frozenset(_RAW_TEXT_NAMES.split())  # "<" starts no tag in these

_CODE = frozenset({"script", "style"})
# A quote counts only in a value, as in browsers. An unclosed tag reaches to the end: each character is read once.
_VALUE = r"""=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\s>"'][^\s>]*+)?+"""
_TOKEN = re.compile(
    rf"<(?:(?P<comment>!--)|(?P<end>/)?+(?P<name>[A-Za-z][^\s/>]*+)(?P<rest>(?:[^>=]++|{_VALUE})*+)(?P<close>>|\Z)"
    r"|[!?/][^>]*+(?:>|\Z))"
)
# Most tags, with the text before each: passing over them at once is ten times as fast as looking at each.
_USUAL_NAMES = (
    "p|a|strong|em|b|i|u|s|span|div|ul|ol|li|h[1-6]|figure|figcaption|blockquote|table|t[drh]|tbody|thead|code|pre|hr|"
    "br|su[pb]|small|time|cite|q|d[ltd]|section|article|header|footer|aside|main|del|ins|font|center|abbr|wbr"
)
_USUAL_TAGS = re.compile(rf"[^<]*+(?:</?(?:{_USUAL_NAMES})(?=[\s/>])(?:[^>=]++|{_VALUE})*+>[^<]*+)*+", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([^\s/>=][^\s/>=]*+)(?:\s*+=\s*+(?:"([^"]*+)"?+|'([^']*+)'?+|([^\s>]*+)))?+""")
_NOT_SPACE = re.compile(r"\S")
_COMMENT_END = re.compile(r"--!?>")
_MOST_ATTRIBUTES = 100


@lru_cache(maxsize=64)
def _tag_pattern(name: str, *, closing: bool) -> re.Pattern[str]:
    return re.compile(rf"<{'/' if closing else ''}(?:[a-z]{{1,8}}:)?{re.escape(name)}(?=[\s/>])", re.IGNORECASE)


class Tag(NamedTuple):
    """A tag and its place in the text. An unclosed comment is a tag named "!--"."""

    name: str  # lower case
    closing: bool
    start: int
    end: int
    rest: str  # the attributes as written

    @property
    def self_closed(self) -> bool:
        """Return whether it ends in "/>", which has a meaning in XML only."""
        return self.rest.endswith("/")

    def attributes(self) -> dict[str, str]:
        """Return the attributes with lower-case names and decoded values; of equal names the first."""
        found: dict[str, str] = {}
        for match in _ATTRIBUTE.finditer(self.rest):
            value = match[2] or match[3] or match[4] or ""
            found.setdefault(match[1].lower(), entities.unescape(value).strip() if "&" in value else value.strip())
            if len(found) == _MOST_ATTRIBUTES:
                break
        return found


class Scanner:
    """Finds tags one after the other. The caller may move `at` forward.

    Args:
        html: the text.
        at: where to start.
        end: where to stop.
        every: also find the tags of formatting and structure.
    """

    def __init__(self, html: str, at: int = 0, end: int | None = None, *, every: bool = True) -> None:
        self.html, self.at, self.end = html, at, len(html) if end is None else end
        self._every = every
        self._ends: dict[str, tuple[int, int]] = {}  # name -> where a search began, and what it found
        self._unclosed_comment = False

    def next_tag(self) -> Tag | None:
        """Return the next tag outside of comments."""
        while (match := self._next_token()) is not None:
            self.at = match.end()
            if match["comment"]:
                unclosed = self._pass_comment(match.start())
                if unclosed is not None:
                    return unclosed
            elif match["name"]:
                if not match["close"]:  # browsers ignore an unclosed tag
                    self.at = self.end
                    return None
                closing = match["end"] is not None
                return Tag(match["name"].lower(), closing, match.start(), match.end(), match["rest"])
        return None

    def _next_token(self) -> re.Match[str] | None:
        usual = None if self._every else _USUAL_TAGS.match(self.html, self.at, self.end)
        return _TOKEN.search(self.html, usual.end() if usual else self.at, self.end)

    def end_tag(self, name: str, start: int) -> int:
        """Return where the next end tag of that name starts, or -1. Repeated searches cost nothing."""
        name = name.rpartition(":")[2]  # of any prefix
        began, found = self._ends.get(name, (start + 1, 0))
        if began <= start and (found == -1 or found >= start):
            return found
        match = _tag_pattern(name, closing=True).search(self.html, start, self.end)
        found = match.start() if match else -1
        self._ends[name] = (start, found)
        return found

    def raw_text_end(self, tag: Tag) -> int:
        """Return where the text of an element in `RAW_TEXT` ends.

        Browsers take all that follows an unclosed `<iframe>` or an XML writer's `<script/>` for its text. Here such an
        element is empty, so that the rest of the article stays. Code without an end remains code.
        """
        end = self.end_tag(tag.name, tag.end)
        code = tag.name in _CODE and not re.search(r"(?i)\bsrc\s*=", tag.rest)
        if end == -1:
            return self.end if code and not tag.self_closed else tag.end
        empty = not _NOT_SPACE.search(self.html, tag.end, end)
        opens_again = _tag_pattern(tag.name, closing=False).search(self.html, tag.end, end) is not None
        if tag.self_closed and not empty and (opens_again or not code):
            return tag.end
        return tag.end if opens_again and tag.name not in _CODE else end

    def _pass_comment(self, start: int) -> Tag | None:
        """Continue behind a comment; return it if it is unclosed, as if it ended with its first ">"."""
        if self.html.startswith((">", "->"), self.at):
            return None
        if not self._unclosed_comment:
            match = _COMMENT_END.search(self.html, self.at, self.end)
            if match:
                self.at = match.end()
                return None
            self._unclosed_comment = True
        close = self.html.find(">", self.at, self.end)
        self.at = self.end if close == -1 else close + 1
        return Tag("!--", False, start, self.at, "")
