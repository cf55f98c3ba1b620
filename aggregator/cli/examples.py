"""Examples of commands, which their help and the reference show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

# Command -> its arguments in examples; each line fits a terminal of 80 columns.
EXAMPLES = {
    "run": ("", "--threads 8"),
    "demo": ("", "--publish-every 5s"),
    "source add": (
        "https://www.opengovpartnership.org/",
        "@opengovpart --exclude replies",
        "@opengovpart@mastodon.social hashtag:opengov",
        "https://www.youtube.com/@opengovpart --every 2h",
        "https://example.org/feed --policy hold",
        "--from addresses.txt --every 30m",
    ),
    "source list": ("", "--json"),
    "source show": ("opengovpart",),
    "source set": ("opengovpart --every 10m", "opengovpart --policy delay --delay 1h", "opengovpart --every auto"),
    "source credentials": ("intranet --user portal", "intranet --header X-Api-Key", "intranet --none"),
    "source preview": ("https://example.org/news", "@opengovpart --limit 20"),
    "source backfill": ("opengovpart --since 2025-01-01", "@opengovpart --pages 5 --budget 2.50"),
    "source import-archive": ("opengovpart twitter-archive.zip --check",),
    "source export": ("sources.opml", "--format toml"),
    "source import": ("sources.opml --dry-run", "sources.opml --policy hold"),
    "source apply": ("sources.toml --dry-run", "sources.toml"),
    "source pause": ("opengovpart",),
    "source resume": ("opengovpart",),
    "source remove": ("opengovpart",),
    "host group": ("example.org --spacing 5s --concurrency 2", "cdn.example.net --name example.org"),
    "host resume": ("example.org:443",),
    "pull": ("opengovpart", "--all"),
    "budget": ("", "--days"),
    "purge post": ("https://social.example/@opengovpart/112233",),
    "purge account": ("@opengovpart",),
    "compliance report": ("--since 7d", "--since 2026-01-01 --json"),
    "review list": ("", "--state quarantined --limit 20"),
    "review approve": ("12 13", "12 --at 'tomorrow 9:00'", "12 --at '2026-12-01 09:00+01:00'"),
    "review hide": ("12 --reason 'off topic'",),
    "token create": ("portal", "prometheus --scope metrics"),
    "token revoke": ("portal",),
    "user add": ("ana --role editor --generate",),
    "user set": ("ana --role admin",),
    "audit list": ("--who ana", "--subject activity:12"),
    "freeze begin": ("--until 18:00 --reason 'Day of mourning'", "--until 2d --reason Election --source opengovpart"),
    "freeze end": ("", "3"),
    "topics preview": ("--newest 1000",),
    "status": ("", "--json"),
    "incidents snooze": ("12 --for 3d", "12 --for 0"),
    "incidents mute": ("12", "12 --off"),
    "prune": ("--dry-run",),
    "export": ("backup.ndjson.gz", "- | gzip > backup.ndjson.gz"),
    "import": ("backup.ndjson.gz",),
    "migrate": ("", "--wait"),
}


def add_examples(command: click.Command, path: str) -> None:
    """Add its examples to the help of a command, and of the commands below it."""
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            add_examples(child, f"{path} {name}")
    if path in EXAMPLES:
        command.epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines(path))


def lines(path: str) -> Iterable[str]:
    """Return the examples of a command as they are typed."""
    return [f"aggregator {path} {arguments}".rstrip() for arguments in EXAMPLES.get(path, ())]
