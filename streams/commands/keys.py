"""`packshot keys`: who may use the API."""

from typing import Any

import click

from streams.commands.groups import Group
from streams.commands.tables import moment
from streams.runtime.screen import console, errors, print_json, table
from streams.runtime.settings import Settings
from streams.services.reports.moments import Moment

SCOPES = ("read", "write", "review", "operate")


@click.group(cls=Group)
def keys() -> None:
    """Keys of the API: who may use it, for which tenants, for what."""


@keys.command()
@click.argument("name")
@click.option("--tenant", "tenants", multiple=True, required=True, help="A tenant that it opens; may be several.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="What it may do; unset, everything.")
@click.option("--test", "is_test", is_flag=True, help="A key whose writes are checked and go nowhere.")
@click.option("--expires", "expires_at_ms", type=Moment(), help="When it ends: a time, as 2027-01-31.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def create(
    settings: Settings,
    name: str,
    tenants: tuple[str, ...],
    scopes: tuple[Any, ...],
    is_test: bool,
    expires_at_ms: int | None,
    as_json: bool,
) -> None:
    """Make a key, and show it this once. Two of a name are valid at a time, so that one can be changed for another."""
    from streams.services.access import keys as desk
    from streams.services.reports import status

    with status.open_database(settings) as database:
        mode: Any = "test" if is_test else "live"
        text, key = desk.create(database, name, tenants, scopes or desk.SCOPES, mode, expires_at_ms)
    if as_json:
        print_json(desk.new_view(text, key))
    else:
        console.say(text)  # alone on standard output, so that KEY=$(packshot keys create …) has it
        errors.say(f"{key.name} ({key.key_id}), for {', '.join(key.tenants)}: {', '.join(key.scopes)}")
        errors.say("nobody can show it again: keep it where you keep passwords")


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def keys_list(settings: Settings, as_json: bool) -> None:
    """Show every key by its id, never itself."""
    from streams.facts.keys import ApiKeys
    from streams.services.access import keys as desk
    from streams.services.reports import status

    with status.open_database(settings) as database:
        known = ApiKeys(database).every()
    if as_json:
        print_json([desk.view(key) for key in known])
        return
    shown = table("id", "name", "mode", "tenants", "scopes", "made", "ends", "revoked", "last used")
    for key in known:
        times = key.created_at_ms, key.expires_at_ms, key.revoked_at_ms, key.last_used_at_ms
        moments = ("" if at_ms is None else moment(at_ms, "minutes") for at_ms in times)
        shown.add_row(key.key_id, key.name, key.mode, ", ".join(key.tenants), ", ".join(key.scopes), *moments)
    console.show(shown)


@keys.command()
@click.argument("key_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def revoke(settings: Settings, key_id: str, as_json: bool) -> None:
    """End a key at once."""
    from streams.services.access import keys as desk
    from streams.services.reports import status

    with status.open_database(settings) as database:
        desk.revoke(database, key_id)
    if as_json:
        print_json({"revoked": key_id})
    else:
        console.say(f"{key_id} opens nothing any more")
