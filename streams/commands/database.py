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
    from streams.services.operating.local import upgraded

    found = upgraded(settings)
    if as_json:
        print_json(found)
        return
    were = "" if found.before == found.after else f"; they were {found.before or 'of no revision'}"
    console.say(f"the tables are at {found.after}{were}")
