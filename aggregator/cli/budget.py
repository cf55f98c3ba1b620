"""`budget`: what X has cost, what it will cost, and what would help."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from aggregator.cli.context import opened
from aggregator.cli.output import ago, counted, print_json, print_table
from aggregator.domain.billing import budget as reckoning
from aggregator.domain.billing.budget import DAY, DOLLAR, Cycle, dollars
from aggregator.domain.billing.metering import Purpose
from aggregator.domain.source import SourceFilter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.container import Container
    from aggregator.domain.billing.budget import Forecast
    from storage.billing.ledger import Block, Entry

SERVICE = "x"
_LATELY = timedelta(days=7)
_MOST_ADVICE = 5
_A_MONTH = 30  # days
_WHAT = {
    Purpose.POLL.value: "posts of what is followed",
    Purpose.PROFILE.value: "names and pictures",
    Purpose.COMPLIANCE.value: "whether posts still stand",
    Purpose.LOOKUP.value: "looking up new sources",
    "lost": "requests of workers that died",
}


class Advice(NamedTuple):
    """A change, and what it would save in a month, in dollars."""

    change: str
    saves: float


class Account(NamedTuple):
    """What is needed to advise on one source."""

    slug: str
    appetite: float  # dollars a day
    reposts: float  # part of its posts that are
    replies: float
    left_out: Sequence[str]


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--days", is_flag=True, help="Each day of the cycle on a line of its own.")
@click.pass_context
def budget(context: click.Context, as_json: bool, days: bool) -> None:
    """Show what X has cost in this cycle, what it will cost, and what would help."""
    if context.invoked_subcommand is not None:
        return
    with opened() as container:
        view = View(container)
        if as_json:
            print_json(view.json())
        elif days:
            rows = [
                (day, str(n), str(posts), str(users), dollars(micros)) for day, n, posts, users, micros in view.days
            ]
            print_table(("DAY", "REQUESTS", "POSTS", "USERS", "COST"), rows)
        else:
            view.show()


@budget.command()
def resume() -> None:
    """Ask X again, after it said that a cap is reached and somebody raised it there."""
    with opened() as container:
        now = container.clock()
        with container.store.writing() as tx:
            block = tx.billing.ledger.blocked(SERVICE)
            tx.billing.ledger.block(SERVICE, None, None)
            woken = tx.polling.schedule.wake(("budget", "cap-reached"), now)
        held = block is not None and block.until > now
        said = "X is asked again" if held else "X was not held back"
        click.echo(f"{said}; {counted(woken, 'source')} due now.")


class View:
    """Everything that there is to say, read in one transaction."""

    def __init__(self, container: Container) -> None:
        from aggregator.container import metered

        metering = metered(container.settings)[SERVICE]
        self.terms = metering.terms
        self.now = container.clock()
        self.cycle = Cycle.at(self.now, self.terms.cycle_day)
        lately = (self.now - _LATELY).date()
        with container.store.reading() as tx:
            self.standing = tx.billing.ledger.standing(SERVICE, self.cycle)
            self.entries = tx.billing.ledger.ledger(SERVICE, self.cycle.start.isoformat(), by=("purpose",))
            self.days = tx.billing.ledger.days(SERVICE, self.cycle.start.isoformat())
            recent = tx.billing.ledger.ledger(SERVICE, lately.isoformat(), by=("purpose",))
            first = tx.billing.ledger.first_day(SERVICE)
            self.block = tx.billing.ledger.blocked(SERVICE)
            self.reported = tx.billing.ledger.reported(SERVICE)
            appetites = tx.billing.ledger.appetites(metering.kind)
            which = SourceFilter(kinds=[metering.kind])
            sources = [source for source in tx.polling.sources.each(which) if source.id in appetites]
            kinds = tx.stream.activities.kinds_by_source([source.id for source in sources], self.now - _LATELY)
        wants = reckoning.presumed(appetites.values(), self.terms)
        settled = first is not None and first < lately.isoformat()
        followed = len(appetites) * self.terms.prices.user / DOLLAR / (_LATELY / DAY)
        others = _others(recent, _LATELY, followed, settled=settled)
        self.forecast: Forecast = reckoning.forecast(self.terms, self.cycle, self.standing, wants, others, self.now)
        self.never_read = sum(one is None for one in appetites.values())
        self.accounts = [
            Account(
                source.slug,
                appetites[source.id] or 0.0,
                _part(kinds.get(source.id, {}), "repost"),
                _part(kinds.get(source.id, {}), "reply"),
                source.options.get("exclude", ()),
            )
            for source in sources
        ]

    def json(self) -> dict[str, Any]:
        """Return it for programs; money in dollars."""
        said = self.forecast
        return {
            "cycle": {"start": self.cycle.start, "end": self.cycle.end},
            "budget": said.budget,
            "spent": said.spent,
            "compliance": self.standing.compliance / DOLLAR,
            "reserved": self.standing.reserved / DOLLAR,
            "needed": said.needed,
            "short": said.short,
            "ration": said.ration,
            "limited": said.limited,
            "blocked": self._block._asdict() if self._block else None,
            "reported": self.reported,
            "purposes": [
                {"purpose": one.purpose, "requests": one.requests, "posts": one.posts, "users": one.users,
                 "cost": one.micros / DOLLAR}
                for one in self.entries
            ],
            "advice": [one._asdict() for one in advice(self.accounts)],
        }  # fmt: skip

    @property
    def _block(self) -> Block | None:
        return self.block if self.block is not None and self.block.until > self.now else None

    def show(self) -> None:
        """Print it for people."""
        said = self.forecast
        last = self.cycle.end - timedelta(days=1)
        day = (self.now.date() - self.cycle.start).days + 1
        click.echo(f"X, {self.cycle.start} to {last} (day {day} of {(self.cycle.end - self.cycle.start).days})\n")
        if self._block:
            click.echo(f"Held back until {self._block.until:%Y-%m-%d}: {self._block.reason}\n")
        limit = f" of {dollars(self.terms.budget)}" if self.terms.budget is not None else ", with no budget set"
        click.echo(f"Spent:     {dollars(self.standing.spent)}{limit}{self._kept()}")
        if self.standing.reserved:
            click.echo(f"Promised:  {dollars(self.standing.reserved)} for requests under way")
        click.echo(f"Forecast:  {self._forecast()}")
        if said.ration is not None:
            click.echo(
                f"Rationed:  each account may cost ${said.ration:,.4f} a day; {counted(said.limited, 'account')} would "
                "like more and are read in part, the newest posts first."
            )
        if self.reported:
            posts, at = self.reported
            ours = sum(entry.posts for entry in self.entries)
            click.echo(f"X counts:  {posts:,} posts in its own cycle ({ago(at, self.now)}); we count {ours:,} in ours.")
        if self.entries:
            click.echo()
            print_table(
                ("FOR", "REQUESTS", "POSTS", "USERS", "COST"),
                [
                    (_WHAT.get(one.purpose, one.purpose), f"{one.requests:,}", f"{one.posts:,}", f"{one.users:,}",
                     dollars(one.micros))
                    for one in self.entries
                ],
            )  # fmt: skip
        if useful := advice(self.accounts):
            click.echo("\nWhat would save money, in a month:")
            for one in useful:
                click.echo(f"  ${one.saves:,.2f}  {one.change}")

    def _kept(self) -> str:
        if self.terms.budget is None:
            return ""
        kept = max(round(self.terms.budget * self.terms.reserve) - self.standing.compliance, 0)
        return f"; {dollars(kept)} of the rest is kept for checking what is shown"

    def _forecast(self) -> str:
        said = self.forecast
        guess = f" ({counted(self.never_read, 'account')} not read yet, so guessed)" if self.never_read else ""
        if said.budget is None:
            return f"${said.needed:,.2f} by the end of the cycle{guess}"
        if said.short:
            return f"${said.needed:,.2f} would be needed by the end of the cycle, ${said.short:,.2f} too much{guess}"
        return f"${said.needed:,.2f} by the end of the cycle, within the budget{guess}"


def advice(accounts: Sequence[Account]) -> list[Advice]:
    """Return what would save most, the most first."""
    found = []
    for one in accounts:
        month = one.appetite * _A_MONTH
        found.append(Advice(f"do not follow it:      aggregator source remove {one.slug}", month))
        for name, part in (("retweets", one.reposts), ("replies", one.replies)):
            if name not in one.left_out and part:
                # A repost or reply brings along what it is about, which is billed as well.
                share = 2 * part / (1 + one.reposts + one.replies)
                left_out = ",".join(sorted({*one.left_out, name}))
                found.append(
                    Advice(f"without its {name}: aggregator source set {one.slug} --exclude {left_out}", month * share)
                )
    return sorted((one for one in found if one.saves >= 0.01), key=lambda one: -one.saves)[:_MOST_ADVICE]  # noqa: PLR2004 - a cent


def _others(entries: Sequence[Entry], span: timedelta, followed: float, *, settled: bool) -> float:
    """Return what everything but polls costs a day, in dollars.

    Args:
        entries: of late, by purpose.
        span: how long that is.
        followed: what asking weekly for those whom we follow costs a day.
        settled: we have been at it for longer than that; else everybody has just been asked for the first time, which
            says nothing of the days to come.
    """
    of = {entry.purpose: entry.micros / DOLLAR / (span / DAY) for entry in entries}
    profiles = of.get(Purpose.PROFILE.value, 0.0) if settled else 0.0
    return of.get(Purpose.COMPLIANCE.value, 0.0) + max(profiles, followed)


def _part(kinds: Mapping[str, int], kind: str) -> float:
    return kinds.get(kind, 0) / max(sum(kinds.values()), 1)
