"""What `packshot status` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from schemas.records import Task
from streams.commands.tables import coloured
from streams.runtime.screen import console, print_json, styled, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.records import Verdict
    from streams.client.records import Asset as RemoteAsset
    from streams.client.records import KnownProduct
    from streams.facts import Asset, TaskFact
    from streams.services.status import ProductStatus


def show_status(status: ProductStatus, *, as_json: bool) -> None:
    """Where every asset of one product stands, and its tasks."""
    product = status.product
    if as_json:
        print_json(
            {
                "tenant": status.tenant,
                "sku": status.sku,
                "version": product.version,
                "deleted": product.deleted,
                "assets": [asset_facts(asset) for asset in status.assets],
                "tasks": [_task_facts(each) for each in status.tasks],
            }
        )
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
    for why in sorted({task.demoted for task in map(_task_of, status.tasks) if task.demoted}):
        console.say(styled("demoted to bulk", "yellow"), f": {why}")
    console.say("tasks: " + (", ".join(f"{n} × {what}" for what, n in sorted(counted.items())) or "none"))


def show_remote_status(product: KnownProduct, assets: Sequence[RemoteAsset], *, as_json: bool) -> None:
    """The same as an API tells it, which tells of no tasks."""
    if as_json:
        told = {name: getattr(product, name) for name in ("tenant", "sku", "version", "deleted")}
        print_json({**told, "assets": [asset_facts(asset) for asset in assets]})
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


def asset_facts(asset: Asset | RemoteAsset) -> dict[str, Any]:
    """An asset as JSON tells of it."""
    return {
        "sku": asset.sku,
        "asset": asset.asset,
        "version": asset.version,
        "state": asset.state,
        "reason": asset.reason,
        "verdict": msgspec.to_builtins(asset.verdict),
        "live": msgspec.to_builtins(asset.live),
    }


def _task_of(fact: TaskFact) -> Task:
    return fact.record if isinstance(fact.record, Task) else fact.record.task


def _task_facts(fact: TaskFact) -> dict[str, Any]:
    task = _task_of(fact)
    told = {"operation": fact.operation, "state": fact.state, "task_id": fact.task_id}
    return told | {"lane": task.lane, "demoted": task.demoted}
