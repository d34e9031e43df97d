"""`packshot recipes`: what is made of products, and how that is changed."""

import sys
from pathlib import Path

import click

from streams.commands.groups import Group
from streams.runtime.exits import Exit
from streams.runtime.settings import Settings

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=Group)
def recipes() -> None:
    """Recipes: operations and their parameters, by name and version; and tenants' defaults for parameters."""


@recipes.command()
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of text.")
def check(files: tuple[Path, ...], as_json: bool) -> None:
    """Check files of recipes and of tenants' defaults; every problem is told with its file, line and path."""
    from streams.commands.tables.recipes import show_checked
    from streams.services.releases.recipes import checked, read_file

    def ref(file: Path) -> str:
        _, made = read_file(file)
        return made.ref

    found = [checked(file, ref) for file in files]
    show_checked(found, as_json=as_json)
    sys.exit(Exit.FOUND if any(each.wrong for each in found) else Exit.OK)


@recipes.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def recipes_list(settings: Settings, as_json: bool) -> None:
    """Show every recipe and all tenants' defaults, each in the version that counts."""
    from streams.commands.tables.recipes import show_recipes
    from streams.services.releases import recipes as desk

    show_recipes(desk.overview(settings), as_json=as_json)


@recipes.command()
@click.argument("name")
@click.option("--tenant", default="", help="With the defaults of this tenant.")
@click.option("--channel", help="For this channel; unset, what is the same for all.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.pass_obj
def show(settings: Settings, name: str, tenant: str, channel: str | None, as_json: bool) -> None:
    """Show a recipe with what would really be used: each parameter's value, and who says so."""
    from streams.commands.tables.recipes import show_recipe
    from streams.services.releases import recipes as desk

    show_recipe(desk.show(settings, name, tenant, channel), as_json=as_json)


@recipes.command()
@click.argument("file", type=FILE)
@click.option("--dry-run", is_flag=True, help="Release nothing; say which products would be made again.")
@click.option("--why", default="", help="The reason, which is kept.")
@click.option("--by", default="", envvar="USER", help="Who releases it; by default the user's name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def release(settings: Settings, file: Path, dry_run: bool, why: str, by: str, as_json: bool) -> None:
    """Let a recipe or a tenant's defaults count. Just the products of which it makes something else are made again."""
    from streams.commands.tables.recipes import show_released
    from streams.services.releases import recipes as desk

    show_released(desk.release(settings, file, why, by, dry_run=dry_run), as_json=as_json)
