"""`budget`: show the cost of a metered service, its forecast, and possible savings."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from aggregator.cli.context import opened
from aggregator.cli.output import ago, print_json, print_table
from aggregator.domain.activity import ActivityKind
from aggregator.domain.billing import budget as reckoning
from aggregator.domain.billing.budget import DAY, DOLLAR, Cycle, dollars
from aggregator.domain.billing.metering import Purpose
from aggregator.domain.errors import BadRequestError
from aggregator.domain.polling.api_refusals import REFUSAL_CODES
from aggregator.domain.source import SourceFilter
from aggregator.text.plain import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.container import Container
    from aggregator.domain.billing.budget import Forecast, Metered
    from aggregator.domain.source import Json
    from aggregator.source_api.kind import Saving
    from storage.billing.ledger import Block, Entry

_RECENT = timedelta(days=7)
_MOST_ADVICE = 5
_DAYS_PER_MONTH = 30  # days
_PURPOSES = {
    Purpose.POLL.value: "posts of followed accounts",
    Purpose.PROFILE.value: "profiles",
    Purpose.COMPLIANCE.value: "takedown checks",
    Purpose.LOOKUP.value: "lookups of new sources",
    Purpose.USAGE.value: "usage counts of the service",
    "lost": "requests of crashed workers",
}


class Advice(NamedTuple):
    """A possible change, and its monthly savings in dollars."""

    change: str
    saves: float


class Account(NamedTuple):
    """The data needed for advice on one source."""

    slug: str
    appetite: float  # dollars a day
    savings: Sequence[Saving] = ()


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--days", is_flag=True, help="Show each day of the cycle on a separate line.")
@click.option("--service", help="The metered service; needed if there are several.")
@click.pass_context
def budget(context: click.Context, as_json: bool, days: bool, service: str | None) -> None:
    """Show the cost of a metered service.

    Covers this cycle, with a forecast and possible savings.
    """
    context.obj = service
    if context.invoked_subcommand is not None:
        return
    with opened() as container:
        view = View(container, metered_service(container, service))
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
@click.pass_obj
def resume(service: str | None) -> None:
    """Resume calls to a service that reached its cap.

    Without it, they resume with the next cycle, or within hours after credits were bought.
    """
    with opened() as container:
        metering = metered_service(container, service)
        now = container.clock()
        with container.store.writing() as tx:
            block = tx.billing.ledger.blocked(metering.service)
            tx.billing.ledger.block(metering.service, None, None)
            refused = tx.api.refusals.all(metering.service)
            tx.api.refusals.probe_now([metering.service], now)
            due = tx.polling.schedule.wake(("budget", "cap-reached", *REFUSAL_CODES), now)
        was_blocked = bool(refused) or (block is not None and block.until > now)
        result = "calls resumed" if was_blocked else "was not blocked"
        click.echo(f"{metering.label}: {result}; {counted(due, 'source')} due now.")


def metered_service(container: Container, name: str | None) -> Metered:
    """Return a metered service by name, or the only one if no name is given.

    Raises:
        BadRequestError: the name is unknown, or there are several services.
    """
    from aggregator.sources import metered

    services = metered(container.settings.kinds)
    if name is None and len(services) == 1:
        return next(iter(services.values()))
    if name not in services:
        raise BadRequestError(f"Give --service NAME; the metered services are {', '.join(sorted(services)) or 'none'}.")
    return services[name]


class View:
    """The ledger and the forecast of a service, read in one transaction."""

    def __init__(self, container: Container, metering: Metered) -> None:
        from aggregator.sources import kinds as kinds_of_source

        every_kind = kinds_of_source()
        self.label = metering.label
        self.terms = metering.terms
        self.now = container.clock()
        self.cycle = Cycle.at(self.now, self.terms.cycle_day)
        recent_entries = (self.now - _RECENT).date()
        with container.store.reading() as tx:
            self.standing = tx.billing.ledger.standing(metering.service, self.cycle)
            self.entries = tx.billing.ledger.ledger(metering.service, self.cycle.start.isoformat(), by=("purpose",))
            self.days = tx.billing.ledger.days(metering.service, self.cycle.start.isoformat())
            recent = tx.billing.ledger.ledger(metering.service, recent_entries.isoformat(), by=("purpose",))
            first = tx.billing.ledger.first_day(metering.service)
            self.block = tx.billing.ledger.blocked(metering.service)
            self.balance = tx.billing.ledger.balance(metering.service, self.now)
            self.refusals = [
                row for row in tx.api.refusals.all() if row.service == metering.service and row.stops_polls
            ]
            self.reported = tx.billing.ledger.reported(metering.service)
            appetites = tx.billing.ledger.appetites(metering.kind)
            owned = tx.api.credentials.owned_sources(metering.service, metering.kind, self.now)
            which = SourceFilter(kinds=[metering.kind])
            sources = [source for source in tx.polling.sources.each(which) if source.id in appetites]
            kinds = tx.stream.activities.kinds_by_source([source.id for source in sources], self.now - _RECENT)
        wants = reckoning.presumed(appetites, self.terms, owned)
        settled = first is not None and first < recent_entries.isoformat()
        followed = len(appetites) * self.terms.prices.user / DOLLAR / (_RECENT / DAY)
        others = _other_costs(recent, _RECENT, followed, settled=settled)
        self.forecast: Forecast = reckoning.forecast(self.terms, self.cycle, self.standing, wants, others, self.now)
        self.never_read = sum(appetite is None for appetite in appetites.values())
        self.accounts = [
            Account(
                source.slug,
                appetites[source.id] or 0.0,
                every_kind[source.kind].savings(source.options, _parts(kinds.get(source.id, {}))),
            )
            for source in sources
        ]

    def json(self) -> dict[str, Any]:
        """Return it as JSON; amounts in dollars."""
        forecast = self.forecast
        return {
            "cycle": {"start": self.cycle.start, "end": self.cycle.end},
            "budget": forecast.budget,
            "spent": forecast.spent,
            "compliance": self.standing.compliance / DOLLAR,
            "reserved": self.standing.reserved / DOLLAR,
            "needed": forecast.needed,
            "short": forecast.short,
            "ration": forecast.ration,
            "limited": forecast.limited,
            "blocked": self._block._asdict() if self._block else None,
            "refusals": [refusal._asdict() for refusal in self.refusals],
            "reported": self.reported,
            "balance": None
            if self.balance is None
            else {"dollars": self.balance.micros / DOLLAR, "at": self.balance.at, "days": self.balance.days},
            "purposes": [
                {"purpose": row.purpose, "requests": row.requests, "posts": row.posts, "users": row.users,
                 "owned": row.owned, "cost": row.micros / DOLLAR}
                for row in self.entries
            ],
            "advice": [row._asdict() for row in advice(self.accounts)],
        }  # fmt: skip

    @property
    def _block(self) -> Block | None:
        return self.block if self.block is not None and self.block.until > self.now else None

    def show(self) -> None:
        """Print it as text."""
        last = self.cycle.end - timedelta(days=1)
        day = (self.now.date() - self.cycle.start).days + 1
        length = (self.cycle.end - self.cycle.start).days
        click.echo(f"{self.label}, {self.cycle.start} to {last} (day {day} of {length})\n")
        if self._block:
            click.echo(f"Paused until {self._block.until:%Y-%m-%d}: {self._block.reason}\n")
        for refusal in self.refusals:
            click.echo(f"Refused: {refusal.reason} One call tries again {ago(refusal.until, self.now)}.\n")
        self._show_money()
        self._show_reports()
        if self.entries:
            self._show_entries()
        if useful := advice(self.accounts):
            click.echo("\nPossible savings per month:")
            for row in useful:
                click.echo(f"  ${row.saves:,.2f}  {row.change}")

    def _show_money(self) -> None:
        forecast = self.forecast
        limit = f" of {dollars(self.terms.budget)}" if self.terms.budget is not None else ", no budget is set"
        click.echo(f"Spent:     {dollars(self.standing.spent)}{limit}{self._reserve_text()}")
        if self.standing.reserved:
            click.echo(f"Reserved:  {dollars(self.standing.reserved)} for requests in progress")
        click.echo(f"Forecast:  {self._forecast()}")
        if forecast.ration is not None:
            click.echo(
                f"Rationed:  each account may cost ${forecast.ration:,.4f} a day; "
                f"{counted(forecast.limited, 'account')} would exceed that and are read in part, newest posts first."
            )

    def _show_reports(self) -> None:
        """Print the service's own count and balance."""
        if self.reported:
            posts, at = self.reported
            own_count = sum(entry.posts for entry in self.entries)
            click.echo(
                f"{f'{self.label} counts:':<10} {posts:,} posts in its own cycle ({ago(at, self.now)}); "
                f"we count {own_count:,} in ours."
            )
        if self.balance:
            click.echo(f"Credits:   {self.balance.sentence} ({ago(self.balance.at, self.now)})")

    def _show_entries(self) -> None:
        click.echo()
        print_table(
            ("FOR", "REQUESTS", "POSTS", "USERS", "COST"),
            [
                (_PURPOSES.get(row.purpose, row.purpose), f"{row.requests:,}", f"{row.posts:,}", f"{row.users:,}",
                 dollars(row.micros))
                for row in self.entries
            ],
        )  # fmt: skip
        if owned := sum(row.owned for row in self.entries):
            full, price = dollars(self.terms.prices.post), dollars(self.terms.prices.owned)
            click.echo(f"Own posts of connected accounts: {owned:,}, at {price} instead of {full}.")

    def _reserve_text(self) -> str:
        if self.terms.budget is None:
            return ""
        reserved = max(round(self.terms.budget * self.terms.reserve) - self.standing.compliance, 0)
        return f"; {dollars(reserved)} of the rest is reserved for takedown checks"

    def _forecast(self) -> str:
        forecast = self.forecast
        estimate = f" ({counted(self.never_read, 'account')} not read yet, so estimated)" if self.never_read else ""
        if forecast.budget is None:
            return f"${forecast.needed:,.2f} by the end of the cycle{estimate}"
        if forecast.short:
            excess = f"${forecast.short:,.2f} above the budget{estimate}"
            return f"${forecast.needed:,.2f} would be needed by the end of the cycle, {excess}"
        return f"${forecast.needed:,.2f} by the end of the cycle, within the budget{estimate}"


