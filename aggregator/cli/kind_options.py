"""Add the options of `source add` and `source set` that kinds of source declare."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from aggregator.cli.aliases import AliasedOption
from aggregator.domain.source_options import OptionType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.domain.source import Json
    from aggregator.domain.source_options import SourceOption

_PREFIX = "option_"  # prefix of parameter names, so that an option can't collide with another parameter


class KindOptionsCommand(click.Command):
    """A command that also has the options of every kind of source; kinds are loaded on use."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the command's own parameters and one for each option of a kind; `--help` stays last."""
        *parameters, show_help = super().get_params(ctx)
        taken = {name for parameter in parameters for name in parameter.opts}
        return [*parameters, *_parameters(taken), show_help]


def given(parameters: Mapping[str, Any]) -> dict[str, Json]:
    """Return the given options by name."""
    return {
        name.removeprefix(_PREFIX): value
        for name, value in parameters.items()
        if name.startswith(_PREFIX) and value is not None
    }


def _parameters(taken: set[str]) -> list[click.Parameter]:
    from aggregator.sources import kinds

    sharing: dict[str, list[SourceOption]] = {}  # kinds may share an option
    flags: dict[str, str] = {}
    for kind in kinds().values():
        for option in kind.options:
            if option.discovered:
                continue
            sharing.setdefault(option.name, []).append(option)
            flag = option.flag or option.name.replace("_", "-")
            flags.setdefault(option.name, f"{kind.name}-{flag}" if f"--{flag}" in taken else flag)
    return [_parameter(_combined(options), flags[name]) for name, options in sharing.items()]


def _combined(options: Sequence[SourceOption]) -> SourceOption:
    """Return an option with the choices of all kinds that share it; each kind accepts its own."""
    first = options[0]
    choices = tuple(dict.fromkeys(choice for option in options for choice in option.choices))
    helps = dict.fromkeys(option.help for option in options)
    return replace(first, choices=choices, help=" ".join(helps))


def _parameter(option: SourceOption, flag: str) -> click.Parameter:
    name, declaration = f"{_PREFIX}{option.name}", f"--{flag}"
    type_: Any = None
    metavar = None
    former = [f"--{name}" for name in option.former_flags]
    match option.type:
        case OptionType.FLAG:
            declaration = f"--{flag}/--no-{flag}"
            former = ["/".join(former)] if former else []
        case OptionType.WHOLE:
            type_ = click.IntRange(option.least, option.most)
        case OptionType.CHOICE:
            type_ = click.Choice([*dict.fromkeys((*option.shown_choices, *option.choices))])
            metavar = f"[{'|'.join(option.shown_choices)}]"
        case OptionType.SET:
            metavar = ",".join(option.shown_choices)
    return AliasedOption(
        [name, declaration], former=former, type=type_, metavar=metavar, default=None, help=option.help
    )
