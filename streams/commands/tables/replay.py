"""What `packshot replay` and `rebuild-facts` show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streams.runtime.screen import console, print_json, table
from streams.services.reports.views import product_names

if TYPE_CHECKING:
    from streams.services.recovery.rebuilding import Rebuilt


def show_replanned(products: Sequence[tuple[str, str]], *, as_json: bool) -> None:
    """What `packshot replay` asked for."""
    if as_json:
        print_json(product_names(products))
        return
    console.say(f"{len(products)} products are made again" if products else "no product is meant")


def show_rebuilt(tables: Sequence[Rebuilt], *, as_json: bool) -> None:
    """What `packshot rebuild-facts` made of each table."""
    if as_json:
        print_json(tables)
        return
    shown = table("table", "rows before", "rows now", "differ")
    for each in tables:
        shown.add_row(each.table, str(each.before), str(each.after), str(each.changed or "·"))
    console.show(shown)
