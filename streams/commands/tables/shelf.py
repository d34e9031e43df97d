"""What `packshot shelf` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.runtime.screen import console, print_json, table

if TYPE_CHECKING:
    from streams.services.display.shelves import Looked

NAMED_MAX = 5


def show_shelves(looked: Looked, *, dry_run: bool, as_json: bool) -> None:
    """Each shelf with how many pictures lie on it, and the products of which one stands out."""
    if as_json:
        print_json(looked.shelves)
        return
    if not looked.shelves:
        console.say("nothing is live that says how it looks")
        return
    shown = table("tenant", "shelf", "pictures", "stand out")
    for each in looked.shelves:
        more = len(each.outliers) - NAMED_MAX
        named = ", ".join(each.outliers[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
        shown.add_row(each.tenant, each.shelf, str(each.pictures), named if each.enough else "too few to tell")
    console.show(shown)
    if not dry_run and not looked.noted:
        console.say("not noted yet: the streams role has not read it")
