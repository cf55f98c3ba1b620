"""Write formulas in MathML as HTML text: fractions with "/", roots with "√", exponents and indices raised and lowered.

Pure.
"""

from __future__ import annotations

import html as entities
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aggregator.text.html_tokens import Scanner

if TYPE_CHECKING:
    from collections.abc import Callable

_DEEPEST = 50
_INVISIBLE = str.maketrans("", "", "\u2061\u2062\u2063\u2064\u200b")  # function application, times, separator, plus
_LEFT_OUT = frozenset({"annotation", "annotation-xml", "mphantom", "none", "mprescripts", "script", "style"})
# HTML that ends a formula without an end tag, as browsers see it.
_BREAKS_OUT_NAMES = (
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li menu nobr ol p "
    "pre ruby s small span strong strike sub sup table tt u ul var"
)
_BREAKS_OUT = frozenset(_BREAKS_OUT_NAMES.split())


@dataclass(slots=True)
class _Node:
    name: str
    attributes: dict[str, str]
    children: list[_Node | str] = field(default_factory=list)


def formula_at(html: str, start: int, end: int) -> tuple[str, int]:
    """Return a formula as HTML, and where it ends.

    Args:
        html: the text with the formula.
        start: where the content of the `<math>` starts.
        end: where its end tag starts; the end of the text if it has none.
    """
    scanner = Scanner(html, start, end)
    root = _Node("math", {})
    stack, at = [root], start
    while (tag := scanner.next_tag()) is not None:
        _add_text(stack[-1], html[at : tag.start])
        name = tag.name.rpartition(":")[2]
        if name in _BREAKS_OUT and stack[-1].name not in {"mtext", "annotation-xml"}:
            return _written(root, 0).strip(), tag.start
        at = tag.end
        if tag.closing:
            _close(stack, name)
        elif not tag.self_closed:
            node = _Node(name, tag.attributes())
            stack[-1].children.append(node)
            if len(stack) < _DEEPEST:
                stack.append(node)
        elif name == "mspace":
            stack[-1].children.append(" ")
    _add_text(stack[-1], html[at:end])
    return _written(root, 0).strip(), end


def _add_text(node: _Node, text: str) -> None:
    words = " ".join(entities.unescape(text).translate(_INVISIBLE).split())
    if words:
        spaced = f" {words} " if node.name == "mtext" else words
        node.children.append(spaced)


def _close(stack: list[_Node], name: str) -> None:
    for depth in range(len(stack) - 1, 0, -1):
        if stack[depth].name == name:
            del stack[depth:]
            return


def _written(node: _Node, depth: int) -> str:
    if node.name in _LEFT_OUT or depth > _DEEPEST:
        return ""
    pieces = [
        _written(child, depth + 1) if isinstance(child, _Node) else entities.escape(child, quote=False)
        for child in node.children
    ]
    write = _WRITERS.get(node.name)
    parts = [piece for piece, child in zip(pieces, node.children, strict=True) if isinstance(child, _Node)]
    if write is not None and len(parts) >= _FEWEST.get(node.name, 1):
        return write(node, parts)
    return "".join(pieces)


def _grouped(text: str) -> str:
    return text if re.fullmatch(r"\w*", text) else f"({text})"


def _with_scripts(_: _Node, parts: list[str]) -> str:
    low, high = parts[1], parts[2]
    return f"{parts[0]}{f'<sub>{low}</sub>' if low else ''}{f'<sup>{high}</sup>' if high else ''}"


def _fenced(node: _Node, parts: list[str]) -> str:
    opening, closing = node.attributes.get("open", "("), node.attributes.get("close", ")")
    return f"{entities.escape(opening)}{', '.join(parts)}{entities.escape(closing)}"


def _scripted(tag: str) -> Callable[[_Node, list[str]], str]:
    return lambda _, parts: f"{parts[0]}<{tag}>{''.join(parts[1:])}</{tag}>"


_WRITERS: dict[str, Callable[[_Node, list[str]], str]] = {
    "mfrac": lambda _, parts: f"{_grouped(parts[0])}/{_grouped(parts[1])}",
    "msup": _scripted("sup"),
    "msub": _scripted("sub"),
    "mover": lambda _, parts: "".join(parts),
    "munder": _scripted("sub"),
    "msubsup": _with_scripts,
    "munderover": _with_scripts,
    "msqrt": lambda _, parts: f"√{_grouped(''.join(parts))}",
    "mroot": lambda _, parts: f"<sup>{parts[1]}</sup>√{_grouped(parts[0])}",
    "mfenced": _fenced,
    "mtable": lambda _, parts: "; ".join(parts),
    "mtr": lambda _, parts: ", ".join(parts),
    "semantics": lambda _, parts: parts[0],  # the others are annotations
}
_FEWEST = {"msubsup": 3, "munderover": 3, "mfrac": 2, "msup": 2, "msub": 2, "mover": 2, "munder": 2, "mroot": 2}
