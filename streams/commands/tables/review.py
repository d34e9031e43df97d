"""What `packshot review` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streams.commands.tables import coloured
from streams.runtime.screen import console, print_json, table
from streams.services.views import review_view

if TYPE_CHECKING:
    from streams.facts import Review


def show_reviews(reviews: Sequence[Review], *, as_json: bool) -> None:
    """Reviews with what the gates said."""
    if as_json:
        print_json([review_view(each) for each in reviews])
        return
    if not reviews:
        console.say("nothing waits for a decision")
        return
    shown = table("id", "product", "asset", "state", "why", "picture")
    for each in reviews:
        task = each.request.completed.task
        picture = each.request.completed.outputs[0].digest[:12]
        shown.add_row(
            each.review_id[:12],
            f"{task.sku} v{each.version}",
            each.asset,
            coloured(each.state),
            each.request.reason,
            picture,
        )
    console.show(shown)
