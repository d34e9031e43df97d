"""What `packshot review` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from streams.commands.tables import coloured
from streams.runtime.screen import console, print_json, table

if TYPE_CHECKING:
    from streams.facts import Review


def show_reviews(reviews: Sequence[Review], *, as_json: bool) -> None:
    """Reviews with what the gates said."""
    if as_json:
        print_json([_review_facts(each) for each in reviews])
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


def _review_facts(review: Review) -> dict[str, Any]:
    task = review.request.completed.task
    return {
        "review_id": review.review_id,
        "tenant": task.tenant,
        "sku": task.sku,
        "version": review.version,
        "asset": review.asset,
        "state": review.state,
        "reason": review.request.reason,
        "verdict": msgspec.to_builtins(review.request.verdict),
        "picture": review.request.completed.outputs[0].digest,
    }
