"""What `packshot status` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.commands.tables import coloured
from streams.runtime.screen import console, print_json, styled, table

if TYPE_CHECKING:
    from schemas.records import Verdict
    from streams.services.status import ProductStatus


def show_status(status: ProductStatus, *, as_json: bool) -> None:
    """Where every asset of one product stands, and its tasks."""
    product = status.product
    if as_json:
        from streams.services.views import status_view

        print_json(status_view(status))
        return
    gone = styled(" deleted", "red") if product.deleted else ""
    console.say(
        styled(status.sku, "bold"), f" ({status.tenant}) version {product.version}", gone, f"  {product.event.title}"
    )
    shown = table("asset", "state", "live version", "why", "URL")
    for asset in status.assets:
        live = "" if asset.live is None else f"{asset.live.version}"
        url = "" if asset.live is None else asset.live.file.url
        shown.add_row(asset.asset, coloured(asset.state), live, asset.reason or _verdict_line(asset.verdict), url)
    console.show(shown)
    counted: dict[str, int] = {}
    for each in status.tasks:
        counted[f"{each.operation} {each.state}"] = counted.get(f"{each.operation} {each.state}", 0) + 1
    for why in sorted({each.task.demoted for each in status.tasks if each.task.demoted}):
        console.say(styled("demoted to bulk", "yellow"), f": {why}")
    console.say("tasks: " + (", ".join(f"{n} × {what}" for what, n in sorted(counted.items())) or "none"))


def _verdict_line(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    ran = [check for check in verdict.checks if check.outcome != "not_run"]
    return f"{sum(check.outcome == 'pass' for check in ran)} of {len(ran)} checks passed"
