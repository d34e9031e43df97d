"""What `packshot costs` shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from streams.runtime.screen import console, print_json, styled, table

if TYPE_CHECKING:
    from streams.facts import Spending


def show_costs(
    groups: Sequence[Spending], total: Sequence[Spending], by: Sequence[str], currency: str, *, as_json: bool
) -> None:
    """What accepted images cost, by groups and in all; `total` is empty where no work has ended yet."""
    if as_json:
        of_all = _spending_facts(total[0]) if total else None
        print_json({"currency": currency, "groups": [_spending_facts(each) for each in groups], "total": of_all})
        return
    if not total:
        console.say("no work has ended that costs were measured of")
        return
    shown = table("/".join(by), "images", "an image", "in all", "wasted", "saved")
    for column in shown.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for each in [*groups, *total]:
        amounts = each.per_image_nanos, each.total_nanos, each.wasted_nanos, each.saved_price_nanos
        name = "/".join(each.group.values()) or styled("all", "bold")
        shown.add_row(name, str(each.images), *map(_money, amounts))
    console.say(f"prices in {currency}")
    console.show(shown)


def _money(nanos: float | None) -> str:
    return f"{nanos / 1e9:,.6f}" if nanos else "·"


def _spending_facts(each: Spending) -> dict[str, Any]:
    sums = {"total_nanos": each.total_nanos, "wasted_nanos": each.wasted_nanos, "per_image_nanos": each.per_image_nanos}
    return asdict(each) | sums
