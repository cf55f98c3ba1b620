"""Confirm recurring costs of sources before they are added."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from aggregator.domain.errors import UnconfirmedCostError
from aggregator.text.plain import counted, one_line

if TYPE_CHECKING:
    from aggregator.domain.polling.results import Discovery
    from aggregator.services.backfill import BackfillCost

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
    return confirmed(f"{one_line(found.address)}: {one_line(found.cost, _LONGEST)}", "Add it?", yes=yes)


def confirmed(cost: str, question: str, *, yes: bool) -> bool:
    """Print a cost, and return whether it is confirmed.

    Raises:
        UnconfirmedCostError: there is no terminal to confirm it, and no --yes.
    """
    if yes:
        click.echo(cost)
        return True
    if not sys.stdin.isatty():
        raise UnconfirmedCostError(f"{cost} Confirm this cost with --yes.")
    return click.confirm(f"{cost}\n{question}", default=False)


def cost_sentence(backfill: BackfillCost) -> str:
    """Return what a backfill may cost, as a sentence."""
    cost = backfill.cost
    expected = f"; about ${cost.expected:,.2f} by what it costs at present" if cost.expected is not None else ""
    room = f" The budget has room for {counted(backfill.room, 'post')}." if backfill.room is not None else ""
    return f"Up to {counted(cost.items, 'post')}, at most ${cost.dollars:,.2f}{expected}.{room}"
