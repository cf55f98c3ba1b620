"""`incidents list|show|snooze|mute`: show incidents, and send no alerts for some."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from aggregator.cli.context import ACTOR, opened
from aggregator.cli.output import ago, print_json, print_table
from aggregator.cli.parameters import Amount, Duration
from aggregator.domain.errors import NotFoundError
from aggregator.domain.monitoring.incidents import LONGEST_SNOOZE
from aggregator.text.plain import one_line

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.domain.monitoring.incidents import Incident
    from storage.store import Transaction

_ID = click.IntRange(1, 2**63 - 1)


@click.group()
def incidents() -> None:
    """Show outages, silent sources and wrong responses.

    Each incident sends one alert when it begins and one when it ends.
    """


@incidents.command("list")
@click.option("--all", "ended", is_flag=True, help="Also incidents that have ended.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Most incidents to list.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_(ended: bool, limit: int, as_json: bool) -> None:
    """List open incidents, newest first."""
    with opened() as container, container.store.reading() as tx:
        now = container.clock()
        found = tx.monitoring.incidents.page(limit) if ended else tx.monitoring.incidents.open(limit=limit)
    if as_json:
        for incident in found:
            print_json(incident)
    elif not found:
        click.echo("There are no incidents." if ended else "There are no open incidents.")
    else:
        print_table(
            ("ID", "KIND", "BEGAN", "ENDED", "ALERT", "WHAT"),
            [
                (
                    str(incident.id),
                    incident.kind.value,
                    ago(incident.began, now),
                    ago(incident.ended, now) if incident.ended else "-",
                    _alert(incident, now),
                    one_line(incident.sentence, 200),
                )
                for incident in found
            ],
        )


@incidents.command()
@click.argument("incident_id", metavar="ID", type=_ID)
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def show(incident_id: int, as_json: bool) -> None:
    """Show an incident with its evidence."""
    with opened() as container, container.store.reading() as tx:
        now, incident = container.clock(), _existing(tx, incident_id)
    if as_json:
        print_json(incident)
        return
    ended = f", ended {ago(incident.ended, now)}" if incident.ended else ""
    click.echo(f"{incident.kind.value} of {incident.subject}, began {ago(incident.began, now)}{ended}")
    click.echo(one_line(incident.sentence, 1000))
    click.echo(f"Alert: {_alert(incident, now)}")
    for name, value in incident.evidence.items():
        click.echo(f"  {name}: {one_line(str(value), 500)}")


@incidents.command()
@click.argument("incident_id", metavar="ID", type=_ID)
@click.option(
    "--for",
    "seconds",
    type=Duration(0, LONGEST_SNOOZE.total_seconds()),
    default="7d",
    show_default=True,
    help="How long; 0 ends the snooze.",
)
@click.option("--days", type=Amount(0, LONGEST_SNOOZE.days), hidden=True)  # the option of the last release
def snooze(incident_id: int, seconds: float, days: float | None) -> None:
    """Send no alert for an incident for some time."""
    span = timedelta(seconds=seconds) if days is None else timedelta(days=days)
    with opened() as container, container.store.writing() as tx:
        now = container.clock()
        _existing(tx, incident_id)
        until = now + span if span else None
        if not tx.monitoring.incidents.snooze(incident_id, until):
            raise NotFoundError(f"Incident {incident_id} has ended.")
        tx.moderation.audit.note(now, ACTOR, "snoozed", f"incident:{incident_id}", {"days": span / timedelta(days=1)})
    click.echo(f"Incident {incident_id}: no alert until {until:%Y-%m-%d %H:%M} UTC." if until else "Alerts are sent.")


@incidents.command()
@click.argument("incident_id", metavar="ID", type=_ID)
@click.option("--off", is_flag=True, help="Send alerts again.")
def mute(incident_id: int, off: bool) -> None:
    """Send no more alerts for an incident and later ones like it."""
    with opened() as container, container.store.writing() as tx:
        incident = _existing(tx, incident_id)
        tx.monitoring.incidents.mute(incident_id, muted=not off)
        what = "unmuted" if off else "muted"
        tx.moderation.audit.note(container.clock(), ACTOR, what, f"incident:{incident_id}", {"of": incident.subject})
    click.echo(f"{incident.kind.value} of {incident.subject}: {'alerts are sent again' if off else 'no more alerts'}.")


def _existing(tx: Transaction, incident_id: int) -> Incident:
    incident = tx.monitoring.incidents.get(incident_id)
    if incident is None:
        raise NotFoundError(f"There is no incident {incident_id}; 'aggregator incidents list' shows them.")
    return incident


def _alert(incident: Incident, now: datetime) -> str:
    if incident.muted:
        return "muted"
    if incident.snoozed_until is not None and incident.snoozed_until > now:
        return f"snoozed, {ago(incident.snoozed_until, now)}"
    return "sent" if incident.notified else "-"
