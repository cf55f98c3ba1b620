"""`settings` and `migrate`."""

from __future__ import annotations

import click

from aggregator.cli.output import print_json, print_table
from aggregator.config.settings import Settings
from aggregator.text.plain import counted


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def settings(as_json: bool) -> None:
    """Print every setting and its origin; secrets are hidden."""
    rows = Settings.from_environment().rows()
    if as_json:
        for variable, value, origin, meaning in rows:
            print_json({"variable": variable, "value": value, "origin": origin, "meaning": meaning})
    else:
        print_table(("VARIABLE", "VALUE", "FROM", "MEANING"), rows)


@click.command()
def migrate() -> None:
    """Upgrade the database schema. Safe to repeat, and safe to run concurrently.

    If only ids of a network may be stored (AGGREGATOR_X_DISPLAY), content that is already stored is removed, too.
    """
    from aggregator.container import Container

    container = Container(Settings.from_environment())
    try:
        applied = container.migrate()
        reduced = container.reduce_content()
    finally:
        container.close()
    click.echo(f"Applied {', '.join(applied)}." if applied else "The schema is up to date.")
    if reduced:
        click.echo(f"Removed the content of {counted(reduced, 'item')}; only ids are stored.")
