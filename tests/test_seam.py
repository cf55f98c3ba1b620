"""Check that modules outside of a kind of source or network don't name it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aggregator.sources import kinds

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("modules")  # all modules are parsed once per process

ROOT = Path(__file__).parents[1]
TEMPLATES = sorted(ROOT.glob("aggregator/*/templates/*"))
NAMES = frozenset(kinds()) | {network.name for kind in kinds().values() for network in kind.networks} | {"ical"}
LABELS = sorted({network.label for kind in kinds().values() for network in kind.networks})
HOSTS = sorted({host for kind in kinds().values() for network in kind.networks for host in network.hosts})
LOWER = ("[Tt]witter", "[Tt]weets?", "[Rr]etweets?")
# "X-Forwarded-For" is no network.
WORDS = re.compile(rf"\b(?:{'|'.join([*map(re.escape, [*LABELS, *HOSTS]), *LOWER])})\b(?!-)")
IDENTIFIERS = re.compile(r"(?:^|_)twitter(?:_|$)|^x_|_x$", re.IGNORECASE)

# Module -> why it may.
EXCEPTIONS = {
    "aggregator/demo": "a sample of the API of X, for the first run",
    "storage/migrations": "what was stored at the time",
    "aggregator/reader/feeds/rss.py": "RSS as a format of output",
    "aggregator/reader/feed_endpoints.py": "RSS and calendars as formats of output",
    "aggregator/reader/html_pages.py": "RSS as a format of output",
    "aggregator/cli/demo.py": "the demonstration",
    "aggregator/text/pictures.py": 'hosts that count readers; "x" is a unit of srcset',
    "aggregator/text/player_repair.py": "elements that articles embed, whatever the source",
    "aggregator/text/players.py": "sites whose players articles embed, whatever the source",
    "aggregator/web/addresses.py": "names of sites that articles link to, whatever the source",
    "aggregator/reader/examples.py": "examples in the API documentation",
    "aggregator/reader/schemas.py": "examples in the API documentation",
    "aggregator/reader/query_params.py": "examples in the API documentation",
    "aggregator/services/subscription_lists/opml.py": 'type="rss" is the word of the OPML specification',
    "aggregator/domain/compliance/takedowns.py": "a stored value",
}


def _modules() -> Iterator[Path]:
    for folder in ("aggregator", "storage"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith("aggregator/sources/") and not any(name.startswith(part) for part in EXCEPTIONS):
                yield path
    yield ROOT / "worker.py"
    yield ROOT / "scheduler.py"


def _docstrings(tree: ast.AST) -> set[int]:
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    return {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}


def _named(source: str) -> Iterator[str]:
    tree = ast.parse(source)
    passed_over = _docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed_over:
            if node.value in NAMES or WORDS.search(node.value):
                yield f"line {node.lineno}: {node.value!r}"
        elif isinstance(node, ast.Name | ast.Attribute | ast.arg):
            name = {ast.Name: "id", ast.Attribute: "attr", ast.arg: "arg"}[type(node)]
            if IDENTIFIERS.search(getattr(node, name)):
                yield f"line {node.lineno}: {getattr(node, name)}"


def test_modules_name_no_kind_and_no_network() -> None:
    paths = list(_modules())
    assert len(paths) > 200
    named = {path.relative_to(ROOT).as_posix(): list(_named(path.read_text(encoding="utf-8"))) for path in paths}
    assert {path: names for path, names in named.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    ['network = "x"', "kind == 'rss'", "settings.x_budget", "follow(twitter_name)", 'say("an account on X")'],
    ids=["network", "kind", "setting", "identifier", "words"],
)
def test_the_search_finds_names(source: str) -> None:
    assert list(_named(source))


@pytest.mark.parametrize("part", sorted(EXCEPTIONS))
def test_an_exception_is_still_needed(part: str) -> None:
    paths = [ROOT / part] if part.endswith(".py") else sorted((ROOT / part).rglob("*.py"))
    assert any(list(_named(path.read_text(encoding="utf-8"))) for path in paths)


def test_templates_name_no_network() -> None:
    assert TEMPLATES
    found = {}
    for path in TEMPLATES:
        # The name of the preview's size is that of the first network that had previews; others read it, too.
        text = re.sub(r"<kbd>.*?</kbd>|twitter:card", "", path.read_text(encoding="utf-8"))
        found[path.name] = [
            *WORDS.findall(text),
            *(name for name in re.findall(r"""["'](\w+)["']""", text) if name in NAMES),
        ]
    assert {name: words for name, words in found.items() if words} == {}
