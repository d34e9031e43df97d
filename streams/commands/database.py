"""`packshot database`: the tables of the facts, from one version of Packshot to the next."""

import click

from streams.commands.groups import Group
from streams.runtime.screen import console, print_json
from streams.runtime.settings import Settings


@click.group(cls=Group)
def database() -> None:
    """The tables of the facts, from one version to the next."""


@database.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def upgrade(settings: Settings, as_json: bool) -> None:
    """Bring the tables forward to this version's; nothing where they are. `packshot up` does so by itself."""
    from streams.services.local import upgraded

    before, after = upgraded(settings)
    if as_json:
        print_json({"before": before, "after": after})
    else:
        console.say(
            f"the tables are at {after}" + ("" if before == after else f"; they were {before or 'of no revision'}")
        )
