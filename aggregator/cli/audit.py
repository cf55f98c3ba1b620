"""`audit verify|list`: verify and list the audit log."""

from __future__ import annotations

import sys

import click

from aggregator.cli.context import FAILED, opened
from aggregator.cli.output import print_json, print_table
from aggregator.text.plain import one_line


@click.group()
def audit() -> None:
    """Show the audit log of decisions and changes, and verify it."""


@audit.command()
@click.option(
    "--expect", metavar="HASH", help="Hash of an earlier last entry, recorded elsewhere; verifies that it still exists."
)
def verify(expect: str | None) -> None:
    """Verify every entry of the audit log.

    Each entry has a SHA-256 hash over itself and the hash before it. An attacker with write access to the database
    could recompute all of them: record the last hash elsewhere from time to time, and give it to --expect.
    """
    with opened() as container, container.store.reading() as tx:
        found = tx.moderation.audit.verify()
        expected = expect is None or any(hash_ == expect for _, hash_ in tx.moderation.audit.lines())
    if found.broken is not None:
        note = found.broken
        click.echo(
            f"Entry {note.id} ({note.at:%Y-%m-%d %H:%M:%S} UTC, {note.who} {note.what} {note.subject}) is inconsistent:"
            f" {found.why}. The entries before it are intact ({found.lines}).",
            err=True,
        )
    elif found.why:
        click.echo(f"{found.why.capitalize()}.", err=True)
    elif not expected:
        click.echo(f"No entry has the hash {one_line(str(expect), 80)}: the audit log was rewritten.", err=True)
    else:
        click.echo(f"Verified {found.lines} entries. Last hash: {found.newest or 'none'}.")
        return
    sys.exit(FAILED)


@audit.command("list")
@click.option("--who", default="", help="Only entries by this user.")
@click.option("--subject", default="", help="Only entries about this subject, such as activity:12 or source:.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Most entries to list.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_(who: str, subject: str, limit: int, as_json: bool) -> None:
    """List the newest entries, newest first."""
    with opened() as container, container.store.reading() as tx:
        notes = tx.moderation.audit.page(limit=limit, who=who, subject=subject)
    if as_json:
        for note in notes:
            print_json(note)
    elif notes:
        print_table(
            ("LINE", "AT (UTC)", "WHO", "WHAT", "ABOUT", "WHY"),
            [
                (
                    str(note["id"]),
                    f"{note['at']:%Y-%m-%d %H:%M:%S}",
                    one_line(note["who"], 30),
                    note["what"],
                    note["subject"],
                    one_line(str((note["detail"] or {}).get("reason") or ""), 80),
                )
                for note in notes
            ],
        )
    else:
        click.echo("The audit log has no such entry.")
