"""Replace tags of HTML one by one, leaving everything else as it is. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.text.html_tokens import Scanner

if TYPE_CHECKING:
    from aggregator.text.html_tokens import Tag

# Parts of a text, in lower case, in which an element may be hidden.
HIDING_TEXTS = (
    *("display:none", "display: none", "display :", "visibility:", "visibility :"),
    *(" hidden>", " hidden ", " hidden="),
)
DEEPEST = 3  # contents for programs without scripts or plug-ins, within each other


class HtmlRewriter:
    """Walks through the tags of HTML. A subclass replaces some of them with `edit`."""

    def __init__(self, html: str, depth: int = 0) -> None:
        self.html = html
        self.depth = depth
        low = html.lower()
        # Formatting and structure matter only where they hide something.
        self.scanner = Scanner(html, every="</br" in low or any(text in low for text in HIDING_TEXTS))
        self.pieces: list[str] = []  # of the output
        self._copied = 0

    def run(self) -> str:
        """Return the HTML with its replacements."""
        while (tag := self.scanner.next_tag()) is not None:
            if tag.closing:
                self.close(tag)
            else:
                self.open(tag)
        self.pieces.append(self.html[self._copied :])
        return "".join(self.pieces)

    def open(self, tag: Tag) -> None:
        """Handle a start tag."""

    def close(self, tag: Tag) -> None:
        """Handle an end tag."""

    def edit(self, start: int, end: int, text: str) -> int:
        """Replace a part of the input, and continue behind it; return the index of the new piece."""
        self.pieces += [self.html[self._copied : start], text]
        self._copied = end
        self.scanner.at = max(self.scanner.at, end)
        return len(self.pieces) - 1

    def drop(self, tag: Tag) -> None:
        """Remove a tag, but not the content of its element."""
        self.edit(tag.start, tag.end, "")
