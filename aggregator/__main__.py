"""The command line: `aggregator WORD`, or `python -m aggregator WORD`. Exit code 0 fine, 1 failed, 2 wrong usage."""

from __future__ import annotations

from importlib import import_module
from keyword import iskeyword

import click

from aggregator.cli.context import FAILED, WRONG_USAGE
from aggregator.cli.examples import add_examples
from aggregator.domain.errors import AggregatorError, BadRequestError, SettingsError
from aggregator.system.garbage_collection import collect_rarely

# Word -> module of aggregator.cli that holds it, so that `--help` and short commands start at once.
_WORDS = {
    "run": "serve",
    "serve": "serve",
    "listen": "listen",
    "demo": "demo",
    "source": "source",
    "host": "host",
    "pull": "pull",
    "budget": "budget",
    "purge": "purge",
    "compliance": "compliance",
    "review": "review",
    "token": "token",
    "user": "user",
    "audit": "audit",
    "freeze": "freeze",
    "topics": "topics",
    "status": "status",
    "doctor": "doctor",
    "incidents": "incidents",
    "credentials": "credentials",
    "prune": "prune",
    "export": "transfer",
    "import": "transfer",
    "settings": "setup",
    "migrate": "setup",
}


class _Words(click.Group):
    """A group whose commands are imported when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        from aggregator.cli.credentials import services

        return [*_WORDS, *services()]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; the error about an unknown one names similar ones."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as problem:
            known = self.list_commands(ctx)
            raise click.exceptions.NoSuchCommand(problem.command_name, possibilities=known, ctx=ctx) from None

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _WORDS:
            from aggregator.cli.credentials import commands_of, services

            return commands_of(cmd_name) if cmd_name in services() else None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(import_module(f"aggregator.cli.{_WORDS[cmd_name]}"), name)
        add_examples(command, cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run a command and turn foreseen errors into a sentence and an exit code."""
        try:
            return super().invoke(ctx)
        except AggregatorError as problem:
            click.echo(f"aggregator: {problem}", err=True)
            ctx.exit(WRONG_USAGE if isinstance(problem, SettingsError | BadRequestError) else FAILED)


@click.command(cls=_Words, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="activity-stream-aggregator", prog_name="aggregator")
def aggregator() -> None:
    """Collect posts, news feeds and calendars in one activity stream, review it and serve it.

    Settings come from AGGREGATOR_* variables; 'aggregator settings' lists them.
    """


def main() -> None:
    """Run the command line."""
    collect_rarely()
    aggregator(prog_name="aggregator")


if __name__ == "__main__":
    main()
