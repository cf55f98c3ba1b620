"""Read arguments and options that several commands share: durations and slugs of sources."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from aggregator.text.durations import duration_text, parse_duration
from aggregator.text.moments import parse_moment

if TYPE_CHECKING:
    from collections.abc import Callable

_COMPLETED = 50  # slugs that are offered


class Duration(click.ParamType[float | str]):
    """A duration such as `10m`, `2h` or `1d`; a number alone is in seconds. The value is in seconds."""

    name = "duration"

    def __init__(self, least: float, most: float, word: str = "", *, fractions: bool = False) -> None:
        self._least = least
        self._most = most
        self._word = word  # that is accepted, too, and passed on
        self._fractions = fractions  # whether a number alone may have some

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:  # noqa: ANN401  # Click's own
        """Return the duration in seconds, or the word."""
        if isinstance(value, int | float):
            return value
        if self._word and value == self._word:
            return self._word
        try:
            seconds = self._seconds(value)
        except (ValueError, OverflowError):
            word = f", or '{self._word}'" if self._word else ""
            self.fail(f"{value!r} is not a duration, such as 90s, 10m, 2h or 1d{word}.", param, ctx)
        if not self._least <= seconds <= self._most:
            span = f"{duration_text(self._least)} to {duration_text(self._most)}"
            self.fail(f"{value!r} is outside of {span}.", param, ctx)
        return seconds

    def _seconds(self, text: str) -> float:
        if self._fractions:
            with suppress(ValueError):
                return float(text)
        return round(parse_duration(text).total_seconds())

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return what stands for the value in the help."""
        del param, ctx
        return f"DURATION|{self._word}" if self._word else "DURATION"


class Amount(click.FloatRange):
    """A number within bounds. Click accepts `nan`, which is neither below nor above a bound."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401  # Click's own
        """Return the number."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


class Moment(click.ParamType[datetime]):
    """A time such as `2026-12-01 09:00`, `tomorrow 9:00` or `2h`; the value is in UTC."""

    name = "time"

    def __init__(self, *, past: bool = False) -> None:
        self._past = past

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401  # Click's own
        """Return the time."""
        if isinstance(value, datetime):
            return value
        try:
            return parse_moment(value, datetime.now(UTC), past=self._past)
        except ValueError as problem:
            self.fail(f"{problem}.", param, ctx)


def slug_argument(name: str = "slug", **settings: Any) -> Callable[[Any], Any]:  # noqa: ANN401  # those of Click
    """Return the argument for the slug of a source, which shells complete."""
    return click.argument(name, shell_complete=complete_slug, **settings)


def complete_slug(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the slugs that begin with a text; none if the database can't be read."""
    del context, parameter
    from aggregator.cli.context import opened
    from aggregator.domain.errors import AggregatorError

    try:
        with opened() as container, container.store.reading() as tx:
            names = tx.polling.sources.slugs_from(incomplete, _COMPLETED)
    except AggregatorError:
        return []
    return [CompletionItem(slug, help=name) for slug, name in names if slug.startswith(incomplete)]
