"""`doctor`: find misconfigurations, and how to correct them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from aggregator.cli.context import FAILED
from aggregator.cli.output import print_json
from aggregator.config.logging import configure_logging
from aggregator.config.settings import Settings
from aggregator.domain.errors import SettingsError
from aggregator.domain.monitoring.findings import Level, error
from aggregator.text.plain import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.domain.monitoring.findings import Finding


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per finding.")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Find misconfigurations, and how to correct them.

    Checks settings, files, disks, database, broker, clock, tokens, name resolution, proxies and the public address.
    Changes nothing. The exit code is 1 if there are errors, and 0 if there are only warnings.
    """
    findings = _examine()
    for finding in findings:
        if as_json:
            print_json(finding._asdict())
        else:
            click.echo(f"{finding.level.upper()} {finding.code}: {finding.problem}\n  -> {finding.remedy}\n")
    errors = sum(finding.level is Level.ERROR for finding in findings)
    if not as_json:
        click.echo(f"{counted(errors, 'error')}, {counted(len(findings) - errors, 'warning')}")
    if errors:
        context.exit(FAILED)


def _examine() -> Sequence[Finding]:
    try:
        settings = Settings.from_environment()
    except SettingsError as problem:
        remedy = "Correct the variable; 'aggregator settings' explains each."
        return [error("setting-invalid", line, remedy) for line in str(problem).splitlines()]
    configure_logging("error", settings.log_format)
    from aggregator.config.broker import VISIBILITY
    from aggregator.container import Container
    from aggregator.services.doctor.checks import examine_all
    from aggregator.services.doctor.examination import Subject
    from worker import responding_workers

    container = Container(settings)
    subject = Subject(
        settings,
        os.environ,
        container.store,
        container.clock,
        VISIBILITY,
        container.configuration.check,
        lambda: responding_workers(container),
        check_provider=container.check_sign_on,
    )
    try:
        return examine_all(subject)
    finally:
        container.close()
