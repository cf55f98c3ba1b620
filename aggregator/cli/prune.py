"""`prune`: delete records past their retention time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aggregator.cli.context import opened
from aggregator.cli.output import ago, print_json, print_table
from aggregator.domain.settings_schema import FOREVER, PREFIX
from aggregator.text.plain import counted

if TYPE_CHECKING:
    from datetime import timedelta


@click.command()
@click.option("--dry-run", is_flag=True, help="Only show what would be deleted.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def prune(dry_run: bool, as_json: bool) -> None:
    """Delete records past their retention time.

    Workers do this every hour, in small batches beside their other work. Items that are removed become tombstones, and
    are never stored again. The audit log is kept forever.
    """
    with opened() as container:
        now = container.clock()
        if not dry_run:
            deleted = container.cleanup.run()
            if as_json:
                print_json(deleted)
            else:
                text = ", ".join(f"{number:,} {name}" for name, number in deleted.items() if number)
                click.echo(f"Deleted {text}." if text else "Nothing has expired.")
            return
        found = container.cleanup.expired()
    if as_json:
        for state, expired in found:
            fields = {"records": state.rule.records, "setting": PREFIX + state.rule.variable, "kept": state.rule.age}
            print_json({**fields, "oldest": state.oldest, "expired": expired})
        return
    print_table(
        ("RECORDS", "KEPT", "SETTING", "OLDEST", "EXPIRED"),
        [
            (
                state.rule.records.value,
                _days(state.rule.age),
                PREFIX + state.rule.variable,
                ago(state.oldest, now) if state.oldest else "-",
                f"{expired:,}",
            )
            for state, expired in found
        ],
    )


def _days(age: timedelta | None) -> str:
    return FOREVER if age is None else counted(age.days, "day")
