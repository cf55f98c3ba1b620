"""Test that recurring costs of sources are confirmed at a terminal or by an option."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import click
import pytest

from aggregator.cli.source_costs import approved
from aggregator.domain.errors import UnconfirmedCostError
from aggregator.domain.polling.results import Discovery

if TYPE_CHECKING:
    from collections.abc import Callable

FREE = Discovery(
    "scripted", "list:1", "api.example:443", "List", "list", None, timedelta(minutes=1), notes=("A note.",)
)
COSTLY = replace(FREE, cost="It costs up to $0.30 a day.")


@pytest.fixture
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], list[str]]:
    """Give a function that answers the question at a terminal, and returns the questions."""

    def answering(answer: bool) -> list[str]:
        questions: list[str] = []

        def confirm(question: str, **_: object) -> bool:
            questions.append(question)
            return answer

        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(click, "confirm", confirm)
        return questions

    return answering


def test_a_source_without_a_recurring_cost_is_added_with_its_notes(capsys: pytest.CaptureFixture[str]) -> None:
    assert approved(FREE, yes=False)
    assert capsys.readouterr().out == "list:1: A note.\n"


@pytest.mark.parametrize("answer", [True, False], ids=["yes", "no"])
def test_a_terminal_is_asked(at_terminal: Callable[[bool], list[str]], answer: bool) -> None:
    questions = at_terminal(answer)
    assert approved(COSTLY, yes=False) is answer
    assert questions == ["list:1: It costs up to $0.30 a day.\nAdd it?"]


def test_the_option_confirms_and_shows_the_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert approved(COSTLY, yes=True)
    assert "list:1: It costs up to $0.30 a day." in capsys.readouterr().out


def test_without_a_terminal_the_option_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(UnconfirmedCostError, match="--yes"):
        approved(COSTLY, yes=False)
