"""What `packshot status` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.commands.tables import coloured
from streams.runtime.screen import console, print_json, styled, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.records import Verdict
    from streams.client.records import Asset as RemoteAsset
    from streams.client.records import KnownProduct
    from streams.services.reports.status import ProductStatus


def show_status(status: ProductStatus, *, as_json: bool) -> None:
    """Where every asset of one product stands, and its tasks."""
    product = status.product
    if as_json:
        from streams.services.reports.views import status_view

        print_json(status_view(status))
        return
    _heading(status.tenant, status.sku, product.version, product.deleted, product.event.title)
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
    for name, text in status.rewritten.items():
        console.say(styled(f"{name} would better read", "yellow"), f": {text}")
    console.say("tasks: " + (", ".join(f"{n} × {what}" for what, n in sorted(counted.items())) or "none"))


def show_remote_status(product: KnownProduct, assets: Sequence[RemoteAsset], *, as_json: bool) -> None:
    """The same as an API tells it, which tells of no tasks."""
    if as_json:
        from streams.services.submitting.remote import remote_status

        print_json(remote_status(product, assets))
        return
    _heading(product.tenant, product.sku, product.version, product.deleted, product.title)
    shown = table("asset", "state", "live version", "why", "URL")
    for asset in assets:
        live = "" if asset.live is None else str(asset.live.get("version", ""))
        shown.add_row(asset.asset, coloured(asset.state), live, asset.reason, asset.url or "")
    console.show(shown)


def _heading(tenant: str, sku: str, version: int, deleted: bool, title: str) -> None:
    gone = styled(" deleted", "red") if deleted else ""
    console.say(styled(sku, "bold"), f" ({tenant}) version {version}", gone, f"  {title}")


def _verdict_line(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    ran = [check for check in verdict.checks if check.outcome != "not_run"]
    return f"{sum(check.outcome == 'pass' for check in ran)} of {len(ran)} checks passed"
