"""Keep former spellings of options and commands working for one release, hidden from the help."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence


class AliasedOption(click.Option):
    """An option with hidden former spellings."""

    def __init__(self, declarations: Sequence[str], *, former: Sequence[str] = (), **settings: Any) -> None:  # noqa: ANN401
        super().__init__([*declarations, *former], **settings)
        self._former = frozenset(name for pair in former for name in pair.split("/"))

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the line for the help, without former spellings."""
        shown = copy.copy(self)
        shown.opts = [name for name in self.opts if name not in self._former]
        shown.secondary_opts = [name for name in self.secondary_opts if name not in self._former]
        return super(AliasedOption, shown).get_help_record(ctx)


def add_alias(group: click.Group, name: str, command: click.Command) -> None:
    """Give a command a former name."""
    alias = copy.copy(command)
    alias.hidden = True
    group.add_command(alias, name)
