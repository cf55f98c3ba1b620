"""Test the help of all commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aggregator.__main__ import aggregator

if TYPE_CHECKING:
    from collections.abc import Iterator

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
