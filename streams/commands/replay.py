"""`packshot replay` and `rebuild-facts`: made again, and made anew."""

from typing import Any

import click

from schemas.records import LANES
from streams.runtime.settings import Settings
from streams.services.reports.moments import Moment


@click.command()
@click.option("--from", "since_ms", type=Moment(), help="Products that changed then or later: a time, or 2h ago.")
@click.option("--sku", "skus", multiple=True, help="Products with this SKU; may be given several times.")
@click.option("--tenant", help="Products of this tenant.")
@click.option("--rule", metavar="CHANNEL@VERSION", help="Products with an asset that was judged by these rules.")
@click.option("--model", metavar="NAME@VERSION", help="Products with an asset that this network made.")
@click.option("--lane", type=click.Choice(LANES), default="bulk", show_default=True, help="How urgent it is.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array of tenant and SKU.")
@click.pass_obj
def replay(
    settings: Settings,
    since_ms: int | None,
    skus: tuple[str, ...],
    tenant: str | None,
    rule: str | None,
    model: str | None,
    lane: Any,
    as_json: bool,
) -> None:
    """Have products planned and made again; what comes out as it was costs no inference and is not published twice."""
    from streams.commands.tables.replay import show_replanned
    from streams.services.operating import local, replanning

    selection = replanning.Selection(frozenset(skus), tenant, rule, model, since_ms)
    if selection == replanning.Selection():
        raise click.UsageError("say which products: --from, --sku, --tenant, --rule or --model")
    with local.connect(settings) as (database, producer):
        products = replanning.select(selection, database, settings)
        replanning.replan(products, lane, "packshot replay", producer)
    show_replanned(products, as_json=as_json)


@click.command("rebuild-facts")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def rebuild_facts(settings: Settings, as_json: bool) -> None:
    """Make the facts anew from the topics, with nothing else at work on them."""
    from streams.commands.tables.replay import show_rebuilt
    from streams.runtime.screen import errors
    from streams.services.operating import local

    show_rebuilt(local.rebuild_facts(settings, errors.say), as_json=as_json)
