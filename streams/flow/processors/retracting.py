"""Retracting: a person takes assets off the shop. They stay away until a newer version comes or the product is made
again by `packshot replay`: what a run that was under way brings in late does not bring them back."""

from schemas.records import DecisionUndone, RetractionDecided, RetractRequested, Task
from streams.facts import Asset, Facts, Review
from streams.flow.processors import Answers
from streams.flow.processors.planning import redone
from streams.runtime.errors import Refused

RETRACTED = "retracted: "


def retraction_decided(event: RetractionDecided, facts: Facts) -> Answers:
    """Ends the assets, and asks for what is live of them to go; of a version that is older by now only the latter."""
    product = facts.products.get(event.tenant, event.sku, lock=True)
    if product is None or product.version < event.version:
        message = f"no version {event.version} of {event.sku} is known"
        raise Refused("unknown_version", message, field="version", transient=True)
    rows = {row.asset: row for row in facts.assets.of(event.tenant, event.sku)}
    names = sorted(event.assets or rows)
    if product.version == event.version:
        _check_known(names, rows)
        for name in names:
            facts.reviews.supersede_others(event.tenant, event.sku, name, "")
            facts.assets.move(
                event.tenant, event.sku, name, event.version, "retracted by a person", reason=_reason(event)
            )
    if not names:
        return []
    reason = _reason(event)
    return [RetractRequested(tenant=event.tenant, sku=event.sku, version=event.version, assets=names, reason=reason)]


def is_retracted(row: Asset | None) -> bool:
    """Whether a person took the asset off, and nothing has begun it anew."""
    return row is not None and row.state == "rejected" and row.reason.startswith(RETRACTED)


def is_undone(task: Task, facts: Facts) -> bool:
    """Whether the task redoes an asset by a decision that was taken back since: nobody waits for what comes of it."""
    waiting = facts.reviews.pending_of(task.tenant, task.sku, task.step.asset or "")
    return any(was_undone(review, task) for review in waiting)


def was_undone(review: Review, task: Task) -> bool:
    """Whether the task is what a decision on the review had redone, before it was taken back."""
    last = review.last
    if not isinstance(last, DecisionUndone) or not last.decision.redo:
        return False
    return redone(review.request.completed.task, last.decision.parameters).task_id == task.task_id


def _check_known(names: list[str], rows: dict[str, Asset]) -> None:
    unknown = [name for name in names if name not in rows]
    if unknown:
        known = ", ".join(sorted(rows)) or "none"
        raise Refused("unknown_asset", f"no asset is called {', '.join(unknown)}; there are {known}", field="assets")


def _reason(event: RetractionDecided) -> str:
    return f"{RETRACTED}{event.reason}"
