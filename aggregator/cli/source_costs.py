"""Confirm recurring costs of sources before they are added."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from aggregator.domain.errors import UnconfirmedCostError
from aggregator.text.plain import one_line

if TYPE_CHECKING:
    from aggregator.domain.polling.results import Discovery

_LONGEST = 600  # characters of a note


def approved(found: Discovery, *, yes: bool) -> bool:
    """Print the notes and the cost of a source, and return whether its cost is confirmed.

    Raises:
        UnconfirmedCostError: there is no terminal to confirm it, and no --yes.
    """
    if found.first_result is None:  # a source whose entries are not known yet
        for note in found.notes:
            click.echo(f"{one_line(found.address)}: {one_line(note, _LONGEST)}")
    if not found.cost:
        return True
    cost = one_line(found.cost, _LONGEST)
    if yes:
        click.echo(f"{one_line(found.address)}: {cost}")
        return True
    if not sys.stdin.isatty():
        raise UnconfirmedCostError(f"{cost} Confirm this cost with --yes.")
    return click.confirm(f"{one_line(found.address)}: {cost}\nAdd it?", default=False)
