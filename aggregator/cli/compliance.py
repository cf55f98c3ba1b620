"""`compliance report|sweep`: report and remove content that was deleted upstream."""

from __future__ import annotations

from datetime import datetime, timedelta
from statistics import median_high
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from aggregator.cli.context import FAILED, opened
from aggregator.cli.output import print_json, print_table
from aggregator.cli.parameters import Moment
from aggregator.text.durations import spoken
from aggregator.text.plain import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from storage.store import Transaction

_SPAN = timedelta(days=30)
_AT_ONCE = 500  # keys per query


class ReportedRemoval(NamedTuple):
    """A removal as reported. Times are aware, in UTC."""

    key: str
    what: str
    why: str
    how: str
    happened: datetime | None  # time of the removal upstream, if known
    noticed: datetime
    left: datetime  # time of the commit, from which on no output contains it
    activities: int
    revision: int | None
    verified: bool

    @property
    def delay(self) -> timedelta:
        """Return the time from detection to removal from all outputs."""
        return self.left - self.noticed


@click.group()
def compliance() -> None:
    """Content removed because it was deleted upstream."""


@compliance.command()
@click.option("--since", type=Moment(past=True), help="Time of the first removal, or how long ago.  [default: 30d]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per removal.")
@click.pass_context
def report(context: click.Context, since: datetime | None, as_json: bool) -> None:
    """Show each removal, and verify that the content is gone.

    Each has its reason and the times of detection and removal. The exit code is 1 if a table still contains some of the
    content.
    """
    with opened() as container:
        start = since or container.clock() - _SPAN
        with container.store.reading() as tx:
            removals = _verified(tx, tx.compliance.removals(start))
    if as_json:
        for removal in removals:
            print_json({**removal._asdict(), "delay": removal.delay.total_seconds()})
    elif removals:
        print_table(
            ("KEY", "REASON", "UPSTREAM", "DETECTED", "REMOVED", "DELAY", "ITEMS", "VERIFIED"),
            [
                (
                    removal.key,
                    one_line(f"{removal.why} ({removal.how})", 60),
                    _moment(removal.happened),
                    _moment(removal.noticed),
                    _moment(removal.left),
                    _span(removal.delay),
                    str(removal.activities),
                    "yes" if removal.verified else "NO",
                )
                for removal in removals
            ],
        )
        click.echo()
    if not as_json:
        click.echo(_summary(removals, start))
    if not all(removal.verified for removal in removals):
        context.exit(FAILED)


@compliance.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per network.")
def sweep(as_json: bool) -> None:
    """Remove displayed posts that were deleted upstream.

    The scheduler does so regularly; this checks now.
    """
    with opened() as container:
        done = container.sweep()
    for report in done:
        if as_json:
            print_json(report.json())
            continue
        looked = f", {counted(report.looked_up, 'post')} looked up" if report.looked_up else ""
        items = f" ({counted(report.activities, 'item')} removed or shortened)" if report.gone else ""
        click.echo(
            f"{report.network}: {counted(report.stored, 'post')} stored{looked}; {report.gone} deleted{items}, "
            f"{report.updated} updated."
        )
        for note in report.notes:
            click.echo(f"  {note}")


def _verified(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> list[ReportedRemoval]:
    """Return the removals, each verified against the current tables."""
    subjects = sorted({str(row["subject"]) for row in rows if not str(row["subject"]).startswith("network:")})
    still: set[str] = set()
    for start in range(0, len(subjects), _AT_ONCE):
        still |= tx.compliance.remaining(subjects[start : start + _AT_ONCE])
    return [_gone(row, verified=_is_out(tx, row, still)) for row in rows]


def _is_out(tx: Transaction, row: Mapping[str, Any], still: set[str]) -> bool:
    subject = str(row["subject"])
    if subject.startswith("network:"):
        return tx.compliance.held_of(subject.partition(":")[2], row["at"]) == 0
    return subject not in still


def _gone(row: Mapping[str, Any], *, verified: bool) -> ReportedRemoval:
    detail = row["detail"] or {}
    return ReportedRemoval(
        key=str(row["subject"]),
        what=str(row["what"]),
        why=str(detail.get("reason", "")),
        how=str(detail.get("how", "")),
        happened=datetime.fromisoformat(detail["at"]) if detail.get("at") else None,
        noticed=datetime.fromisoformat(detail["noticed"]) if detail.get("noticed") else row["at"],
        left=row["at"],
        activities=int(detail.get("activities") or 0),
        revision=detail.get("revision"),
        verified=verified,
    )


def _summary(removals: Sequence[ReportedRemoval], start: datetime) -> str:
    since = f"since {start:%Y-%m-%d}"
    if not removals:
        return f"Nothing was removed {since}."
    delays = sorted(removal.delay for removal in removals)
    failed = [removal.key for removal in removals if not removal.verified]
    verdict = (
        "all verified" if not failed else f"STILL STORED: {', '.join(_first(failed))}; run 'aggregator purge' on them"
    )
    behind = [removal.left - removal.happened for removal in removals if removal.happened]
    lag = (
        f"; at most {_span(max(behind))} after the deletion upstream, whose time is known for {len(behind)}"
        if behind
        else ""
    )
    return (
        f"{len(removals)} removed {since}; from detection to removal {_span(median_high(delays))} median, "
        f"{_span(delays[-1])} maximum{lag}; {verdict}."
    )


def _first(keys: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(keys))[:10]


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "-"


def _span(span: timedelta) -> str:
    if span < timedelta(seconds=10):
        return f"{span.total_seconds():.1f} s"
    return spoken(timedelta(seconds=round(span.total_seconds())))
