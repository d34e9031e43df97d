"""What `packshot costs` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streams.runtime.screen import console, print_json, styled, table

if TYPE_CHECKING:
    from streams.services.reports.costs import CostsView


def show_costs(costs: CostsView, by: Sequence[str], *, as_json: bool) -> None:
    """What accepted images cost, by groups and in all."""
    if as_json:
        print_json(costs)
        return
    if costs.total is None:
        console.say("no work has ended that costs were measured of")
        return
    shown = table("/".join(by), "images", "an image", "in all", "wasted", "saved")
    for column in shown.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for each in [*costs.groups, costs.total]:
        amounts = each.per_image_nanos, each.total_nanos, each.wasted_nanos, each.saved_price_nanos
        name = "/".join(each.group.values()) or styled("all", "bold")
        shown.add_row(name, str(each.images), *map(_money, amounts))
    console.say(f"prices in {costs.currency}")
    console.show(shown)


def _money(nanos: float | None) -> str:
    return f"{nanos / 1e9:,.6f}" if nanos else "·"
