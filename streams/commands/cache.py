"""`packshot cache`: what work left behind so as not to be done again."""

import click

from streams.commands.groups import Group
from streams.runtime.screen import console, print_json
from streams.runtime.settings import Settings
from streams.services.reports.moments import Age

GIGABYTE = 10**9


@click.group(cls=Group)
def cache() -> None:
    """The cache of results: what may be taken away at any time."""


@cache.command()
@click.option(
    "--older-than",
    "unused_s",
    type=Age(min_s=2 * 86_400),
    default="30d",
    show_default=True,
    help="Only what nobody used for so long; two days at least.",
)
@click.option("--max-size", "gigabytes_max", type=click.FloatRange(min=0), help="Gigabytes: stop once no more is left.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and take nothing away.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def prune(settings: Settings, unused_s: float, gigabytes_max: float | None, dry_run: bool, as_json: bool) -> None:
    """Take away results that nobody used for long, and their pictures where no product needs them; safe at any time."""
    from streams.services.operating import pruning

    bytes_max = None if gigabytes_max is None else round(gigabytes_max * GIGABYTE)
    done = pruning.prune(settings, unused_s, bytes_max, dry_run=dry_run)
    if as_json:
        print_json(done)
        return
    console.say(
        f"{done.results} results, {done.pictures} pictures and {done.signed} signed files, "
        f"{done.size_bytes / GIGABYTE:.3f} GB, " + ("would go" if dry_run else "are gone")
    )
    console.say(f"{done.needed} pictures stay, as products need them; {done.left_bytes / GIGABYTE:.3f} GB are left")
    if done.foreign:
        console.say(f"{done.foreign} notes that are no results stay")
