"""`settings` and `migrate`."""

from __future__ import annotations

import click

from aggregator.cli.output import print_json, print_table
from aggregator.cli.system_lines import migration_lines
from aggregator.config.settings import Settings
from aggregator.text.plain import counted

_ROUND = 10.0  # seconds until the list of background migrations is read again


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
@click.option("--wait", is_flag=True, help="Also run background migrations until they have finished.")
def migrate(wait: bool) -> None:
    """Upgrade the database schema. Safe to repeat, to run concurrently, and to run beside the running system.

    Changes of many rows are background migrations: workers run them in small batches, and this command shows their
    progress. If only ids of a network may be stored (AGGREGATOR_X_DISPLAY), content that is already stored is removed.
    """
    from aggregator.container import Container

    container = Container(Settings.from_environment())
    try:
        applied = container.migrate()
        click.echo(f"Applied {', '.join(applied)}." if applied else "The schema is up to date.")
        if reduced := container.reduce_content():
            click.echo(f"Removed the content of {counted(reduced, 'item')}; only ids are stored.")
        while wait and container.background_migrations.run(_ROUND):
            pass
        with container.store.reading() as tx:
            states = tx.backfills.states()
    finally:
        container.close()
    for line in migration_lines(states):
        click.echo(line)
