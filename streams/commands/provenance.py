"""`packshot provenance`, `disclosures` and `probe`: how pictures came about, what has to be told, what is served."""

import sys

import click

from streams.commands.groups import Group
from streams.runtime.exits import Exit
from streams.runtime.settings import Settings
from streams.services.reports.moments import Age

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
TENANT = click.option("--tenant", help="The tenant; needed only when several have the SKU.")


@click.command()
@click.argument("place", metavar="FILE|URL")
@AS_JSON
@click.pass_context
def provenance(context: click.Context, place: str, as_json: bool) -> None:
    """Show how a picture came about, as its file says, and if it is unaltered.

    Ends with 1 for a file that is not signed, or was changed after it was.
    """
    from streams.commands.tables.provenance import show_provenance
    from streams.publishing.signing.reading import UNALTERED
    from streams.services.live.provenance import of_file

    found = of_file(context.obj, place)
    show_provenance(found, as_json=as_json)
    sys.exit(Exit.OK if found.state in UNALTERED else Exit.FOUND)


@click.group(cls=Group)
def disclosures() -> None:
    """Disclosures: what has to be told of how pictures were made, and where."""


@disclosures.command("list")
@AS_JSON
def list_rules(as_json: bool) -> None:
    """The rules, each with its source."""
    from streams.commands.tables.provenance import show_rules
    from streams.services.live.provenance import rules

    show_rules(rules(), as_json=as_json)


@disclosures.command()
@click.argument("sku")
@click.argument("assets", metavar="[ASSET…]", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Rules that do not apply, too, with why not.")
@TENANT
@AS_JSON
@click.pass_obj
def explain(
    settings: Settings, sku: str, assets: tuple[str, ...], everything: bool, tenant: str | None, as_json: bool
) -> None:
    """How a product's live pictures were made, and which rules apply, in sentences."""
    from streams.commands.tables.provenance import show_explained
    from streams.services.live.provenance import explained

    show_explained(explained(settings, sku, assets, tenant), everything=everything, as_json=as_json)


@click.command()
@click.option("--tenant", help="Only this tenant's.")
@click.option("--sku", help="Only this product's.")
@click.option("--most", type=click.IntRange(min=0), default=100, show_default=True, help="So many, by chance; 0: all.")
@click.option("--slow-ms", type=click.FloatRange(min=0), default=2000.0, show_default=True, help="What counts as slow.")
@click.option("--every", "every_s", type=Age(min_s=60), help="Again and again, on metrics, until it is ended.")
@click.option("--dry-run", is_flag=True, help="Only look: what differs is no event, and no broker is asked for.")
@AS_JSON
@click.pass_context
def probe(
    context: click.Context,
    tenant: str | None,
    sku: str | None,
    most: int,
    slow_ms: float,
    every_s: float | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Fetch live pictures as a shopper does, and tell what differs from what was published.

    All files of each asset are fetched through the CDN, and its manifest. What differs is an event on imagery.drift.
    Ends with 1 where anything differs: for cron.
    """
    from streams.commands.tables import progress
    from streams.commands.tables.provenance import show_probed
    from streams.services.live.probing import Wanted, probed_live, tell_drift, watch

    wanted = Wanted(tenant, sku, most, slow_ms)
    if every_s is not None:
        watch(context.obj, wanted, every_s)
        return
    with progress("probing", hidden=as_json) as tell:
        found = probed_live(context.obj, wanted, tell)
    show_probed(found, as_json=as_json)
    if not dry_run:
        tell_drift(context.obj, found)
    sys.exit(Exit.FOUND if found.found else Exit.OK)
