"""Test the help of all commands."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click
import pytest

from aggregator.__main__ import aggregator
from aggregator.cli.examples import EXAMPLES, lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WIDTH = 78  # of a terminal of 80 columns, as click formats help


def _cut(group: click.Group, context: click.Context) -> Iterator[str]:
    """Yield the commands whose line in the list of commands ends early."""
    commands = {name: group.get_command(context, name) for name in group.list_commands(context)}
    space = _WIDTH - 6 - max(map(len, commands))  # the indent and the gap between the columns
    for name, command in commands.items():
        if command is None or command.hidden:
            continue
        if command.get_short_help_str(space).endswith("..."):
            yield f"{context.command_path} {name}"
        if isinstance(command, click.Group):
            yield from _cut(command, click.Context(command, parent=context, info_name=name))


def test_no_line_of_the_lists_of_commands_is_cut() -> None:
    assert isinstance(aggregator, click.Group)
    assert list(_cut(aggregator, click.Context(aggregator, info_name="aggregator"))) == []


def _parsed(path: str, arguments: list[str]) -> click.Command:
    """Parse the words of a command and return it; nothing is run."""
    context = click.Context(aggregator, info_name="aggregator")
    command: click.Command = aggregator
    for name in path.split():
        assert isinstance(command, click.Group)
        found = command.get_command(context, name)
        assert found is not None, path
        command, context = found, click.Context(found, parent=context, info_name=name)
    with command.make_context(path, list(arguments), parent=context.parent):
        return command


@pytest.mark.parametrize("path", EXAMPLES)
def test_examples_are_valid_and_fit_a_terminal(path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for line in lines(path):
        assert len(line) <= _WIDTH - 2, line
        words = shlex.split(line.partition("|")[0])[1 + len(path.split()) :]
        for name in words:
            if name.endswith((".txt", ".opml", ".toml", ".zip", ".gz")):
                (tmp_path / name).touch()
        assert _parsed(path, words).epilog
