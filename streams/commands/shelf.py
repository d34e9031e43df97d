"""`packshot shelf`: live pictures beside each other, and which of them stand out."""

import click

from streams.runtime.settings import Settings


@click.command()
@click.option("--tenant", help="Only this tenant's shelves; by default all.")
@click.option("--dry-run", is_flag=True, help="Only look: pictures are held against what they were before.")
@click.option("--by", default="", envvar="USER", help="Who looks; by default the user's name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def shelf(settings: Settings, tenant: str | None, by: str, dry_run: bool, as_json: bool) -> None:
    """Look at live pictures as they stand beside each other, by tenant, channel and kind.

    From then on pictures are held against that by the check `style`; those that stand out go to a person, and stay live
    meanwhile. To be run now and then, by night for instance.
    """
    from streams.commands.tables.shelf import show_shelves
    from streams.services.display import shelves

    show_shelves(shelves.look(settings, tenant, by, dry_run=dry_run), dry_run=dry_run, as_json=as_json)
