"""`packshot provision`: what an installation stands on, made once, and not by each role."""

import sys

import click

from streams.runtime.exits import Exit
from streams.runtime.screen import console, errors, print_json
from streams.runtime.settings import Settings


@click.command()
@click.option(
    "--within",
    "within_s",
    type=click.FloatRange(min=0),
    default=300.0,
    show_default=True,
    help="Seconds to wait for brokers and a database that are away.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def provision(settings: Settings, within_s: float, as_json: bool) -> None:
    """Make the topics and tables, or bring them forward; once for all roles."""
    from streams.services.operating.provisioning import provision as provisioned

    done = provisioned(settings, within_s)
    if as_json:
        print_json(done)
    else:
        console.say(f"{done.topics} topics are there; {len(done.mended)} were missing or had less than they should")
        console.say(f"the tables are at {done.tables.after}")
        for each in done.left:
            errors.say(f"left as it is: {each}")
    sys.exit(Exit.FOUND if any(each.needs_an_operator for each in done.left) else Exit.OK)
