"""`packshot status`, `audit` and `costs`: what is, what is wrong, and what it cost."""

import sys
from typing import Any

import click

from streams.commands.options import through
from streams.runtime.exits import Exit
from streams.runtime.settings import Settings
from streams.services.reports.moments import Moment


@click.command()
@click.argument("sku")
@click.option("--tenant", default=None, help="The tenant; needed only when several have the SKU.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@through
@click.pass_obj
def status(
    settings: Settings, sku: str, tenant: str | None, as_json: bool, remote: str | None, key: str | None
) -> None:
    """Tell where every asset of a product stands, and why."""
    if url := remote or settings.remote:
        _remote_status(settings, url, key, tenant, sku, as_json)
        return
    from streams.commands.tables.status import show_status
    from streams.services.reports.status import open_database, status_of, tenants_of

    with open_database(settings) as database:
        for each in tenants_of(database, sku, tenant):
            show_status(status_of(database, each, sku), as_json=as_json)


def _remote_status(settings: Settings, url: str, key: str | None, tenant: str | None, sku: str, as_json: bool) -> None:
    from streams.client import calls
    from streams.commands.tables.status import show_remote_status
    from streams.services.submitting import remote

    with remote.clients(settings, url, key) as clients:
        product = clients(tenant).send(calls.get_product(sku))
        assets = clients(tenant).send(calls.get_product_assets(sku)).assets
    show_remote_status(product, assets, as_json=as_json)


@click.command()
@click.option("--deep", is_flag=True, help="Read every live file, too, and check its digest.")
@click.option("--by", "asked_by", default="", envvar="USER", help="Who asks; by default the user's name.")
@click.option("--number", type=int, hidden=True, help="Of an audit that the desk has begun.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.pass_obj
def audit(settings: Settings, deep: bool, asked_by: str, number: int | None, as_json: bool) -> None:
    """Compare topics, facts and origin: is anything lost, stale, doubled or missing?

    What was found is noted, and the desk shows it.
    """
    from streams.commands.tables.system import show_report
    from streams.services.audit.reports import noted

    report = noted(settings, asked_by, deep=deep, number=number)
    show_report(report, as_json=as_json)
    sys.exit(Exit.OK if report.clean else Exit.FOUND)


@click.command()
@click.option("--tenant", help="Work for this tenant.")
@click.option("--since", "since_ms", type=Moment(), default=0, help="Work that ended then or later: a time, or 2h ago.")
@click.option(
    "--by",
    multiple=True,
    type=click.Choice(["tenant", "channel", "operation"]),
    help="What to tell apart; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.pass_obj
def costs(settings: Settings, tenant: str | None, since_ms: int, by: tuple[Any, ...], as_json: bool) -> None:
    """Tell what an accepted image cost, and what was wasted or saved by the cache."""
    from streams.commands.tables.costs import show_costs
    from streams.services.reports.costs import costs_of
    from streams.services.reports.status import open_database

    with open_database(settings) as database:
        found = costs_of(database, by, tenant, since_ms, settings.price_currency)
    show_costs(found, by, as_json=as_json)
