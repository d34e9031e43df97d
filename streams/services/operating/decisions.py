"""What people decide: on reviews, and on what is live. Each call sends events and waits for their acknowledgement."""

from collections.abc import Sequence
from typing import Any

from schemas.doubts import waits_for
from schemas.records import DecisionUndone, Event, RetractionDecided, ReviewDecided
from streams.consumer.letters import outgoing
from streams.facts import Database, Facts, Review
from streams.flow.processors.planning import redone
from streams.flow.relay import Sender
from streams.runtime.errors import Refused
from streams.runtime.observability import tracer


def decide(review: Review, sender: Sender, *, is_live: bool = False, **decision: Any) -> ReviewDecided:
    """Sends a person's decision on a review, which one may decide alone: see double_review.check_alone. Of a picture
    that `is_live` a rejection takes it down.

    Raises Refused for a redo with parameters that there are not.
    """
    task = review.request.completed.task
    event = ReviewDecided(
        review_id=review.review_id,
        tenant=task.tenant,
        sku=task.sku,
        version=review.rank + 1,
        checks=sorted({check for doubt in waits_for(review.request) for check in doubt.checks}),
        **decision,
    )
    if event.redo:
        redone(task, event.parameters)  # the same check as when it is carried out, while a person can still mend it
    _send(sender, "decide", "packshot/review", event, *off_the_shop([review] if is_live else [], event))
    return event


def live(reviews: Sequence[Review], facts: Facts) -> list[Review]:
    """The reviews whose very picture is live: by rules of before it passed, and by newer ones it is asked about."""
    products = {(each.request.completed.task.tenant, each.request.completed.task.sku) for each in reviews}
    rows = [row for tenant, sku in products for row in facts.assets.of(tenant, sku)]
    shown = {(row.live.tenant, row.live.sku, row.asset, row.live.file.content) for row in rows if row.live}
    made = [(each, each.request.completed) for each in reviews]
    return [each for each, of in made if (of.task.tenant, of.task.sku, each.asset, of.outputs[0].digest) in shown]


def off_the_shop(live: Sequence[Review], event: ReviewDecided) -> list[RetractionDecided]:
    """The take-down that a rejection of one product's `live` pictures means; what is to be redone stays until then."""
    if event.approved or event.redo or not live:
        return []
    return [
        RetractionDecided(
            tenant=event.tenant,
            sku=event.sku,
            version=max(review.version for review in live),
            assets=sorted({review.asset for review in live}),
            reason=event.reason,
            decided_by=event.decided_by,
        )
    ]


def undo(review: Review, sender: Sender, reason: str, decided_by: str) -> DecisionUndone:
    """Takes back the decision on a review: see standing. Raises Refused where there is none."""
    decision = standing(review)
    if decision is None:
        raise Refused("review_closed", "no decision stands that could be taken back", field="review_id")
    event = _undone(review, decision, reason, decided_by)
    _send(sender, "undo", "packshot/review", event)
    return event


def standing(review: Review) -> ReviewDecided | None:
    """The decision that can be taken back.

    One that lapsed can be, too, while other rules ask again: the picture that it let pass is live until then.
    """
    if review.state == "pending" and isinstance(review.last, ReviewDecided):
        return review.last
    return review.decision


def lapsed(reviews: Sequence[Review], decision: ReviewDecided, reason: str, decided_by: str) -> list[DecisionUndone]:
    """The words that take back what a case's approval let pass by rules of before, of reviews that wait again.

    The flow knows them as settled by the case no more, and would leave their pictures live.
    """
    found = ((review, standing(review)) for review in reviews if review.state == "pending")
    return [_undone(review, last, reason, decided_by) for review, last in found if last and _is_by(last, decision)]


def _is_by(last: ReviewDecided, decision: ReviewDecided) -> bool:
    """Whether a review's word followed from a case's decision; what was said of several cases is joined there."""
    is_said = decision.decided_by in last.decided_by and decision.reason in last.reason
    return last.approved and decision.approved and is_said


def _undone(review: Review, decision: ReviewDecided, reason: str, decided_by: str) -> DecisionUndone:
    return DecisionUndone(
        tenant=decision.tenant,
        sku=decision.sku,
        decision=decision,
        version=review.rank + 1,
        reason=reason,
        decided_by=decided_by,
    )


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
    _send(sender, "retract", "packshot/retract", event)
    return event


def _send(sender: Sender, what: str, source: str, *events: Event) -> None:
    """Sends what a person said and what that means, in one go and one trace."""
    with tracer.start_as_current_span(what):
        sender.send([outgoing(each, source, codec=sender.codec) for each in events])
