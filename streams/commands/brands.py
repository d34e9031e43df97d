"""`packshot brands`: how a house's pictures look, learned from its own."""

from pathlib import Path

import click

from streams.commands.groups import Group
from streams.runtime.settings import Settings


@click.group(cls=Group)
def brands() -> None:
    """Brands: what a house's pictures have in common, for the operation style."""


@brands.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def brands_list(settings: Settings, as_json: bool) -> None:
    """Show every brand."""
    from streams.commands.tables.brands import show_brands
    from streams.services.releases import brands as desk

    show_brands(desk.overview(settings), as_json=as_json)


@brands.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.pass_obj
def show(settings: Settings, name: str, as_json: bool) -> None:
    """Show a brand: its colours, and the parameters that make a packshot one of its own."""
    from streams.commands.tables.brands import show_brand
    from streams.services.releases import brands as desk

    show_brand(desk.show(settings, name), as_json=as_json)


@brands.command()
@click.argument("name")
@click.argument("pictures", metavar="PICTURES…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to write it into; unset, that of PACKSHOT_BRANDS.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.pass_obj
def learn(settings: Settings, name: str, pictures: tuple[Path, ...], into: Path | None, as_json: bool) -> None:
    """Learn a brand from ten or more of its pictures, and write a file of it that can be corrected by hand."""
    from streams.commands.tables import progress
    from streams.commands.tables.brands import show_brand
    from streams.services.releases import brands as desk

    with progress("pictures", hidden=as_json) as report:
        learned = desk.learn(settings, name, pictures, into, report)
    show_brand(learned, as_json=as_json)
