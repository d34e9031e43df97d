"""`packshot retract`: takes what is live off the shop."""

import click

from streams.runtime.screen import console, print_json
from streams.runtime.settings import Settings


@click.command()
@click.argument("sku")
@click.argument("assets", metavar="[ASSET…]", nargs=-1)
@click.option("--why", required=True, help="The reason, which is kept and announced.")
@click.option("--tenant", help="The tenant; needed only when several have the SKU.")
@click.option("--by", "decided_by", default="", envvar="USER", help="Who decides; by default the user's name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def retract(
    settings: Settings, sku: str, assets: tuple[str, ...], why: str, tenant: str | None, decided_by: str, as_json: bool
) -> None:
    """Take a product's assets off the shop, or those named; they stay away until a newer version or a replay."""
    from streams.services.operating import local

    event = local.retract(settings, sku, assets, tenant, why, decided_by)
    if as_json:
        print_json(event)
        return
    console.say(f"retracted {', '.join(event.assets)} of {event.tenant} {event.sku} v{event.version}")
