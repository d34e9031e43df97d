"""`packshot desk`: who may look at the desk."""

from typing import Any

import click

from streams.commands.groups import Group
from streams.runtime.screen import console, errors, print_json
from streams.runtime.settings import Settings

ROLES = ("viewer", "reviewer", "operator")


@click.group(cls=Group)
def desk() -> None:
    """The desk: pages on which people see what becomes of their products, and decide."""


@desk.command()
@click.option("--tenant", "tenants", multiple=True, required=True, help="A tenant that it shows; may be several, or *.")
@click.option("--name", required=True, help="Whose it is; decisions are kept under this name.")
@click.option("--role", type=click.Choice(ROLES), default="reviewer", show_default=True, help="What they may do.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def link(settings: Settings, tenants: tuple[str, ...], name: str, role: Any, as_json: bool) -> None:
    """Make a link that signs somebody in, once, within a quarter of an hour."""
    from streams.services.access import sessions
    from streams.services.reports import status

    with status.open_database(settings) as database:
        address = sessions.address(settings.gateway, sessions.link(database, name, tenants, role))
    if as_json:
        print_json(sessions.SignIn(address, name, role, tenants))
        return
    console.say(address)  # alone on standard output, so that a script has it
    errors.say(f"{name}, {role} of {', '.join(tenants)}: works once, within {sessions.LINK_MS // 60_000} minutes")
