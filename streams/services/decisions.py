"""What people decide: on reviews, and on what is live. Each call sends one event and waits for its acknowledgement."""

from collections.abc import Sequence
from typing import Any, TypeVar

from schemas.records import DecisionUndone, RetractionDecided, ReviewDecided
from streams.consumer.letters import outgoing
from streams.facts import Database, Review
from streams.flow.processors.planning import redone
from streams.flow.relay import Sender
from streams.runtime.errors import Refused
from streams.runtime.observability import tracer

Decided = TypeVar("Decided", ReviewDecided, DecisionUndone, RetractionDecided)


def decide(review: Review, sender: Sender, **decision: Any) -> ReviewDecided:
    """Sends a person's decision on a review, which one may decide alone: see double_review.check_alone.

    Raises Refused for a redo with parameters that there are not.
    """
    task = review.request.completed.task
    event = ReviewDecided(
        review_id=review.review_id, tenant=task.tenant, sku=task.sku, version=review.rank + 1, **decision
    )
    if event.redo:
        redone(task, event.parameters)  # the same check as when it is carried out, while a person can still mend it
    return _sent(event, "decide", "packshot/review", sender)


def undo(review: Review, sender: Sender, reason: str, decided_by: str) -> DecisionUndone:
    """Takes back the decision that stands on a review. Raises Refused where none does."""
    if review.decision is None:
        raise Refused("review_closed", "no decision stands that could be taken back", field="review_id")
    event = DecisionUndone(
        tenant=review.decision.tenant,
        sku=review.decision.sku,
        decision=review.decision,
        version=review.rank + 1,
        reason=reason,
        decided_by=decided_by,
    )
    return _sent(event, "undo", "packshot/review", sender)


def retract(
    database: Database, sender: Sender, tenant: str, sku: str, assets: Sequence[str], reason: str, decided_by: str
) -> RetractionDecided:
    """Takes assets of a product off the shop, all of them when none is named.

    Raises Refused for a product or an asset that nobody knows.
    """
    with database.read() as facts:
        product, rows = facts.products.get(tenant, sku), facts.assets.of(tenant, sku)
    if product is None:
        raise Refused("unknown_product", f"no product has the SKU {sku!r}", field="sku")
    known = sorted(row.asset for row in rows)
    unknown = sorted(set(assets) - set(known))
    if unknown or not known:
        message = f"{sku} has no asset {', '.join(unknown)}; there are {', '.join(known) or 'none'}"
        raise Refused("unknown_asset", message, field="assets")
    event = RetractionDecided(
        tenant=tenant,
        sku=sku,
        version=product.version,
        assets=sorted(assets) or known,
        reason=reason,
        decided_by=decided_by,
    )
    return _sent(event, "retract", "packshot/retract", sender)


def _sent(event: Decided, what: str, source: str, sender: Sender) -> Decided:
    with tracer.start_as_current_span(what):
        sender.send([outgoing(event, source, codec=sender.codec)])
    return event
