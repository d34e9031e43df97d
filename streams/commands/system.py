"""`packshot up`, `run`, `check`, `settings` and `demo`: the system itself."""

import sys
from pathlib import Path
from typing import Any

import click

from schemas.operations.base import POOLS
from streams.runtime.exits import Exit
from streams.runtime.screen import console, print_json
from streams.runtime.settings import Settings

ROLES = ("streams", "worker", "publisher", "retrier", "webhooks", "connectors", "cdn", "gateway", "scaler")


@click.command()
@click.pass_obj
def up(settings: Settings) -> None:
    """Run the whole system on this machine until Ctrl-C."""
    from streams.commands.running import announce, tell_death
    from streams.services.operating.local import run_until_stopped

    run_until_stopped(settings, console.say, tell_death, announce)


@click.command()
@click.argument("role", type=click.Choice(ROLES))
@click.option("--pool", type=click.Choice(POOLS), help="Which pool a worker works for.")
@click.pass_obj
def run(settings: Settings, role: str, pool: Any) -> None:
    """Run one role as this process."""
    from streams.services.operating import roles

    if (role == "worker") != (pool is not None):
        raise click.UsageError("a worker, and nothing else, needs --pool")
    if role == "gateway":
        from streams.api.serving import run_gateway
        from streams.web.app import with_desk

        run_gateway(settings, with_desk)
    else:
        roles.run(role, pool, settings)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def check(settings: Settings, as_json: bool) -> None:
    """Check that everything is reachable and sane."""
    from streams.commands.tables.system import show_findings
    from streams.services.audit.checks import check_everything

    findings = check_everything(settings)
    show_findings(findings, as_json=as_json)
    sys.exit(Exit.OK if all(finding.ok for finding in findings) else Exit.FOUND)


@click.command("settings")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of text.")
def show_settings(as_json: bool) -> None:
    """Show every setting, its default and what it is for."""
    from streams.services.reports.setting_views import described

    if as_json:
        print_json(list(described()))
        return
    for each in described():
        shown = ",".join(each.default) if isinstance(each.default, tuple) else each.default
        console.say(f"{each.name}  [{'' if shown is None else shown}]")
        console.say(f"    {each.description}")


@click.command()
@click.option("--catalogue", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--campaign", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.pass_obj
def demo(settings: Settings, file: Path, campaign: Path) -> None:
    """Run the whole system over a catalogue and an urgent campaign, and show what came out."""
    from streams.commands.demo import run_demo

    sys.exit(run_demo(settings, file, campaign))
