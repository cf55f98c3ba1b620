"""`compliance report|sweep`: what went because its network said so, when it left our outputs, and that it did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from statistics import median_high
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from aggregator.cli.context import FAILED, opened
from aggregator.cli.output import print_json, print_table
from aggregator.text.durations import spoken
from aggregator.text.plain import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from storage.store import Transaction

_SPAN = timedelta(days=30)
_AT_ONCE = 500  # keys of one question


class Gone(NamedTuple):
    """A removal, as it is reported. Moments are aware, in UTC."""

    key: str
    what: str
    why: str
    how: str
    happened: datetime | None  # at its network, where that says so
    noticed: datetime
    left: datetime  # all outputs: the moment of the commit
    activities: int
    revision: int | None
    verified: bool

    @property
    def delay(self) -> timedelta:
        """From when we knew to when it was out."""
        return self.left - self.noticed


@click.group()
def compliance() -> None:
    """Content removed because it was deleted upstream."""


@compliance.command()
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="[default: 30 days ago]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a removal.")
@click.pass_context
def report(context: click.Context, since: datetime | None, as_json: bool) -> None:
    """Show each removal: its reason, when it was noticed, and when the content was gone; and verify that it is.

    The exit code is 1 if a table still holds some of the content.
    """
    with opened() as container:
        start = since.replace(tzinfo=UTC) if since else container.clock() - _SPAN
        with container.store.reading() as tx:
            removals = _verified(tx, tx.compliance.removals(start))
    if as_json:
        for one in removals:
            print_json({**one._asdict(), "delay": one.delay.total_seconds()})
    elif removals:
        print_table(
            ("KEY", "WHY", "UPSTREAM", "NOTICED", "LEFT", "DELAY", "ITEMS", "VERIFIED"),
            [
                (
                    one.key,
                    one_line(f"{one.why} ({one.how})", 60),
                    _moment(one.happened),
                    _moment(one.noticed),
                    _moment(one.left),
                    _span(one.delay),
                    str(one.activities),
                    "yes" if one.verified else "NO",
                )
                for one in removals
            ],
        )
        click.echo()
    if not as_json:
        click.echo(_summary(removals, start))
    if not all(one.verified for one in removals):
        context.exit(FAILED)


@compliance.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a network.")
def sweep(as_json: bool) -> None:
    """Check now which shown posts were deleted upstream, and remove them."""
    with opened() as container:
        done = container.sweep()
    for one in done:
        if as_json:
            print_json(one)
            continue
        looked = f", {counted(one.asked, 'post')} looked up" if one.asked else ""
        items = f" ({counted(one.activities, 'item')} removed or shortened)" if one.gone else ""
        click.echo(
            f"{one.network}: {counted(one.held, 'post')} held{looked}; {one.gone} gone{items}, {one.updated} updated."
        )
        for note in one.notes:
            click.echo(f"  {note}")


def _verified(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> list[Gone]:
    """Build the removals, each with a look at what the tables hold now."""
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


def _gone(row: Mapping[str, Any], *, verified: bool) -> Gone:
    detail = row["detail"] or {}
    return Gone(
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


def _summary(removals: Sequence[Gone], start: datetime) -> str:
    since = f"since {start:%Y-%m-%d}"
    if not removals:
        return f"Nothing was removed {since}."
    delays = sorted(one.delay for one in removals)
    failed = [one.key for one in removals if not one.verified]
    said = "all verified" if not failed else f"STILL HELD: {', '.join(_first(failed))}; run 'aggregator purge' on them"
    behind = [one.left - one.happened for one in removals if one.happened]
    lag = f"; at most {_span(max(behind))} after the network, which gave the time of {len(behind)}" if behind else ""
    return (
        f"{len(removals)} removed {since}; from noticed to gone {_span(median_high(delays))} in the median, "
        f"{_span(delays[-1])} at the longest{lag}; {said}."
    )


def _first(keys: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(keys))[:10]


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "-"


def _span(span: timedelta) -> str:
    if span < timedelta(seconds=10):
        return f"{span.total_seconds():.1f} s"
    return spoken(timedelta(seconds=round(span.total_seconds())))
