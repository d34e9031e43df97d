"""`packshot render` and `preview`: pictures on this machine, without a broker."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from schemas.operations import OPERATIONS
from streams.commands.options import parameters
from streams.runtime.exits import Exit
from streams.runtime.settings import Settings

if TYPE_CHECKING:
    from streams.services.ordering.local_render import Wanted

PIPE = "-"


@click.command()
@click.argument("operation", type=click.Choice([name for name, each in OPERATIONS.items() if each.makes != "source"]))
@click.argument("sources", metavar="IN…", nargs=-1, required=True)
@click.argument("target", metavar="OUT")
@click.option("--channel", help="The channel whose rules the picture follows.")
@click.option("--category", default="", help="The product's category, for rules that depend on it.")
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A parameter of the operation.")
@click.option("--model", metavar="NAME@VERSION", help="The network that cuts out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def render(
    settings: Settings,
    operation: str,
    sources: tuple[str, ...],
    target: str,
    channel: str | None,
    category: str,
    pairs: tuple[str, ...],
    model: str | None,
    as_json: bool,
) -> None:
    """Run one operation on pictures, without a broker.

    IN is a file, several for an operation that takes more than one, or - for standard input; OUT is a file, or - for
    standard output.

    Where OUT is a folder, or ends in /, or IN is one, every picture in IN becomes one in OUT: IN are files, folders
    with all that is in them, and patterns in quotes. A report in OUT says what became of each; what is done is not
    done again. Ends with 1 when some failed, and 2 when it could not work at all.
    """
    from gpu_workers.local.files import role_for
    from streams.services.ordering import local_render

    is_folder = local_render.is_folder(sources, target)
    role = role_for(operation, "" if is_folder or target == PIPE else Path(target).suffix)
    wanted = local_render.Wanted(operation, channel, category, parameters(pairs), model, role)
    if is_folder:
        _render_many(settings, wanted, sources, Path(target), as_json=as_json)
    else:
        _render_one(settings, wanted, sources, target, as_json=as_json)


def _render_one(settings: Settings, wanted: "Wanted", sources: tuple[str, ...], target: str, *, as_json: bool) -> None:
    from gpu_workers.local import files
    from streams.commands.tables.render import show_refused, show_render
    from streams.runtime.errors import Refused
    from streams.services.ordering.local_render import render_one, render_view

    if target == PIPE:
        _check_pipe(as_json=as_json)
    if sources.count(PIPE) > 1:
        raise click.UsageError("standard input is one picture")
    opened = [sys.stdin.buffer if source == PIPE else Path(source) for source in sources]
    made = render_one(settings, wanted, opened)
    if isinstance(made, Refused):
        show_refused(made.code, made.message)
        sys.exit(Exit.FOUND)
    if target == PIPE:
        sys.stdout.buffer.write(made.file)
        sys.stdout.buffer.flush()
        return
    files.write(Path(target), made.file)
    show_render(render_view(Path(target), made, wanted), as_json=as_json)


def _check_pipe(*, as_json: bool) -> None:
    if as_json:
        raise click.UsageError("standard output is the picture, and cannot be --json too")
    if sys.stdout.isatty():
        raise click.UsageError("a picture is nothing for a terminal; send it to a file or a pipe")


def _render_many(
    settings: Settings, wanted: "Wanted", sources: tuple[str, ...], folder: Path, *, as_json: bool
) -> None:
    from streams.commands.tables import progress
    from streams.commands.tables.render import show_summary
    from streams.services.ordering.local_render import render_many

    if PIPE in sources:
        raise click.UsageError("standard input is one picture, and goes to one file")
    with progress("pictures", hidden=as_json) as report:
        summary = render_many(settings, wanted, sources, folder, report)
    show_summary(summary, as_json=as_json)
    if summary.refused:
        sys.exit(Exit.FOUND)


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
    from streams.services.releases import preview as desk

    wanted = desk.Wanted(recipe, skus, file, tenant, channels, model)
    with progress("pictures", hidden=as_json) as report:
        entries = desk.preview(settings, wanted, target, report)
    show_preview(target, entries, as_json=as_json)
