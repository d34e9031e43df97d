"""`packshot render` and `preview`: pictures on this machine, without a broker."""

from pathlib import Path

import click

from schemas.operations import OPERATIONS
from streams.commands.options import parameters
from streams.runtime.settings import Settings


@click.command()
@click.argument("operation", type=click.Choice([name for name, each in OPERATIONS.items() if each.makes != "source"]))
@click.argument(
    "sources",
    metavar="IN…",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.argument("target", metavar="OUT", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--channel", help="The channel whose rules the picture follows.")
@click.option("--category", default="", help="The product's category, for rules that depend on it.")
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A parameter of the operation.")
@click.option("--model", metavar="NAME@VERSION", help="The network that cuts out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def render(
    settings: Settings,
    operation: str,
    sources: tuple[Path, ...],
    target: Path,
    channel: str | None,
    category: str,
    pairs: tuple[str, ...],
    model: str | None,
    as_json: bool,
) -> None:
    """Run one operation on one file, or on several for one that takes more, without a broker."""
    from streams.commands.tables.render import show_render
    from streams.services.local_render import render_files

    verdict, measures = render_files(settings, operation, sources, target, channel, category, parameters(pairs), model)
    show_render(target, verdict, measures, as_json=as_json)


@click.command()
@click.argument("recipe")
@click.argument("skus", metavar="SKU…", nargs=-1, required=True)
@click.option(
    "--catalogue",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the products from this file of events; unset, from those that are known.",
)
@click.option("--tenant", help="The products of this tenant.")
@click.option("--channel", "channels", multiple=True, help="These channels in place of the products' own.")
@click.option(
    "--out",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    default="preview.html",
    show_default=True,
    help="The page to write.",
)
@click.option("--model", metavar="NAME@VERSION", help="The network that cuts out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def preview(
    settings: Settings,
    recipe: str,
    skus: tuple[str, ...],
    file: Path | None,
    tenant: str | None,
    channels: tuple[str, ...],
    target: Path,
    model: str | None,
    as_json: bool,
) -> None:
    """Show what a recipe makes of products, before and after, on one page. RECIPE is a name or a file."""
    from streams.commands.tables import progress
    from streams.commands.tables.render import show_preview
    from streams.services import preview as desk

    wanted = desk.Wanted(recipe, skus, file, tenant, channels, model)
    with progress("pictures", hidden=as_json) as report:
        entries = desk.preview(settings, wanted, target, report)
    show_preview(target, entries, as_json=as_json)