def advice(accounts: Sequence[Account]) -> list[Advice]:
    """Return the changes with the largest savings first."""
    found = []
    for item in accounts:
        month = item.appetite * _DAYS_PER_MONTH
        found.append(Advice(f"remove it:             aggregator source remove {item.slug}", month))
        for saving in item.savings:
            change = f"{saving.change}: aggregator source set {item.slug} {_flags(saving.options)}"
            found.append(Advice(change, month * saving.share))
    return sorted((item for item in found if item.saves >= 0.01), key=lambda item: -item.saves)[:_MOST_ADVICE]  # noqa: PLR2004 - a cent


def _other_costs(entries: Sequence[Entry], span: timedelta, followed: float, *, settled: bool) -> float:
    """Return the daily cost of everything except polls, in dollars.

    Args:
        entries: recent ledger entries, by purpose.
        span: their period.
        followed: the daily cost of weekly profile refreshes for followed accounts.
        settled: whether the service has run for longer than that period; before that, every profile has just been
            fetched for the first time, so the cost is not typical.
    """
    of = {entry.purpose: entry.micros / DOLLAR / (span / DAY) for entry in entries}
    profiles = of.get(Purpose.PROFILE.value, 0.0) if settled else 0.0
    return of.get(Purpose.COMPLIANCE.value, 0.0) + max(profiles, followed)


def _flags(options: Mapping[str, Json]) -> str:
    return " ".join(
        f"--{name} {','.join(value) if isinstance(value, list) else value}" for name, value in options.items()
    )


def _parts(kinds: Mapping[str, int]) -> dict[ActivityKind, float]:
    total = max(sum(kinds.values()), 1)
    return {ActivityKind(kind): count / total for kind, count in kinds.items()}
