"""`packshot sweep`: takes away what no manifest names."""

import sys

import click

from streams.runtime.exits import Exit
from streams.runtime.screen import console, errors, print_json, styled
from streams.runtime.settings import Settings

SHOWN_MAX = 20


@click.command()
@click.option(
    "--older-than",
    "unnamed_s",
    type=click.FloatRange(min=0),
    default=3600.0,
    show_default=True,
    help="Seconds after which a file goes that no manifest speaks of. Uploads that take longer begin anew.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and take nothing away.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def sweep(settings: Settings, unnamed_s: float, dry_run: bool, as_json: bool) -> None:
    """Take away what no manifest names, and what was replaced once its grace is over; safe at any time."""
    from streams.blobs import open_store
    from streams.publishing.sweep import Sweep, Swept
    from streams.runtime.clock import now_ms

    origin = open_store(settings.origin, s3_endpoint=settings.s3_endpoint)
    done: Swept = Sweep(origin, now_ms, unnamed_s=unnamed_s, dry_run=dry_run).run()
    if as_json:
        print_json(done)
    else:
        _show(done.removed, dry_run=dry_run)
        console.say(f"{done.in_grace} stay until their grace is over, {done.unclaimed} lie beside no manifest")
    for fault in done.faults:
        errors.say(styled(fault, "red"))
    sys.exit(Exit.FOUND if done.faults else Exit.OK)


def _show(removed: tuple[str, ...], *, dry_run: bool) -> None:
    for key in removed[:SHOWN_MAX]:
        console.say(key)
    if len(removed) > SHOWN_MAX:
        console.say(f"and {len(removed) - SHOWN_MAX} more")
    console.say(f"{len(removed)} files {'would go' if dry_run else 'are gone'}")
