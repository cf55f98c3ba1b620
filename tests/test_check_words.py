"""Test that scripts/check-words counts prose and names, and nothing else."""

from __future__ import annotations

import importlib.util
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

SCRIPT = Path(__file__).parents[1] / "scripts" / "check-words"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    loader = SourceFileLoader("check_words", str(SCRIPT))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    # Not registered in sys.modules and leaving no bytecode beside the script.
    exec(compile(SCRIPT.read_text(encoding="utf-8"), SCRIPT, "exec"), module.__dict__)
    return module


def _listed(script: Any, name: str, source: str) -> list[tuple[int, str]]:
    path = Path(name)
    return [(place.line, place.word) for prose in script.prose_of(path, source) for place in script.listed_in(prose)]


def _names(script: Any, name: str, source: str) -> list[tuple[int, str]]:
    return [(place.line, place.word) for place in script.names_of(Path(name), source)]


@pytest.mark.parametrize(
    ("name", "source", "listed"),
    [
        pytest.param(
            "a.py", '"""Nobody\n\nknows what\nis here."""\n', [(1, "nobody"), (3, "what\nis")], id="docstring"
        ),
        pytest.param("a.py", "x = 1  # whoever reads\n", [(1, "whoever")], id="comment"),
        pytest.param("a.py", 'x = "nobody said"\n', [], id="not-a-string"),
        pytest.param(
            "a.py", '@click.option("--x", help="Otherwise " "none.")\ndef f(): ...\n', [(1, "otherwise")], id="help"
        ),
        pytest.param("a.py", 'x = Option("X", str, "a b", "what is read")\n', [(1, "what is")], id="setting"),
        pytest.param("a.py", '"""Raise `told` and "said" here."""\n', [], id="not-a-quotation"),
        pytest.param("a.py", '"""Whatsoever dearest."""\n', [], id="whole-words-only"),
        pytest.param("a.html", "<p>Tell\n{% if told %}us{% endif %}</p>", [(1, "tell")], id="template-text"),
        pytest.param(
            "a.html",
            '<p title="of ours">{{ "nobody here" if x else y }}</p>',
            [(1, "of ours"), (1, "nobody")],
            id="template-attribute",
        ),
        pytest.param(
            "a.js", 'x("https://whoever"); // anew\n/* dear\n*/', [(1, "anew"), (2, "dear")], id="script-comment"
        ),
        pytest.param("a.md", "One\n\ntells `what is`\n```\nsaid\n```\n", [(3, "tells")], id="markdown"),
        pytest.param(
            "Makefile", "# says it\nx: ## said\n\techo said\n", [(1, "says"), (2, "said")], id="configuration"
        ),
    ],
)
def test_listed_words_are_found_in_prose(
    script: ModuleType, name: str, source: str, listed: list[tuple[int, str]]
) -> None:
    assert _listed(script, name, source) == listed


@pytest.mark.parametrize(
    ("name", "source", "names"),
    [
        pytest.param("a.py", "for one in x: pass\n", ["one"], id="loop"),
        pytest.param("a.py", "x = [told.y for told in z]\n", ["told"], id="comprehension"),
        pytest.param("a.py", "f = lambda held: held\n", ["held"], id="lambda"),
        pytest.param("a.py", "def f(asked, *, wanted=1): return said\n", ["asked", "wanted"], id="parameters"),
        pytest.param("a.py", "with x as said: one.two = 1\n", ["said"], id="context-manager"),
        pytest.param(
            "a.html",
            "{% for one in x %}{% set told = 1 %}{% endfor %}{% macro f(a, held) %}",
            ["one", "told", "held"],
            id="template",
        ),
        pytest.param("a.js", "for (const one of x) y.map((z) => z).map(said => said)", ["one", "said"], id="script"),
    ],
)
def test_listed_names_are_found(script: ModuleType, name: str, source: str, names: list[str]) -> None:
    assert [word for _, word in _names(script, name, source)] == names


def test_the_limit_decides_over_the_result(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "README.md").write_text("Nobody reads these ten words about a thing or two.\n", encoding="utf-8")
    (tmp_path / "worker.py").write_text("one = 1\n", encoding="utf-8")
    at = ["--root", str(tmp_path)]
    assert script.main([*at, "--limit", "100", "--names", "1", "--list"]) == 0
    shown = capsys.readouterr().out
    assert "README.md:1: nobody" in shown
    assert "worker.py:1: one" in shown
    assert script.main([*at, "--limit", "99", "--names", "1"]) == 1
    assert script.main([*at, "--limit", "100", "--names", "0"]) == 1
    assert "see --list" in capsys.readouterr().err
