"""`packshot assess`: what is wrong with the pictures that a shop shows today."""

from pathlib import Path

import click

from streams.runtime.settings import Settings


@click.command()
@click.argument("source")
@click.option("--channel", "channels", multiple=True, help="By these channels' rules; unset, by each product's own.")
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="assessment",
    show_default=True,
    help="The folder for the page, the figures, and what was seen, with which a later run goes on.",
)
@click.option("--sample", type=click.IntRange(0, 500), default=20, show_default=True, help="Mend so many for a look.")
@click.option(
    "--business",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The shop's own numbers, as YAML: pictures_a_month, minutes_per_picture, cost_per_picture, bottlenecks …",
)
@click.option("--tenant", help="Show it on this tenant's page of the desk, too; unset, it is kept in the folder alone.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def assess(
    settings: Settings,
    source: str,
    channels: tuple[str, ...],
    folder: Path,
    sample: int,
    file: Path | None,
    tenant: str | None,
    as_json: bool,
) -> None:
    """Tell what is wrong with the pictures that a shop shows today. Nothing of them is changed.

    SOURCE is a folder of pictures, a file (events as `submit` takes them, or a Google Merchant feed), or
    connector:NAME, a shop that is connected.
    """
    from streams.commands.tables import progresses
    from streams.commands.tables.assess import show_assessment
    from streams.services.assessing.assess import Wanted
    from streams.services.assessing.estimate import Business, read_business
    from streams.services.assessing.report import write

    business = Business() if file is None else read_business(file)
    wanted = Wanted(source, folder, channels, sample, business, tenant)
    with progresses(hidden=as_json) as progress:
        found, written = write(settings, wanted, progress)
    show_assessment(found, written, as_json=as_json)
